/* Questions of mail to DNS and their answers as structs. See resolve.h.
 * SPDX-License-Identifier: ISC */
#include "dns/resolve.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>

#include "base/ascii.h"
#include "dns/dns_private.h"
#include "dns/rdata.h"
#include "mail/address.h"

/* The name in the form to ask for, as heap string; NULL when it is none. A trailing dot is allowed.
 * */
static char *question_name(struct span name)
{
	struct buf ascii = BUF_INIT(DNS_NAME_MAX);
	if (name.len > 1 && name.ptr[name.len - 1] == '.')
		name.len--;
	bool good = mail_domain_to_ascii(name, &ascii) && ascii.len > 0 && ascii.ptr[0] != '[';
	char *text = good ? span_dup_cstr(buf_span(&ascii)) : NULL;
	buf_done(&ascii);
	return text;
}

static const struct dns_answer invalid_answer = {DNS_INVALID, false, "invalid name"};

static struct dns_answer ask(struct span name, int type, task_time deadline,
	struct ub_result **ret_result)
{
	char *text = question_name(name);
	*ret_result = NULL;
	if (text == NULL)
		return invalid_answer;
	struct dns_answer answer = dns_ask(text, type, deadline, ret_result);
	free(text);
	return answer;
}

static size_t result_count(const struct ub_result *result)
{
	size_t count = 0;
	while (count < DNS_ANSWERS_MAX && result->data[count] != NULL)
		count++;
	return count;
}

static struct span result_at(const struct ub_result *result, size_t i)
{
	return span_new(result->data[i], result->len[i] < 0 ? 0 : (size_t)result->len[i]);
}

static void lower(struct buf *name)
{
	for (size_t i = 0; i < name->len; i++)
		name->ptr[i] = ascii_lower(name->ptr[i]);
}

/* Few items: by insertion, so that equals keep their order. */
static void insert_mx(struct dns_mx_list *list, struct dns_mx mx)
{
	size_t at = list->count++;
	while (at > 0 && list->items[at - 1].preference > mx.preference) {
		list->items[at] = list->items[at - 1];
		at--;
	}
	list->items[at] = mx;
}

static void take_mx(const struct ub_result *result, struct arena *arena, struct dns_mx_list *list)
{
	struct buf name = BUF_INIT(DNS_NAME_MAX);
	size_t count = result_count(result);
	list->items = ARENA_ARRAY(arena, struct dns_mx, count);
	for (size_t i = 0; i < count && list->items != NULL; i++) {
		struct dns_mx mx;
		buf_reset(&name);
		if (!dns_rdata_mx(result_at(result, i), &mx.preference, &name))
			continue;
		list->is_null = name.len == 0 && count == 1;
		lower(&name);
		mx.host = arena_dup(arena, buf_span(&name));
		if (mail_domain_is_name(mx.host))
			insert_mx(list, mx);
	}
	if (list->count == 0 && !list->is_null)
		list->answer = (struct dns_answer){arena->overflow ? DNS_TEMP : DNS_INVALID, false,
			"Malformed or unexpected name server reply"};
	buf_done(&name);
}

void dns_mx(
	struct span domain, task_time deadline, struct arena *arena, struct dns_mx_list *ret_list)
{
	struct ub_result *result;
	*ret_list = (struct dns_mx_list){.items = NULL};
	ret_list->answer = ask(domain, DNS_TYPE_MX, deadline, &result);
	if (result == NULL)
		return;
	take_mx(result, arena, ret_list);
	ub_resolve_free(result);
}

static bool make_address(struct span bytes, struct dns_address *ret_address)
{
	bool v6 = bytes.len == 16;
	if (bytes.len != 4 && bytes.len != 16)
		return false;
	*ret_address = (struct dns_address){.v6 = v6};
	memcpy(ret_address->bytes, bytes.ptr, bytes.len);
	return inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.ptr, ret_address->text,
		       sizeof ret_address->text) != NULL;
}

static bool parse_literal(struct span name, struct dns_address *ret_address)
{
	char text[46];
	uint8_t bytes[16];
	if (name.len >= sizeof text || name.len == 0)
		return false;
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	if (inet_pton(AF_INET, text, bytes) == 1)
		return make_address(span_new(bytes, 4), ret_address);
	return inet_pton(AF_INET6, text, bytes) == 1 &&
	       make_address(span_new(bytes, 16), ret_address);
}

static void take_addresses(const struct ub_result *result, bool v6, struct arena *arena,
	struct dns_address_list *list)
{
	size_t count = result_count(result);
	struct dns_address *items = arena_grow(arena, list->items, list->count, list->count + count,
		sizeof *items);
	if (items == NULL)
		return;
	list->items = items;
	for (size_t i = 0; i < count; i++) {
		struct span bytes = result_at(result, i);
		if (bytes.len == (v6 ? 16 : 4) && make_address(bytes, &items[list->count]))
			list->count++;
	}
}

/* How far from final a failure is: a temporary one must win over "no such name". */
static int doubt(enum dns_status status)
{
	switch (status) {
	case DNS_TEMP:
		return 4;
	case DNS_INVALID:
		return 3;
	case DNS_NODATA:
		return 2;
	case DNS_NXDOMAIN:
		return 1;
	case DNS_FOUND:
		break;
	}
	return 0;
}

void dns_addresses(struct span name, unsigned families, task_time deadline, struct arena *arena,
	struct dns_address_list *ret_list)
{
	struct dns_address literal;
	struct dns_answer worst = {DNS_NODATA, false, "no address family is enabled"};
	bool asked = false, secure = true;
	*ret_list = (struct dns_address_list){.items = NULL};
	if (parse_literal(name, &literal)) {
		ret_list->items = ARENA_NEW(arena, struct dns_address);
		ret_list->answer = (struct dns_answer){DNS_TEMP, false, "out of memory"};
		if (ret_list->items == NULL)
			return;
		ret_list->items[0] = literal;
		ret_list->count = 1;
		ret_list->answer = (struct dns_answer){DNS_FOUND, false, "found"};
		return;
	}
	for (unsigned family = DNS_IPV4; family <= DNS_IPV6; family <<= 1) {
		struct ub_result *result;
		if ((families & family) == 0)
			continue;
		bool v6 = family == DNS_IPV6;
		struct dns_answer answer =
			ask(name, v6 ? DNS_TYPE_AAAA : DNS_TYPE_A, deadline, &result);
		if (result != NULL) {
			take_addresses(result, v6, arena, ret_list);
			ub_resolve_free(result);
			secure = secure && answer.secure;
		}
		if (!asked || doubt(answer.status) > doubt(worst.status))
			worst = answer;
		asked = true;
	}
	ret_list->answer = worst;
	if (ret_list->count > 0)
		ret_list->answer = (struct dns_answer){DNS_FOUND, secure, "found"};
	else if (worst.status == DNS_FOUND)
		ret_list->answer = (struct dns_answer){DNS_TEMP, false,
			"Malformed or unexpected name server "
			"reply"};
}

static bool reverse_name(struct span address, char ret_name[80])
{
	struct dns_address a;
	if (!parse_literal(address, &a))
		return false;
	if (!a.v6) {
		snprintf(ret_name, 80, "%u.%u.%u.%u.in-addr.arpa", a.bytes[3], a.bytes[2],
			a.bytes[1], a.bytes[0]);
		return true;
	}
	size_t at = 0;
	for (int i = 15; i >= 0; i--)
		at += (size_t)snprintf(
			ret_name + at, 80 - at, "%x.%x.", a.bytes[i] & 15, a.bytes[i] >> 4);
	snprintf(ret_name + at, 80 - at, "ip6.arpa");
	return true;
}

static void take_names(const struct ub_result *result, bool txt, struct arena *arena,
	struct dns_name_list *list)
{
	struct buf text = BUF_INIT(txt ? 65536 : DNS_NAME_MAX);
	size_t count = result_count(result);
	list->items = ARENA_ARRAY(arena, struct span, count);
	for (size_t i = 0; i < count && list->items != NULL; i++) {
		struct span rdata = result_at(result, i);
		buf_reset(&text);
		bool good = txt ? dns_rdata_txt(rdata, &text) : dns_rdata_name(rdata, &text);
		if (!txt)
			lower(&text);
		if (!good || (!txt && !mail_domain_is_name(buf_span(&text))))
			continue;
		list->items[list->count++] = arena_dup(arena, buf_span(&text));
	}
	if (list->count == 0)
		list->answer = (struct dns_answer){arena->overflow ? DNS_TEMP : DNS_INVALID, false,
			"Malformed or unexpected name server reply"};
	buf_done(&text);
}

void dns_ptr(struct span address, task_time deadline, struct arena *arena,
	struct dns_name_list *ret_list)
{
	struct ub_result *result;
	char name[80];
	*ret_list = (struct dns_name_list){.answer = invalid_answer};
	if (!reverse_name(address, name))
		return;
	ret_list->answer = dns_ask(name, DNS_TYPE_PTR, deadline, &result);
	if (result == NULL)
		return;
	take_names(result, false, arena, ret_list);
	ub_resolve_free(result);
}

void dns_txt(struct span name, task_time deadline, struct arena *arena,
	struct dns_name_list *ret_list)
{
	struct ub_result *result;
	*ret_list = (struct dns_name_list){.items = NULL};
	ret_list->answer = ask(name, DNS_TYPE_TXT, deadline, &result);
	if (result == NULL)
		return;
	take_names(result, true, arena, ret_list);
	ub_resolve_free(result);
}

enum dns_status dns_client_name(struct span address, task_time deadline, struct arena *arena,
	struct span *ret_name, struct span *ret_reverse)
{
	struct dns_name_list names;
	struct dns_address_list forward;
	struct dns_address own;
	*ret_name = *ret_reverse = SPAN_EMPTY;
	dns_ptr(address, deadline, arena, &names);
	if (names.answer.status != DNS_FOUND || !parse_literal(address, &own))
		return names.answer.status;
	*ret_reverse = names.items[0];
	dns_addresses(names.items[0], own.v6 ? DNS_IPV6 : DNS_IPV4, deadline, arena, &forward);
	if (forward.answer.status != DNS_FOUND)
		return forward.answer.status;
	for (size_t i = 0; i < forward.count; i++) {
		if (memcmp(forward.items[i].bytes, own.bytes, own.v6 ? 16 : 4) == 0) {
			*ret_name = names.items[0];
			return DNS_FOUND;
		}
	}
	return DNS_NXDOMAIN;
}
