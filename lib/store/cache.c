/* The parse result of a message; see cache_private.h. Layout: version, the end of each piece
 * counted from the first, then the pieces (32-bit numbers of this machine: the index never leaves
 * it).
 * SPDX-License-Identifier: ISC */
#include "store/cache_private.h"

#include <sys/mman.h>

#include "base/ascii.h"
#include "imap/structure.h"
#include "mail/charset.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "store/content.h"
#include "sys/guard.h"

#define VERSION 1
#define ARENA_MAX (32UL << 20)
#define HEADERS_MAX (256 * 1024)
#define PREVIEW_CHARS 256
#define PREVIEW_SOURCE 8192

struct head {
	uint32_t version;
	uint32_t ends[CACHE_KINDS];
};

#define NAME(literal) {literal, sizeof(literal) - 1}

static const struct span header_names[] = {
	NAME("Date"), NAME("From"), NAME("To"), NAME("Cc"), NAME("Bcc"), NAME("Subject"),
	NAME("Message-ID"), NAME("In-Reply-To"), NAME("References"), NAME("Reply-To"),
	NAME("Sender"), NAME("Content-Type"), NAME("Content-Transfer-Encoding"),
	NAME("MIME-Version"), NAME("X-Priority"), NAME("Priority"), NAME("Importance"),
	NAME("X-MSMail-Priority"), NAME("X-Spam-Flag"), NAME("X-Spam-Status"), NAME("List-Id"),
	NAME("List-Post"), NAME("List-Unsubscribe"), NAME("List-Unsubscribe-Post"),
	NAME("List-Help"), NAME("List-Archive"), NAME("List-Subscribe"), NAME("List-Owner"),
	NAME("Mailing-List"), NAME("Newsgroups"), NAME("Followup-To"), NAME("Mail-Reply-To"),
	NAME("Mail-Followup-To"), NAME("Delivered-To"), NAME("Return-Path"), NAME("Precedence"),
	NAME("Auto-Submitted"), NAME("Disposition-Notification-To"), NAME("Resent-Message-ID"),
	NAME("X-Mailer"), NAME("User-Agent"), NAME("Autocrypt"), NAME("X-Label"),
	NAME("X-Draft-Info"), NAME("X-Mozilla-Draft-Info"),
	NAME("X-Universally-Unique-Identifier"), NAME("X-Uniform-Type-Identifier"),
	NAME("Lines"),
};

bool message_cache_has_header(struct span field_name)
{
	for (size_t i = 0; i < sizeof(header_names) / sizeof(header_names[0]); i++)
		if (field_name.len == header_names[i].len
			&& span_equal_nocase(field_name, header_names[i]))
			return true;
	return false;
}

static void write_headers(struct span header, struct buf *out)
{
	struct header_reader reader;
	struct header_field field;
	struct content_state state = {0};
	header_reader_init(&reader, header);
	while (header_next(&reader, &field) == HEADER_FIELD) {
		if (!field.valid || !message_cache_has_header(field.name))
			continue;
		content_to_crlf(&state, field.raw, out);
		if (field.raw.len > 0 && field.raw.ptr[field.raw.len - 1] != '\n')
			buf_append_cstr(out, "\r\n");
		state.after_cr = false;
	}
}

struct part_writer {
	struct buf *out;
	uint32_t count;
};

static void write_part(const struct mime_part *part, uint32_t parent, uint32_t number,
	struct part_writer *writer)
{
	struct message_part entry = {
		.header_offset = part->header.crlf_offset,
		.body_offset = part->body.crlf_offset,
		.end_offset = part->body.crlf_offset + part->body.crlf_size,
		.lines = part->body.lines,
		.parent = parent,
		.number = number,
		.kind = part->kind == MIME_MULTIPART ? PART_MULTIPART
			: part->kind == MIME_MESSAGE ? PART_MESSAGE : PART_LEAF,
	};
	uint32_t self = writer->count++;
	uint32_t child_number = 1;
	buf_append_bytes(writer->out, &entry, sizeof(entry));
	/* The depth is bounded by MIME_DEPTH_MAX. */
	for (const struct mime_part *child = part->first_child; child != NULL; child = child->next)
		write_part(child, self, child_number++, writer);
}

/* The first text part that is not an attachment, plain preferred by standing first. */
static const struct mime_part *find_text(const struct mime_part *part)
{
	if (part->kind == MIME_SINGLE)
		return span_equal(part->type, SPAN("text")) && !mime_part_is_attachment(part) ? part : NULL;
	for (const struct mime_part *child = part->first_child; child != NULL; child = child->next) {
		const struct mime_part *found = find_text(child);
		if (found != NULL)
			return found;
	}
	return NULL;
}

/* Text of HTML in the roughest way: what stands outside tags, style and script. */
static void strip_tags(struct span html, struct buf *out)
{
	bool in_tag = false;
	struct span skip_until = SPAN_EMPTY;
	for (size_t i = 0; i < html.len; i++) {
		struct span here = span_skip(html, i);
		if (skip_until.len > 0) {
			if (span_starts_with_nocase(here, skip_until))
				skip_until = SPAN_EMPTY, in_tag = true;
			continue;
		}
		if (html.ptr[i] == '<') {
			in_tag = true;
			if (span_starts_with_nocase(here, SPAN("<style")))
				skip_until = SPAN("</style");
			else if (span_starts_with_nocase(here, SPAN("<script")))
				skip_until = SPAN("</script");
		} else if (html.ptr[i] == '>' && in_tag) {
			in_tag = false;
			buf_append_char(out, ' ');
		} else if (!in_tag) {
			buf_append_char(out, html.ptr[i]);
		}
	}
}

/* White space as one space, no control characters, at most PREVIEW_CHARS characters. */
static void squeeze(struct span text, struct buf *out)
{
	bool space = true;
	size_t characters = 0;
	for (size_t i = 0; i < text.len && characters < PREVIEW_CHARS; i++) {
		char c = text.ptr[i];
		if (ascii_is_space(c) || ascii_is_control(c)) {
			if (!space) {
				buf_append_char(out, ' ');
				characters++;
			}
			space = true;
			continue;
		}
		space = false;
		buf_append_char(out, c);
		while (i + 1 < text.len && ((unsigned char)text.ptr[i + 1] & 0xc0) == 0x80)
			buf_append_char(out, text.ptr[++i]);
		characters++;
	}
}

static void write_preview(struct span message, const struct mime_part *root, struct buf *out)
{
	const struct mime_part *part = find_text(root);
	if (part == NULL)
		return;
	struct span charset;
	struct buf decoded = BUF_INIT(2 * PREVIEW_SOURCE), text = BUF_INIT(8 * PREVIEW_SOURCE),
		plain = BUF_INIT(8 * PREVIEW_SOURCE);
	struct span body = span_head(mime_extent_span(message, &part->body), PREVIEW_SOURCE);
	transfer_decode_all(part->encoding, body, &decoded);
	if (!mime_parameter_get(&part->content_type, SPAN("charset"), &charset)
		|| !charset_to_utf8(charset, buf_span(&decoded), &text))
		utf8_clean(buf_span(&decoded), &text);
	struct span visible = buf_span(&text);
	if (span_equal(part->subtype, SPAN("html"))) {
		strip_tags(visible, &plain);
		visible = buf_span(&plain);
	}
	squeeze(visible, out);
	buf_done(&decoded);
	buf_done(&text);
	buf_done(&plain);
}

static void write_kind(enum message_cache kind, struct span message,
	const struct mime_message *mime, const struct envelope *envelope, struct buf *out)
{
	struct part_writer parts = {out, 0};
	switch (kind) {
	case CACHE_ENVELOPE:
		imap_write_envelope(envelope, out);
		break;
	case CACHE_BODYSTRUCTURE:
		imap_write_bodystructure(mime->root, true, out);
		break;
	case CACHE_BODY:
		imap_write_bodystructure(mime->root, false, out);
		break;
	case CACHE_HEADERS:
		write_headers(mime_extent_span(message, &mime->root->header), out);
		break;
	case CACHE_PARTS:
		write_part(mime->root, 0, 0, &parts);
		break;
	case CACHE_PREVIEW:
		write_preview(message, mime->root, out);
		break;
	case CACHE_KINDS:
		break;
	}
}

/* What a fault in the midst of the work leaves is in here, to be freed. */
struct work {
	struct span message;
	struct arena arena;
	struct buf pieces;
	struct head head;
	uint64_t crlf_size;
	bool good;
};

static void build(void *arg)
{
	struct work *work = arg;
	struct mime_message mime;
	struct envelope envelope;
	if (!mime_parse(work->message, &work->arena, &mime))
		return;
	envelope_parse(
		mime_extent_span(work->message, &mime.root->header), &work->arena, &envelope);
	for (int kind = 0; kind < CACHE_KINDS; kind++) {
		write_kind((enum message_cache)kind, work->message, &mime, &envelope, &work->pieces);
		work->head.ends[kind] = (uint32_t)work->pieces.len;
	}
	work->crlf_size = mime.crlf_size;
	work->good = !work->pieces.overflow;
}

static void begin(struct work *work, struct span message)
{
	*work = (struct work){.message = message, .pieces = BUF_INIT(CACHE_SIZE_MAX),
		.head = {.version = VERSION}};
	arena_init(&work->arena, ARENA_MAX);
}

static bool finish(struct work *work, struct buf *ret_value)
{
	bool good = work->good;
	if (good) {
		buf_append_bytes(ret_value, &work->head, sizeof(work->head));
		buf_append(ret_value, buf_span(&work->pieces));
		good = !ret_value->overflow;
	}
	buf_done(&work->pieces);
	arena_done(&work->arena);
	return good;
}

bool cache_build(struct span message, struct buf *ret_value, uint64_t *ret_crlf_size)
{
	struct work work;
	begin(&work, message);
	build(&work);
	bool good = finish(&work, ret_value);
	if (good && ret_crlf_size != NULL)
		*ret_crlf_size = work.crlf_size;
	return good;
}

bool cache_build_file(int fd, uint64_t size, struct buf *ret_value)
{
	struct work work;
	if (size == 0 || size > SIZE_MAX)
		return cache_build(SPAN_EMPTY, ret_value, NULL);
	char *bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	(void)madvise(bytes, (size_t)size, MADV_SEQUENTIAL);
	begin(&work, span_new(bytes, (size_t)size));
	if (!guard_run(bytes, (size_t)size, build, &work))
		work.good = false;
	(void)munmap(bytes, (size_t)size);
	return finish(&work, ret_value);
}

bool cache_get(struct span value, enum message_cache kind, struct span *ret_piece)
{
	struct head head;
	if (value.len < sizeof(head) || kind >= CACHE_KINDS)
		return false;
	memcpy(&head, value.ptr, sizeof(head));
	uint32_t start = kind == 0 ? 0 : head.ends[kind - 1];
	struct span pieces = span_skip(value, sizeof(head));
	if (head.version != VERSION || head.ends[kind] < start || head.ends[kind] > pieces.len)
		return false;
	*ret_piece = span_part(pieces, start, head.ends[kind] - start);
	return true;
}
