/* The two layouts of a queue listing.
 * SPDX-License-Identifier: ISC */
#include "commands/postqueue/show.h"

#include <inttypes.h>
#include <time.h>

#include "base/ascii.h"

#define REASON_COLUMN 76

void show_begin(struct show *show, FILE *out, bool json, bool long_ids)
{
	*show = (struct show){.out = out, .json = json, .long_ids = long_ids};
	buf_init(&show->reason, 65536);
}

/* Control characters would let a stranger write on the administrator's terminal. */
static void print_safe(FILE *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		putc(ascii_is_control(text.ptr[i]) ? '?' : text.ptr[i], out);
}

static void print_sender(FILE *out, struct span sender)
{
	print_safe(out, sender.len == 0 ? SPAN("MAILER-DAEMON") : sender);
}

static void print_columns(const struct show *show, const char *id, const char *size,
	const char *time)
{
	if (show->long_ids)
		fprintf(show->out, "%-17s %8s %-19s ", id, size, time);
	else
		fprintf(show->out, "%-11s %7s %-20s ", id, size, time);
}

static void print_time(int64_t ms, char *text, size_t size)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	if (localtime_r(&seconds, &tm) == NULL || strftime(text, size, "%a %b %e %H:%M:%S ", &tm) == 0)
		text[0] = '\0';
}

static void print_message_line(struct show *show, const struct queue_item *item)
{
	char id[128], size[32], arrival[64];
	const char *mark = span_equal(item->queue_name, SPAN("active")) ? "*"
		: span_equal(item->queue_name, SPAN("hold")) ? "!" : "";
	if (show->messages == 0) {
		print_columns(show, show->long_ids ? "----Queue ID-----" : "-Queue ID-", "--Size--",
			show->long_ids ? "---Arrival Time----" : "----Arrival Time----");
		fputs(show->long_ids ? "--Sender/Recipient------\n" : "-Sender/Recipient-------\n",
			show->out);
	} else {
		putc('\n', show->out);
	}
	snprintf(id, sizeof id, "%.*s%s%s", SPAN_ARGS(span_head(item->queue_id, 100)), mark,
		item->forced_expire ? "#" : "");
	snprintf(size, sizeof size, "%" PRIu64, item->size);
	print_time(item->arrival_ms, arrival, sizeof arrival);
	if (show->long_ids)
		arrival[19] = '\0';
	print_columns(show, id, size, arrival);
	print_sender(show->out, item->sender);
	putc('\n', show->out);
}

static void print_reason(struct show *show, struct span reason)
{
	if (span_equal(reason, buf_span(&show->reason)))
		return;
	buf_reset(&show->reason);
	buf_append(&show->reason, reason);
	if (reason.len == 0)
		reason = SPAN("reason unavailable");
	int padding = reason.len < REASON_COLUMN ? REASON_COLUMN - (int)reason.len : 0;
	fprintf(show->out, "%*s(", padding, "");
	print_safe(show->out, reason);
	fputs(")\n", show->out);
}

static void show_text(struct show *show, const struct queue_item *item)
{
	if (!show->continued) {
		print_message_line(show, item);
		buf_reset(&show->reason);
	}
	for (size_t i = 0; i < item->recipient_count; i++) {
		print_reason(show, item->recipients[i].reason);
		print_columns(show, "", "", "");
		print_safe(show->out, item->recipients[i].address);
		putc('\n', show->out);
	}
}

/* RFC 8259 section 7. Bytes that are not UTF-8 become '?'. */
static void print_json_string(FILE *out, struct span text)
{
	bool utf8 = span_is_utf8(text);
	putc('"', out);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		switch (c) {
		case '"': fputs("\\\"", out); break;
		case '\\': fputs("\\\\", out); break;
		case '\b': fputs("\\b", out); break;
		case '\f': fputs("\\f", out); break;
		case '\n': fputs("\\n", out); break;
		case '\r': fputs("\\r", out); break;
		case '\t': fputs("\\t", out); break;
		default:
			if (ascii_is_control(c))
				fprintf(out, "\\u%04X", (unsigned)(unsigned char)c);
			else
				putc(!utf8 && (unsigned char)c > 127 ? '?' : c, out);
		}
	}
	putc('"', out);
}

static void print_json_message(struct show *show, const struct queue_item *item)
{
	fputs("{\"queue_name\": ", show->out);
	print_json_string(show->out, item->queue_name);
	fputs(", \"queue_id\": ", show->out);
	print_json_string(show->out, item->queue_id);
	fprintf(show->out, ", \"arrival_time\": %" PRId64 ", \"message_size\": %" PRIu64
		", \"forced_expire\": %s, \"sender\": ", item->arrival_ms / 1000, item->size,
		item->forced_expire ? "true" : "false");
	print_json_string(show->out, item->sender.len == 0 ? SPAN("MAILER-DAEMON") : item->sender);
	fputs(", \"recipients\": [", show->out);
}

static void show_json(struct show *show, const struct queue_item *item)
{
	if (!show->continued)
		print_json_message(show, item);
	for (size_t i = 0; i < item->recipient_count; i++) {
		const struct queue_item_recipient *recipient = &item->recipients[i];
		fputs(i > 0 || show->continued ? ", {" : "{", show->out);
		if (recipient->original.len > 0 &&
			!span_equal(recipient->original, recipient->address)) {
			fputs("\"orig_address\": ", show->out);
			print_json_string(show->out, recipient->original);
			fputs(", ", show->out);
		}
		fputs("\"address\": ", show->out);
		print_json_string(show->out, recipient->address);
		if (recipient->reason.len > 0) {
			fputs(", \"delay_reason\": ", show->out);
			print_json_string(show->out, recipient->reason);
		}
		putc('}', show->out);
	}
	if (!item->more)
		fputs("]}\n", show->out);
}

bool show_item(void *arg, const struct queue_item *item)
{
	struct show *show = arg;
	if (show->json)
		show_json(show, item);
	else
		show_text(show, item);
	if (!show->continued) {
		show->messages++;
		show->bytes += item->size;
	}
	show->continued = item->more;
	if (show->messages == 1)
		fflush(show->out);
	return !ferror(show->out);
}

void show_end(struct show *show)
{
	if (!show->json && show->messages == 0)
		fputs("Mail queue is empty\n", show->out);
	else if (!show->json)
		fprintf(show->out, "\n-- %" PRIu64 " Kbytes in %" PRIu64 " Request%s.\n",
			show->bytes / 1024, show->messages, show->messages == 1 ? "" : "s");
	fflush(show->out);
	buf_done(&show->reason);
}
