/* main.cf as one service sees it: file, then -o overrides of its master.cf line, $name expansion,
 * and the typed table of parameters (conf/parameter.h) for defaults and types. Trusted input, but
 * every mistake gets a message that names file and line.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CONF_CONF_H
#define TAMBO_CONF_CONF_H

#include "base/span.h"

struct conf;

struct conf_override {
	const char *name, *value; /* from -o name=value */
};

/* Reads DIR/main.cf. service: value of $service_name. NULL and *ret_error (free it) when the file
 * cannot be read or parsed. */
struct conf *conf_load(const char *dir, const char *service, const struct conf_override *overrides,
	size_t override_count, char **ret_error);
/* The same from text in memory, for tests and checks; dir names the place in messages. */
struct conf *conf_parse(const char *dir, const char *service, struct span text, char **ret_error);
void conf_free(struct conf *conf);
/* Where main.cf is when nobody says: $MAIL_CONFIG, else /etc/postfix if it has a main.cf (a host
 * that switches keeps it), else /etc/tambo. conf_load with a NULL dir takes it. */
const char *conf_default_dir(void);
const char *conf_service(const struct conf *conf);
const char *conf_dir(const struct conf *conf);

/* The expanded value ("" when unset and without default). Owned by conf, valid until conf_free.
 * A name that no table knows is a user parameter: its value, or NULL when not set at all. */
const char *conf_get(struct conf *conf, const char *name);
/* The value as written or by default, not expanded; NULL when neither. */
const char *conf_get_raw(struct conf *conf, const char *name);
/* The default alone, as its table writes it (computed ones computed); NULL for an unknown name. */
const char *conf_default(struct conf *conf, struct span name);
bool conf_is_set(struct conf *conf, const char *name);
/* $name expansion of any text in this service's context; heap string, never NULL. */
char *conf_expand(struct conf *conf, const char *text);

/* Typed reads; an unusable value is logged (file, name, value, what was expected) and the default
 * is used; conf_error_count counts them, so that a daemon refuses to start. */
bool conf_get_bool(struct conf *conf, const char *name);
int64_t conf_get_int(struct conf *conf, const char *name);
int64_t conf_get_time(struct conf *conf, const char *name); /* milliseconds */
size_t conf_error_count(const struct conf *conf);

struct master_cf;
/* Looks at everything that main.cf and the -o of master.cf (may be NULL) set: unused names and
 * settings without effect here are warnings, unusable values of main.cf are errors (and logged).
 * Returns how many errors there are. */
size_t conf_check(struct conf *conf, const struct master_cf *master_cf,
	void (*tell)(void *arg, bool is_error, const char *text), void *arg);

/* A room's settings.c: which parameters it reads, and where in its struct they go. */
enum setting_kind {
	SETTING_STRING, /* const char *, owned by conf */
	SETTING_BOOL,	/* bool */
	SETTING_INT,	/* int64_t */
	SETTING_TIME,	/* int64_t milliseconds */
};

struct setting {
	const char *name; /* of the parameter; "%s" stands for a transport's name, see prefix */
	enum setting_kind kind;
	size_t offset;
};

#define SETTING(name_, kind_, struct_, member_)                                                    \
	{                                                                                          \
		.name = (name_), .kind = (kind_), .offset = offsetof(struct struct_, member_)      \
	}

/* 0, or -EINVAL when a value is unusable (logged). prefix: replaces a leading "%s" of names, so
 * that one table serves smtpd_tls_..., imapd_tls_... and <transport>_...; may be NULL. */
int settings_read(struct conf *conf, const struct setting *settings, size_t count,
	const char *prefix, void *ret_settings);

#endif
