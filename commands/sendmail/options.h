/* The command line of sendmail(1): every option that Postfix and Sendmail callers pass.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_SENDMAIL_OPTIONS_H
#define TAMBO_COMMANDS_SENDMAIL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum mode {
	MODE_SUBMIT,     /* -bm */
	MODE_SMTP,       /* -bs */
	MODE_LIST,       /* -bp, mailq */
	MODE_ALIASES,    /* -bi, -I, newaliases */
	MODE_START,      /* -bd, -bl */
	MODE_VERIFY,     /* -bv */
	MODE_FLUSH,      /* -q */
	MODE_FLUSH_ID,   /* -qIid */
	MODE_FLUSH_SITE, /* -qRsite */
};

struct options {
	enum mode mode;
	const char *argument;    /* of the flush modes */
	const char *config_dir;  /* -C; NULL */
	const char *sender;      /* -f, -r; NULL: the user */
	const char *full_name;   /* -F; NULL */
	const char *envid;       /* -V */
	bool extract;            /* -t */
	bool dot_is_data;        /* -i, -oi */
	bool eight_bit;          /* -B8BITMIME */
	bool smtputf8;           /* -O smtputf8=yes */
	bool verbose;
	uint32_t notify;         /* enum dsn_notify; 0: default */
	uint8_t dsn_return;      /* enum dsn_return */
	char **recipients;
	int recipient_count;
};

/* Exits with EX_USAGE, having told why, when an option cannot be used. */
void options_parse(int argc, char **argv, struct options *ret_options);

#endif
