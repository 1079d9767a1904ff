/* See master_line.h. The layout is Postfix's: scripts compare it.
 * SPDX-License-Identifier: ISC */
#include "commands/postconf/master_line.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "conf/lines.h"

#define LINE_WIDTH 80u
#define INDENT 4u
#define TEXT_MAX (4u << 20)

static const size_t column_starts[MASTER_COLUMN_COUNT] = {0, 11, 17, 25, 33, 41, 49, 57};

/* --- taking the arguments apart --- */

static struct master_word *add_word(struct master_line *line, struct span text)
{
	line->words = memory_resize(line->words, line->count + 1, sizeof *line->words);
	line->words[line->count] = (struct master_word){.text = span_dup_cstr(text)};
	return &line->words[line->count++];
}

/* " name = value" as "name=value". */
static char *plain_assignment(const char *text)
{
	struct span name, value;
	const char *problem;
	struct buf out = BUF_INIT(TEXT_MAX);

	if (!lines_split_name_value(span_from_cstr(text), &name, &value, &problem))
		return memory_dup_cstr(text);
	buf_append(&out, name);
	buf_append_char(&out, '=');
	buf_append(&out, value);
	return buf_steal(&out);
}

static void add_option(struct master_line *line, char letter, const char *value)
{
	char text[3] = {'-', letter, '\0'};
	struct master_word *word = add_word(line, span_from_cstr(text));

	word->is_option = true;
	if (value != NULL)
		word->value = letter == 'o' ? plain_assignment(value) : memory_dup_cstr(value);
}

static void add_options(struct master_line *line, const struct master_service *service, size_t *i)
{
	for (const char *letter = service->args[*i] + 1; *letter != '\0'; letter++) {
		if (strchr("oimnst", *letter) == NULL) {
			add_option(line, *letter, NULL);
			continue;
		}
		add_option(line, *letter,
			letter[1] != '\0'	      ? letter + 1
			: *i + 1 < service->arg_count ? service->args[++*i]
						      : "");
		return;
	}
}

void master_line_init(struct master_line *line, const struct master_service *service)
{
	*line = (struct master_line){.service = service};
	for (size_t i = 0; i < service->arg_count; i++) {
		if (i < service->operands && strcmp(service->args[i], "--") != 0)
			add_options(line, service, &i);
		else
			add_word(line, span_from_cstr(service->args[i]));
	}
}

void master_line_done(struct master_line *line)
{
	for (size_t i = 0; i < line->count; i++) {
		free(line->words[i].text);
		free(line->words[i].value);
	}
	free(line->words);
}

/* --- overrides --- */

static bool is_override(const struct master_word *word, const char *name)
{
	size_t len = strlen(name);

	return word->value != NULL && strcmp(word->text, "-o") == 0 &&
	       strncmp(word->value, name, len) == 0 && word->value[len] == '=';
}

const char *master_line_get(const struct master_line *line, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < line->count; i++) {
		if (is_override(&line->words[i], name))
			value = strchr(line->words[i].value, '=') + 1;
	}
	return value;
}

static void remove_word(struct master_line *line, size_t index)
{
	free(line->words[index].text);
	free(line->words[index].value);
	line->count--;
	memmove(&line->words[index], &line->words[index + 1],
		(line->count - index) * sizeof *line->words);
}

static void insert_option(struct master_line *line, const char *assignment)
{
	size_t at = 0;

	while (at < line->count && line->words[at].is_option)
		at++;
	add_option(line, 'o', assignment);
	struct master_word word = line->words[line->count - 1];
	memmove(&line->words[at + 1], &line->words[at],
		(line->count - 1 - at) * sizeof *line->words);
	line->words[at] = word;
}

void master_line_set(struct master_line *line, const char *name, const char *value)
{
	struct buf assignment = BUF_INIT(TEXT_MAX);
	bool done = false;

	buf_append_format(&assignment, "%s=%s", name, value != NULL ? value : "");
	for (size_t i = 0; i < line->count;) {
		if (!is_override(&line->words[i], name)) {
			i++;
		} else if (value == NULL || done) {
			remove_word(line, i);
		} else {
			free(line->words[i].value);
			line->words[i++].value = memory_dup_cstr(buf_cstr(&assignment));
			done = true;
		}
	}
	if (value != NULL && !done)
		insert_option(line, buf_cstr(&assignment));
	buf_done(&assignment);
}

void master_line_expand(struct master_line *line, struct conf *conf)
{
	for (size_t i = 0; i < line->count; i++) {
		struct master_word *word = &line->words[i];
		if (word->value == NULL || strcmp(word->text, "-o") != 0)
			continue;
		char *expanded = conf_expand(conf, word->value);
		free(word->value);
		word->value = expanded;
	}
}

/* --- text --- */

static void append_braced(const char *text, struct buf *out)
{
	bool blank = text[0] == '\0';

	for (const char *c = text; *c != '\0'; c++)
		blank = blank || ascii_is_space(*c);
	buf_append_format(out, blank ? "{%s}" : "%s", text);
}

static void append_word(const struct master_word *word, struct buf *out)
{
	if (word->is_option)
		buf_append_cstr(out, word->text);
	else
		append_braced(word->text, out);
	if (word->value != NULL) {
		buf_append_char(out, ' ');
		append_braced(word->value, out);
	}
}

void master_line_format_command(const struct master_line *line, struct buf *out)
{
	buf_append_cstr(out, line->service->program);
	for (size_t i = 0; i < line->count; i++) {
		buf_append_char(out, ' ');
		append_word(&line->words[i], out);
	}
}

void master_line_format(const struct master_line *line, bool fold, struct buf *out)
{
	size_t start = out->len, column;
	bool must_break = false;

	for (size_t i = 0; i < MASTER_COLUMN_COUNT; i++) {
		if (i > 0)
			buf_append_char(out, ' ');
		while (out->len - start < column_starts[i])
			buf_append_char(out, ' ');
		buf_append_cstr(out, line->service->columns[i]);
	}
	column = out->len - start;
	for (size_t i = 0; i < line->count; i++) {
		const struct master_word *word = &line->words[i];
		struct buf text = BUF_INIT(TEXT_MAX);
		append_word(word, &text);
		/* An option with a value stands on a line of its own. */
		must_break = must_break || word->value != NULL;
		if (fold && (must_break || column + 1 + text.len >= LINE_WIDTH)) {
			buf_append_cstr(out, "\n    ");
			column = INDENT;
		} else {
			buf_append_char(out, ' ');
			column++;
		}
		buf_append(out, buf_span(&text));
		column += text.len;
		must_break = word->value != NULL;
		buf_done(&text);
	}
}
