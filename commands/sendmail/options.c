/* See options.h. What has no meaning here is taken and ignored, as callers expect.
 * SPDX-License-Identifier: ISC */
#include "commands/sendmail/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/memory.h"
#include "base/span.h"
#include "commands/sendmail/message.h"
#include "service/cleanup.h"

/* Options that take a value, glued or as the next argument. */
static const char with_value[] = "ABCFLNOQRVXbefhMopr";
static const char without_value[] = "GIUcimnstvx";

static void set_mode(struct options *options, const char *value)
{
	static const struct {
		char letter;
		enum mode mode;
	} modes[] = {{'m', MODE_SUBMIT}, {'s', MODE_SMTP}, {'p', MODE_LIST}, {'i', MODE_ALIASES},
		{'d', MODE_START}, {'l', MODE_START}, {'v', MODE_VERIFY}, {'h', MODE_SUBMIT},
		{'H', MODE_SUBMIT}};
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (modes[i].letter == value[0] && value[1] == '\0') {
			if (value[0] == 'h' || value[0] == 'H')
				exit(EX_OK); /* host status: there is none to show or purge */
			options->mode = modes[i].mode;
			return;
		}
	fail(EX_USAGE, "unsupported: -b%s", value);
}

static void set_notify(struct options *options, const char *value)
{
	static const struct {
		struct span word;
		uint32_t bit;
	} words[] = {{SPAN("never"), DSN_NEVER}, {SPAN("success"), DSN_SUCCESS},
		{SPAN("failure"), DSN_FAILURE}, {SPAN("delay"), DSN_DELAY}};
	struct span rest = span_from_cstr(value), word;
	uint32_t notify = 0;
	while (span_token(&rest, ", ", &word)) {
		uint32_t bit = 0;
		for (size_t i = 0; i < 4; i++)
			if (span_equal_nocase(word, words[i].word))
				bit = words[i].bit;
		if (bit == 0)
			fail(EX_USAGE,
				"bad -N option value -- specify never, or a list of success, failure, delay");
		notify |= bit;
	}
	if (notify == 0 || ((notify & DSN_NEVER) != 0 && notify != DSN_NEVER))
		fail(EX_USAGE,
			"bad -N option value -- specify never, or a list of success, failure, delay");
	options->notify = notify;
}

static void set_return(struct options *options, const char *value)
{
	struct span text = span_from_cstr(value);
	if (span_equal_nocase(text, SPAN("full")))
		options->dsn_return = DSN_RETURN_FULL;
	else if (span_equal_nocase(text, SPAN("hdrs")))
		options->dsn_return = DSN_RETURN_HEADERS;
	else
		fail(EX_USAGE, "bad -R option value -- specify hdrs or full");
}

/* -C names a folder, or (as with Sendmail) a file, which then means nothing here unless it is
 * main.cf. */
static void set_config(struct options *options, const char *value)
{
	struct stat status;
	if (stat(value, &status) < 0)
		fail(EX_CONFIG, "no such configuration: %s", value);
	if (S_ISDIR(status.st_mode)) {
		options->config_dir = value;
		return;
	}
	struct span path = span_from_cstr(value);
	if (span_ends_with(path, SPAN("/main.cf")))
		options->config_dir = span_dup_cstr(span_head(path, path.len - 8));
}

static void set_body(struct options *options, const char *value)
{
	struct span text = span_from_cstr(value);
	if (span_equal_nocase(text, SPAN("8BITMIME")))
		options->eight_bit = true;
	else if (!span_equal_nocase(text, SPAN("7BIT")))
		fail(EX_USAGE, "bad -B option value -- specify 7BIT or 8BITMIME");
}

static void take_value(struct options *options, char letter, const char *value)
{
	switch (letter) {
	case 'B':
		set_body(options, value);
		break;
	case 'C':
		set_config(options, value);
		break;
	case 'F':
		options->full_name = value;
		break;
	case 'N':
		set_notify(options, value);
		break;
	case 'O':
		if (span_equal_nocase(span_from_cstr(value), SPAN("smtputf8=yes")))
			options->smtputf8 = true;
		break;
	case 'R':
		set_return(options, value);
		break;
	case 'V':
		if (value[0] == '\0' || strlen(value) > 100 ||
			!span_is_printable(span_from_cstr(value)))
			fail(EX_USAGE, "bad -V option value");
		options->envid = value;
		break;
	case 'b':
		set_mode(options, value);
		break;
	case 'f':
	case 'r':
		options->sender = value;
		break;
	case 'o':
		if (value[0] == 'i' && value[1] == '\0')
			options->dot_is_data = true;
		break;
	default:
		break; /* A L M Q X e h p: nothing here depends on them */
	}
}

static void take_letter(struct options *options, char letter)
{
	if (letter == 't')
		options->extract = true;
	else if (letter == 'i')
		options->dot_is_data = true;
	else if (letter == 'I')
		options->mode = MODE_ALIASES;
	else if (letter == 'v')
		options->verbose = true;
}

/* -q alone flushes; -q<interval> is for daemons and ignored beside -bd. */
static void take_queue(struct options *options, const char *value)
{
	if (value[0] == '\0') {
		options->mode = MODE_FLUSH;
	} else if (value[0] == 'I' && value[1] != '\0') {
		options->mode = MODE_FLUSH_ID;
		options->argument = value + 1;
	} else if (value[0] == 'R' && value[1] != '\0') {
		options->mode = MODE_FLUSH_SITE;
		options->argument = value + 1;
	} else if (strchr("SGLQ!IR", value[0]) != NULL) {
		fail(EX_USAGE, "-q%s is not implemented", value);
	}
}

void options_parse(int argc, char **argv, struct options *ret_options)
{
	struct options options = {.mode = MODE_SUBMIT};
	const char *base = strrchr(argv[0], '/') == NULL ? argv[0] : strrchr(argv[0], '/') + 1;
	if (strcmp(base, "mailq") == 0)
		options.mode = MODE_LIST;
	else if (strcmp(base, "newaliases") == 0)
		options.mode = MODE_ALIASES;
	/* Recipients may stand between options. */
	options.recipients = memory_zalloc((size_t)argc + 1, sizeof(char *));
	for (int i = 1; i < argc; i++) {
		const char *at = argv[i];
		if (at[0] != '-' || at[1] == '\0') {
			options.recipients[options.recipient_count++] = argv[i];
			continue;
		}
		if (strcmp(at, "--") == 0) {
			while (++i < argc)
				options.recipients[options.recipient_count++] = argv[i];
			break;
		}
		for (at++; *at != '\0'; at++) {
			if (*at == 'q' || *at == 'd') {
				if (*at == 'q')
					take_queue(&options, at + 1);
				break; /* -d<debugging> */
			}
			if (strchr(with_value, *at) != NULL) {
				char letter = *at;
				const char *value = at[1] != '\0'  ? at + 1
						    : i + 1 < argc ? argv[++i]
								   : NULL;
				if (value == NULL)
					fail(EX_USAGE, "option -%c requires an argument", letter);
				take_value(&options, letter, value);
				break;
			}
			if (strchr(without_value, *at) == NULL)
				fail(EX_USAGE, "unknown option: -%c", *at);
			take_letter(&options, *at);
		}
	}
	*ret_options = options;
}
