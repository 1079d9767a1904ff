/* The inside of the policy, for the policy_*.c files.
 * SPDX-License-Identifier: ISC */
#ifndef SMTPD_POLICY_PRIVATE_H
#define SMTPD_POLICY_PRIVATE_H

#include "smtpd/policy.h"

enum policy_stage { STAGE_CLIENT, STAGE_HELO, STAGE_SENDER, STAGE_RELAY, STAGE_RECIPIENT,
	STAGE_DATA, STAGE_END_OF_DATA, STAGE_REWRITE, STAGE_COUNT };

/* A deferral that waits for the rest of the evaluation. */
struct deferral {
	bool active;
	char dsn[12];
	struct buf text;
	int code;
};

struct policy_step;

/* One evaluation. */
struct policy_call {
	struct session *session;
	const struct recipient *recipient; /* NULL before RCPT */
	enum policy_stage stage;           /* whose list is being evaluated */
	const struct policy_step *step;
	struct policy_verdict *verdict;
	struct deferral if_permit, if_reject;
	bool warn;         /* warn_if_reject stands before the present step */
	bool unlisted_done; /* reject_unlisted_recipient has been asked */
	unsigned depth;    /* of lists in lists */
};

enum policy_argument {
	ARGUMENT_NONE,
	ARGUMENT_MAP,    /* type:table */
	ARGUMENT_NUMBER,
};

struct policy_rule {
	const char *name;
	enum policy_argument argument;
	enum policy_result (*run)(struct policy_call *call);
	bool guards_relay; /* keeps strangers from relaying: one must be there */
};

struct policy_list;

struct policy_step {
	const struct policy_rule *rule; /* NULL: nested, or unknown */
	const struct policy_list *nested; /* a restriction class */
	struct map *map;                /* ARGUMENT_MAP */
	int64_t number;                 /* ARGUMENT_NUMBER */
	char *name;                     /* as written */
	bool warn;                      /* warn_if_reject */
};

struct policy_list {
	struct policy_step *steps;
	size_t count;
	char *name; /* of the parameter */
};

struct policy {
	struct policy_list lists[STAGE_COUNT];
	struct policy_list *classes;
	size_t class_count;
	bool access_parent_bare; /* parent_domain_matches_subdomains has smtpd_access_maps */
};

#define POLICY_DEPTH_MAX 20

/* policy_table.c: NULL when there is no such restriction. Old names are known too. */
const struct policy_rule *policy_rule_find(struct span name);
/* The check that a bare "type:table" means in a list of that stage; NULL where it means none. */
const struct policy_rule *policy_rule_for_table(enum policy_stage stage);

/* policy_parse.c. conf NULL: no tables may be opened (a list that an access table gave). */
int policy_list_parse(const struct policy *policy, struct conf *conf, enum policy_stage stage,
	struct span text, struct policy_list *ret_list);
void policy_list_done(struct policy_list *list);

/* policy.c */
enum policy_result policy_evaluate(struct policy_call *call, const struct policy_list *list);
/* Refuses: "code dsn text", logged. With warn_if_reject it is only logged, and the answer is
 * DUNNO. */
enum policy_result policy_reject(struct policy_call *call, int64_t code, const char *dsn,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A table could not be asked, or a name server gives no answer now. */
enum policy_result policy_lookup_failure(struct policy_call *call, const char *name);
/* The restriction cannot be used as it stands: 451 4.3.5. */
enum policy_result policy_configuration_error(struct policy_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Remembers a deferral in case the evaluation ends in a permit. */
enum policy_result policy_defer_if_permit(struct policy_call *call, int64_t code, const char *dsn,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
enum policy_result policy_defer_if_reject(struct policy_call *call, int64_t code, const char *dsn,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* "action: ..." of an access table, logged. */
void policy_log(const struct policy_call *call, const char *action, const char *text);
/* What the present list is about: "<user@x>: Recipient address". class gets "Recipient address". */
struct policy_subject {
	struct span name;
	const char *class;
};
struct policy_subject policy_subject(const struct policy_call *call);
struct policy_subject policy_subject_of(const struct policy_call *call, enum policy_stage stage);
struct span policy_sender(const struct policy_call *call);

/* Asks for a name; TEMPORARY when there is no answer. */
enum lookup_status policy_ask(struct policy_call *call, enum lookup_kind kind, struct span name);

/* policy_access.c */
enum policy_result policy_access_result(struct policy_call *call, struct span value,
	struct policy_subject subject, const char *table);

#endif
