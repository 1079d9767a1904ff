/* One client's conversation. The session owns its stream and its transaction; everything a command
 * needs is here. Strings are heap strings, NULL when not known.
 * SPDX-License-Identifier: ISC */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "net/socket.h"
#include "net/stream.h"
#include "service/lookup.h"
#include "smtp/command.h"
#include "smtpd/server.h"
#include "smtpd/transaction.h"

struct session {
	struct list_node node; /* in server->sessions */
	struct server *server;
	struct stream *stream;
	bool stand_alone;      /* sendmail -bs: a local user, no policy */

	/* The client, see peer.c */
	char *client_name;     /* verified name or "unknown" */
	char *client_reverse;  /* name of the PTR record or "unknown" */
	char *client_address;
	char *client_port;
	char *server_address;
	char *client;          /* "name[address]" */
	enum lookup_status name_status, reverse_status; /* FOUND, NOT_FOUND or TEMPORARY */

	char *helo;
	bool esmtp;
	const char *where;     /* the last command, for the log and the policy */
	const char *ended_by;  /* "lost connection", "timeout", "too many errors"; NULL: as it should */
	bool hangup;           /* after this reply */
	bool idle;             /* waiting for a command outside of a transaction */
	bool ill_pipelining;
	bool counted;          /* by anvil */
	char *access_denied;   /* reply of a policy that refuses this client altogether */
	unsigned ehlo_discard;
	enum smtp_newline newline;
	bool bare_lf;

	unsigned errors, junk;
	struct {
		unsigned ok, total;
	} counts[SMTP_VERB_COUNT];

	char *sasl_method, *sasl_username;
	unsigned auth_failures;
	char *tls_summary;     /* "using TLSv1.3 with cipher X (256/256 bits)"; NULL: plain */

	struct transaction *transaction; /* NULL: outside of one */
};

/* The whole conversation; owns fd. stand_alone: see above. */
void session_run(struct server *server, int fd_take, const struct address *peer,
	bool stand_alone);
/* A stopping process: an idle session says goodbye, others go on to the end
 * of their transaction. */
void session_wake(struct session *session);

/* One reply line (without line end). 421 and 521 hang up. Slow after too many errors. */
void session_reply(struct session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Sends what is buffered. 0 or -errno. */
int session_flush(struct session *session);
/* The next line without its end, cut at max bytes; *ret_cut (may be NULL) tells if it was. Sets
 * ended_by and answers -errno when there is none. */
int session_read_line(struct session *session, size_t max, struct span *ret_line, bool *ret_cut);
/* Notes why the conversation ends, from a stream's -errno. */
void session_lost(struct session *session, int error);

/* "QID" or "NOQUEUE". */
const char *session_queue_id(const struct session *session);
/* "action: WHERE from HOST: text; from=<> to=<> proto= helo=": one line per decision.
 * recipient: the one being judged, or empty. */
void session_log(const struct session *session, const char *action, const char *text,
	struct span recipient);
/* "SMTP", "ESMTP", "LMTP": as logged. */
const char *session_protocol(const struct session *session);
bool session_is_tls(const struct session *session);
/* Forgets HELO and what came after it (STARTTLS). */
void session_reset_helo(struct session *session);
bool session_sasl_active(const struct session *session);

/* --- peer.c: who the client is --- */
void peer_identify(struct session *session, const struct address *peer);
void peer_done(struct session *session);

/* --- counters.c: limits that all processes share --- */
enum limit_kind { LIMIT_MESSAGE, LIMIT_RECIPIENT_RATE, LIMIT_TLS, LIMIT_AUTH };
/* False: the connection is over a limit; the client got its 421. */
bool counters_connect(struct session *session);
void counters_disconnect(struct session *session);
/* False: over the limit; logged, the caller replies. */
bool counters_event(struct session *session, enum limit_kind kind);

#endif
