/* See envelope_command.h: RFC 1870, RFC 6152, RFC 6531, RFC 3461 sections 4 and 5, RFC 4954.
 * SPDX-License-Identifier: ISC */
#include "smtp/envelope_command.h"

#include "mail/address.h"
#include "mail/xtext.h"
#include "service/cleanup.h"
#include "smtp/send_content.h"
#include "smtp/settings.h"

void envelope_command_mail(const struct delivery_request *request,
	const struct connection *connection, struct buf *out)
{
	unsigned extensions = connection->extensions;
	buf_append_cstr(out, "MAIL FROM:<");
	mail_address_quote_full(request->sender, out);
	buf_append_char(out, '>');
	if (extensions & SMTP_EXTENSION_SIZE)
		buf_append_format(out, " SIZE=%llu",
			(unsigned long long)send_content_size(request));
	if ((extensions & SMTP_EXTENSION_8BITMIME) && (request->flags & DELIVERY_8BITMIME))
		buf_append_cstr(out, " BODY=8BITMIME");
	if ((extensions & SMTP_EXTENSION_SMTPUTF8) && (request->flags & DELIVERY_SMTPUTF8))
		buf_append_cstr(out, " SMTPUTF8");
	if ((extensions & SMTP_EXTENSION_DSN) && request->envid.len > 0) {
		buf_append_cstr(out, " ENVID=");
		xtext_encode(request->envid, out);
	}
	if ((extensions & SMTP_EXTENSION_DSN) && request->dsn_return == DSN_RETURN_FULL)
		buf_append_cstr(out, " RET=FULL");
	if ((extensions & SMTP_EXTENSION_DSN) && request->dsn_return == DSN_RETURN_HEADERS)
		buf_append_cstr(out, " RET=HDRS");
	if (settings.send_dummy_auth && connection->authenticated)
		buf_append_cstr(out, " AUTH=<>");
}

static void append_notify(uint32_t notify, struct buf *out)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} words[] = {{DSN_SUCCESS, "SUCCESS"}, {DSN_FAILURE, "FAILURE"}, {DSN_DELAY, "DELAY"}};
	const char *separator = " NOTIFY=";
	if (notify & DSN_NEVER) {
		buf_append_cstr(out, " NOTIFY=NEVER");
		return;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if ((notify & words[i].bit) == 0)
			continue;
		buf_append_format(out, "%s%s", separator, words[i].word);
		separator = ",";
	}
}

/* Without an ORCPT of the sender the address before aliasing is told, as a later report names it.
 * */
static void append_orcpt(const struct delivery_request *request,
	const struct delivery_recipient *recipient, struct buf *out)
{
	bool utf8 = (request->flags & DELIVERY_SMTPUTF8) != 0;
	struct buf orcpt = BUF_INIT(4096);
	if (recipient->orcpt.len > 0) {
		buf_append(&orcpt, recipient->orcpt);
	} else if (recipient->original.len > 0) {
		buf_append_cstr(&orcpt, "rfc822;");
		mail_address_quote_full(recipient->original, &orcpt);
	}
	if (orcpt.len > 0 && !orcpt.overflow) {
		buf_append_cstr(out, " ORCPT=");
		orcpt_encode(buf_span(&orcpt), utf8, out);
	}
	buf_done(&orcpt);
}

void envelope_command_rcpt(const struct delivery_request *request, size_t recipient,
	unsigned extensions, struct buf *out)
{
	const struct delivery_recipient *r = &request->recipients[recipient];
	buf_append_cstr(out, "RCPT TO:<");
	mail_address_quote_full(r->address, out);
	buf_append_char(out, '>');
	if ((extensions & SMTP_EXTENSION_DSN) == 0)
		return;
	append_orcpt(request, r, out);
	append_notify(r->notify, out);
}
