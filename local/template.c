/* See template.h.
 * SPDX-License-Identifier: ISC */
#include "local/template.h"

#include "base/log.h"
#include "conf/expand.h"

struct names {
	struct delivery *delivery;
	const struct target *target;
	const struct account *account;
	enum template_use use;
};

/* A value that whoever sent the message could choose. */
static const char *safe(const struct names *names, struct span value)
{
	char *copy = arena_dup_cstr(names->delivery->arena, value);
	const char *allowed = local.settings.command_filter;
	if (copy == NULL)
		return "";
	for (size_t i = 0; i < value.len; i++) {
		bool bad = copy[i] == '\0' || (unsigned char)copy[i] < ' ';
		if (names->use == TEMPLATE_PATH)
			bad = bad || copy[i] == '/';
		else if (names->use == TEMPLATE_COMMAND)
			bad = bad || strchr(allowed, copy[i]) == NULL;
		if (bad)
			copy[i] = '_';
	}
	return copy;
}

static const char *lookup(void *arg, struct span name)
{
	const struct names *names = arg;
	const struct target *target = names->target;
	struct span address = target->address;
	size_t at = span_find_last_char(address, '@');
	struct span local_part = at == SIZE_MAX ? address : span_head(address, at);
	if (span_equal(name, SPAN("user")))
		return safe(names, target->user);
	if (span_equal(name, SPAN("extension")))
		return target->extension.len == 0 ? NULL : safe(names, target->extension);
	if (span_equal(name, SPAN("recipient_delimiter")))
		return target->extension.len == 0 ? NULL
			: safe(names, span_part(local_part, target->user.len, 1));
	if (span_equal(name, SPAN("local")))
		return safe(names, local_part);
	if (span_equal(name, SPAN("recipient")))
		return safe(names, address);
	if (span_equal(name, SPAN("domain")))
		return safe(names, at == SIZE_MAX ? SPAN_EMPTY : span_skip(address, at + 1));
	if (span_equal(name, SPAN("sender")))
		return safe(names, target->sender);
	if (names->account == NULL)
		return NULL;
	if (span_equal(name, SPAN("home")))
		return arena_dup_cstr(names->delivery->arena, buf_span(&names->account->home));
	if (span_equal(name, SPAN("shell")))
		return arena_dup_cstr(names->delivery->arena, buf_span(&names->account->shell));
	return NULL;
}

bool template_expand(struct delivery *delivery, const struct target *target,
	const struct account *account, struct span text, enum template_use use, struct span *ret_text)
{
	struct names names = {delivery, target, account, use};
	struct expand_source source = {.lookup = lookup, .arg = &names, .flat = true};
	struct buf out = BUF_INIT(16384), error = BUF_INIT(1000);
	bool good = expand(text, &source, &out, &error);
	if (good)
		*ret_text = arena_dup(delivery->arena, buf_span(&out));
	else
		log_warning(NULL, "%.*s: %.*s", SPAN_ARGS(text), SPAN_ARGS(buf_span(&error)));
	buf_done(&out);
	buf_done(&error);
	return good && !delivery->arena->overflow;
}
