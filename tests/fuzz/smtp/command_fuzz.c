/* Any command line: nothing read beyond it, results printable and within their limits.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "smtp/chunk.h"
#include "smtp/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return 0;
	unsigned flags = bytes[0];
	struct span line = span_new(bytes + 1, len - 1);
	struct smtp_command command;
	struct smtp_chunk chunk;
	struct smtp_mail mail;
	struct smtp_rcpt rcpt;
	struct arena arena;

	arena_init(&arena, 64 * 1024);
	smtp_command_parse(line, &command);
	CHECK(command.name.len + command.arguments.len <= line.len);
	(void)smtp_chunk_parse(command.arguments, &chunk);
	if (smtp_mail_parse(command.arguments, flags, &arena, &mail) == SMTP_RESULT_OK) {
		CHECK(span_is_printable(mail.envid) && mail.envid.len <= 100);
		CHECK(mail.smtputf8 || (flags & SMTP_ANY_UTF8) != 0 || span_is_ascii(mail.sender.full));
		CHECK(mail.sender.full.len <= MAIL_ADDRESS_MAX);
	}
	if (smtp_rcpt_parse(command.arguments, flags, &arena, &rcpt) == SMTP_RESULT_OK) {
		CHECK(span_is_printable(rcpt.orcpt) && rcpt.orcpt.len <= 500);
		CHECK(rcpt.recipient.full.len > 0);
		CHECK((flags & SMTP_IN_UTF8) != 0 || span_is_ascii(rcpt.recipient.full));
	}
	arena_done(&arena);
	return 0;
}
