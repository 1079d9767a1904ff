/* What people read in a report: subject, header, first part. See bounce.h.
 * SPDX-License-Identifier: ISC */
#include "base/ascii.h"
#include "cleanup/bounce.h"
#include "mail/address.h"
#include "service/delivery.h"

#define FOLD_AT 76

static const struct kind {
	const char *subject, *log_name, *text;
} kinds[] = {
	[BOUNCE_FAILURE] = {"Undelivered Mail Returned to Sender",
		"sender non-delivery notification",
		"Your message could not be delivered to one or more recipients. It is\n"
		"attached below, or its header is.\n\n"
		"If you need help, write to <postmaster> and include this report. You may\n"
		"leave out your own text from the attached message.\n"},
	[BOUNCE_DELAY] = {"Delayed Mail (still being retried)", "sender delay notification",
		"This is a warning only. You need not send your message again.\n\n"
		"Your message could not yet be delivered to one or more recipients; this\n"
		"host goes on trying until it is too old.\n\n"
		"If you need help, write to <postmaster> and include this report.\n"},
	[BOUNCE_SUCCESS] = {"Successful Mail Delivery Report",
		"sender delivery status notification",
		"Your message was delivered to the destinations listed below. If it went\n"
		"to a mailbox, you will hear no more of it; otherwise reports of its further\n"
		"delivery may come from other systems.\n"},
	[BOUNCE_POSTMASTER] = {"Postmaster Copy: Undelivered Mail",
		"postmaster non-delivery notification",
		"A message could not be delivered, and its sender could not be told or you\n"
		"asked for copies. Its header is attached below.\n"},
};

bool bounce_is_delay_copy(const struct bounce_request *request)
{
	return request->kind == BOUNCE_POSTMASTER && request->recipient_count > 0 &&
	       request->recipients[0].status == DELIVERY_DEFERRED;
}

static const char *bounce_subject(const struct bounce_request *request)
{
	return bounce_is_delay_copy(request) ? "Postmaster Copy: Delayed Mail"
					     : kinds[request->kind].subject;
}

const char *bounce_log_name(const struct bounce_request *request)
{
	return bounce_is_delay_copy(request) ? "postmaster delay notification"
					     : kinds[request->kind].log_name;
}

void bounce_header(const struct bounce *bounce, struct buf *out)
{
	buf_append_cstr(out, "Date: ");
	mail_date_format(bounce->date, out);
	buf_append_format(out, "\nFrom: MAILER-DAEMON@%s (Mail Delivery System)\nSubject: %s\nTo: ",
		bounce->origin, bounce_subject(bounce->request));
	mail_address_quote_full(bounce->recipient, out);
	buf_append_format(out,
		"\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
		"Content-Type: multipart/report; report-type=%s;\n\tboundary=\"%.*s\"\n",
		bounce->utf8 ? "global-delivery-status" : "delivery-status",
		SPAN_ARGS(bounce->boundary));
	if (bounce->eight_bit)
		buf_append_cstr(out, "Content-Transfer-Encoding: 8bit\n");
	buf_append_cstr(out, "\nThis is a MIME-encapsulated message.\n");
}

/* text in lines of at most FOLD_AT bytes where blanks allow, continued behind four spaces; control
 * bytes become '?'. */
static void append_folded(struct span text, size_t column, struct buf *out)
{
	while (text.len > 0) {
		size_t end = 0;
		while (end < text.len && text.ptr[end] != ' ')
			end++;
		if (column + end > FOLD_AT && column > 4) {
			buf_append_cstr(out, "\n    ");
			column = 4;
		}
		for (size_t i = 0; i < end; i++)
			buf_append_char(out, ascii_is_control(text.ptr[i]) ? '?' : text.ptr[i]);
		column += end;
		if (end < text.len && column < FOLD_AT) {
			buf_append_char(out, ' ');
			column++;
		}
		text = span_skip(text, end + 1);
	}
}

static void append_recipient(const struct bounce_recipient *recipient, struct buf *out)
{
	size_t start = out->len;
	buf_append_cstr(out, "\n<");
	mail_address_quote_full(recipient->address, out);
	buf_append_char(out, '>');
	if (recipient->original.len > 0 &&
		!span_equal_nocase(recipient->original, recipient->address)) {
		buf_append_cstr(out, " (expanded from <");
		mail_address_quote_full(recipient->original, out);
		buf_append_cstr(out, ">)");
	}
	buf_append_cstr(out, ": ");
	append_folded(recipient->text, out->len - start - 1, out);
	buf_append_char(out, '\n');
}

void bounce_notification(const struct bounce *bounce, struct buf *out)
{
	const struct bounce_request *request = bounce->request;
	buf_append_format(out,
		"\n--%.*s\nContent-Description: Notification\n"
		"Content-Type: text/plain; charset=%s\n%s\n",
		SPAN_ARGS(bounce->boundary), bounce->utf8 ? "utf-8" : "us-ascii",
		bounce->utf8 ? "Content-Transfer-Encoding: 8bit\n" : "");
	buf_append_format(out, "This is the mail system at host %s.\n\n%s", bounce->reporter,
		kinds[request->kind].text);
	for (size_t i = 0; i < request->recipient_count; i++)
		append_recipient(&request->recipients[i], out);
}
