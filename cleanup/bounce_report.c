/* What programs read in a report: RFC 3464 section 2, with the address types of RFC 6533. See
 * bounce.h.
 * SPDX-License-Identifier: ISC */
#include "base/ascii.h"
#include "cleanup/bounce.h"
#include "mail/address.h"
#include "mail/xtext.h"
#include "service/delivery.h"

/* One line: what a peer said must not begin another field. */
static void append_line(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++)
		buf_append_char(out, ascii_is_control(text.ptr[i]) ? ' ' : text.ptr[i]);
	buf_append_char(out, '\n');
}

static void append_address(const struct bounce *bounce, struct span address, struct buf *out)
{
	buf_append_cstr(out, bounce->utf8 && !span_is_ascii(address) ? "utf-8; " : "rfc822; ");
	struct buf quoted = BUF_INIT(MAIL_PATH_MAX * 2);
	mail_address_quote_full(address, &quoted);
	append_line(buf_span(&quoted), out);
	buf_done(&quoted);
}

static const char *action_of(const struct bounce *bounce, const struct bounce_recipient *recipient)
{
	switch ((enum bounce_kind)bounce->request->kind) {
	case BOUNCE_FAILURE:
	case BOUNCE_POSTMASTER:
		return bounce_is_delay_copy(bounce->request) ? "delayed" : "failed";
	case BOUNCE_DELAY:
		return "delayed";
	case BOUNCE_SUCCESS:
		break;
	}
	if (recipient->relayed)
		return "relayed";
	return recipient->status == DELIVERY_EXPANDED ? "expanded" : "delivered";
}

/* The status of a recipient who failed by growing too old says 4.x.x: RFC 3464 wants it as it was.
 */
static void append_recipient(
	const struct bounce *bounce, const struct bounce_recipient *recipient, struct buf *out)
{
	buf_append_cstr(out, "\nFinal-Recipient: ");
	append_address(bounce, recipient->address, out);
	if (recipient->orcpt.len > 0) {
		buf_append_cstr(out, "Original-Recipient: ");
		orcpt_encode(recipient->orcpt, bounce->utf8, out);
		buf_append_char(out, '\n');
	} else if (recipient->original.len > 0) {
		buf_append_cstr(out, "Original-Recipient: ");
		append_address(bounce, recipient->original, out);
	}
	buf_append_format(out, "Action: %s\nStatus: ", action_of(bounce, recipient));
	append_line(recipient->dsn.len > 0 ? recipient->dsn : SPAN("5.0.0"), out);
	if (recipient->remote_mta.len > 0) {
		buf_append_cstr(out, "Remote-MTA: dns; ");
		append_line(recipient->remote_mta, out);
	}
	if (recipient->diagnostic.len > 0) {
		buf_append_cstr(out, "Diagnostic-Code: smtp; ");
		append_line(recipient->diagnostic, out);
	} else if (recipient->text.len > 0) {
		buf_append_format(out, "Diagnostic-Code: X-%s; ", bounce->mail_name);
		append_line(recipient->text, out);
	}
	if (bounce->request->kind == BOUNCE_DELAY && bounce->request->will_retry_until_ms > 0) {
		buf_append_cstr(out, "Will-Retry-Until: ");
		mail_date_format(
			(struct mail_date){.seconds = bounce->request->will_retry_until_ms / 1000,
				.zone = bounce->date.zone},
			out);
		buf_append_char(out, '\n');
	}
}

void bounce_report(const struct bounce *bounce, struct buf *out)
{
	const struct bounce_request *request = bounce->request;
	buf_append_format(out,
		"\n--%.*s\nContent-Description: Delivery report\n"
		"Content-Type: message/%sdelivery-status\n%s\n",
		SPAN_ARGS(bounce->boundary), bounce->utf8 ? "global-" : "",
		bounce->utf8 ? "Content-Transfer-Encoding: 8bit\n" : "");
	buf_append_format(out, "Reporting-MTA: dns; %s\n", bounce->reporter);
	if (request->envid.len > 0) {
		buf_append_cstr(out, "Original-Envelope-Id: ");
		append_line(request->envid, out);
	}
	buf_append_format(out, "X-%s-Queue-ID: ", bounce->mail_name);
	append_line(request->queue_id, out);
	if (bounce->sender.len > 0) {
		buf_append_format(out, "X-%s-Sender: ", bounce->mail_name);
		append_address(bounce, bounce->sender, out);
	}
	buf_append_cstr(out, "Arrival-Date: ");
	mail_date_format((struct mail_date){.seconds = request->arrival_ms / 1000,
				 .zone = bounce->date.zone},
		out);
	buf_append_char(out, '\n');
	for (size_t i = 0; i < request->recipient_count; i++)
		append_recipient(bounce, &request->recipients[i], out);
}

void bounce_original_begin(const struct bounce *bounce, struct buf *out)
{
	bool delivered = bounce->request->kind == BOUNCE_SUCCESS;
	buf_append_format(out, "\n--%.*s\nContent-Description: %s%s\n", SPAN_ARGS(bounce->boundary),
		delivered ? "Message" : "Undelivered Message", bounce->whole ? "" : " Headers");
	if (bounce->whole)
		buf_append_format(
			out, "Content-Type: message/%s\n", bounce->utf8 ? "global" : "rfc822");
	else
		buf_append_cstr(out, bounce->utf8 ? "Content-Type: message/global-headers\n"
						  : "Content-Type: text/rfc822-headers\n");
	buf_append_format(
		out, "%s\n", bounce->eight_bit ? "Content-Transfer-Encoding: 8bit\n" : "");
}

void bounce_end(const struct bounce *bounce, struct buf *out)
{
	buf_append_format(out, "\n--%.*s--\n", SPAN_ARGS(bounce->boundary));
}
