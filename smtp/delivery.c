/* See delivery.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/delivery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "smtp/cache.h"
#include "smtp/greet.h"
#include "smtp/settings.h"
#include "smtp/transaction.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define ARENA_MAX (16 << 20)
#define HOPS_MAX 20
#define REPLY_TEXTS_MAX (256 * 1024) /* bytes of all texts in one reply, twice over */

int delivery_init(struct delivery *delivery, const struct delivery_request *request, int requester)
{
	size_t count = request->recipient_count;
	*delivery = (struct delivery){
		.request = request, .requester = requester, .open_count = count};
	arena_init(&delivery->arena, ARENA_MAX);
	problem_init(&delivery->problem);
	delivery->id = arena_dup_cstr(&delivery->arena, request->queue_id);
	delivery->outcomes = ARENA_ARRAY(&delivery->arena, struct delivery_outcome, count);
	delivery->settled = ARENA_ARRAY(&delivery->arena, bool, count);
	delivery->times = (struct delivery_times){.arrival_ms = request->arrival_ms,
		.active_ms = request->active_ms, .start_ms = clock_wall_ms()};
	return delivery->arena.overflow ? -ENOMEM : 0;
}

void delivery_done(struct delivery *delivery)
{
	arena_done(&delivery->arena);
	problem_done(&delivery->problem);
}

/* A copy for the reply: with many recipients each text is shorter, so that all fit one message. */
static struct span keep_text(struct delivery *delivery, struct span text)
{
	size_t most = REPLY_TEXTS_MAX / delivery->request->recipient_count;
	return arena_dup(&delivery->arena, span_head(text, most < 4096 ? most : 4096));
}

static void settle(struct delivery *delivery, size_t recipient, enum delivery_status status,
	const struct connection *connection)
{
	struct delivery_outcome *outcome = &delivery->outcomes[recipient];
	const struct delivery_recipient *to = &delivery->request->recipients[recipient];
	outcome->index = to->index;
	outcome->status = status;
	delivery->settled[recipient] = true;
	delivery->open_count--;
	delivery->times.done_ms = clock_wall_ms();
	delivery_log(delivery->request, to, connection == NULL ? "none" : connection->label_port,
		connection == NULL ? 0 : connection->uses, &delivery->times, outcome);
}

void delivery_sent(struct delivery *delivery, size_t recipient, const struct connection *connection)
{
	struct delivery_outcome *outcome = &delivery->outcomes[recipient];
	struct buf dsn = BUF_INIT(MAIL_STATUS_LENGTH_MAX);
	if (delivery->settled[recipient])
		return;
	mail_status_format(connection->reply.status, &dsn);
	outcome->dsn = arena_dup(&delivery->arena, buf_span(&dsn));
	outcome->text = keep_text(delivery, buf_span(&connection->reply.text));
	outcome->remote_mta =
		arena_dup(&delivery->arena, span_head(span_from_cstr(connection->host), 100));
	outcome->diagnostic = outcome->text;
	outcome->action_relayed = (connection->extensions & SMTP_EXTENSION_DSN) == 0;
	buf_done(&dsn);
	settle(delivery, recipient, DELIVERY_SENT, connection);
}

void delivery_failed(struct delivery *delivery, size_t recipient,
	const struct connection *connection)
{
	struct delivery_outcome *outcome = &delivery->outcomes[recipient];
	const struct problem *problem = &delivery->problem;
	bool final = problem_is_final(problem);
	if (delivery->settled[recipient] || (!final && !delivery->last_server))
		return;
	outcome->dsn = arena_dup(&delivery->arena, span_from_cstr(problem->dsn));
	outcome->text = keep_text(delivery, buf_span(&problem->text));
	outcome->remote_mta = arena_dup(&delivery->arena,
		span_head(buf_span(&problem->remote_mta), 100));
	outcome->diagnostic = keep_text(delivery, buf_span(&problem->diagnostic));
	settle(delivery, recipient, final ? DELIVERY_BOUNCED : DELIVERY_DEFERRED, connection);
}

void delivery_failed_all(struct delivery *delivery, const struct connection *connection, bool site)
{
	bool final = problem_is_final(&delivery->problem);
	if (delivery->open_count == 0)
		return;
	if (!final && !delivery->last_server) {
		/* Why this server is left for the next one. */
		if (connection != NULL)
			log_info(
				delivery->id, "%.*s", SPAN_ARGS(buf_span(&delivery->problem.text)));
		return;
	}
	delivery->site_failed = site && !final;
	for (size_t i = 0; i < delivery->request->recipient_count; i++)
		delivery_failed(delivery, i, connection);
}

bool delivery_is_abandoned(struct delivery *delivery)
{
	if (!fd_has_hung_up(delivery->requester))
		return false;
	for (size_t i = 0; i < delivery->request->recipient_count; i++)
		delivery->settled[i] = true;
	delivery->open_count = 0;
	return true;
}

/* --- the servers of the next hop, one after the other --- */

struct attempt {
	struct delivery *delivery;
	struct next_hop hop;
	bool last_hop;
	const char *configured;   /* the parameter that names this hop; NULL: the domain does */
	struct tls_policy policy;
	struct buf key;           /* of the cache */
	char *tried;              /* label of the server a kept connection led to; NULL: none */
	int64_t sessions;         /* servers that were spoken to */
};

/* Connections differ by next hop and, where it decides who logs in, by sender. */
static void make_key(struct attempt *attempt)
{
	buf_init(&attempt->key, 4096);
	buf_append(&attempt->key, attempt->hop.text);
	if (settings.sasl_enable && settings.sasl_sender_dependent) {
		buf_append_char(&attempt->key, '\n');
		buf_append(&attempt->key, attempt->delivery->request->sender);
	}
}

static void use(struct attempt *attempt, struct connection *connection)
{
	struct delivery *delivery = attempt->delivery;
	delivery->times.connected_ms = clock_wall_ms();
	transaction_run(delivery, connection);
	cache_give(buf_span(&attempt->key), connection);
}

static bool is_alive(struct connection *connection)
{
	struct problem ignored;
	problem_init(&ignored);
	bool alive = connection_ask(connection, settings.rset_timeout, "sending RSET", &ignored,
			     SPAN("RSET")) &&
		smtp_reply_class(&connection->reply) == 2;
	connection->broken = connection->broken || !alive;
	problem_done(&ignored);
	return alive;
}

static bool was_tried(const struct attempt *attempt, const struct target *target)
{
	if (attempt->tried == NULL)
		return false;
	struct buf label = BUF_INIT(4096);
	buf_append_format(&label, "%.*s[%.*s]", SPAN_ARGS(target->host), SPAN_ARGS(target->text));
	bool same = span_equal(span_from_cstr(attempt->tried), buf_span(&label));
	buf_done(&label);
	return same;
}

/* Is there a target from position on that was not tried? */
static bool has_other(
	const struct attempt *attempt, const struct target_list *targets, size_t position)
{
	for (size_t i = position; i < targets->count; i++)
		if (!was_tried(attempt, &targets->items[i]))
			return true;
	return false;
}

/* Whether what fails now is an outcome: nobody is left to ask, or nobody more may be asked. */
static bool is_last(const struct attempt *attempt, bool others)
{
	int64_t limit = settings.mx_session_limit;
	return attempt->last_hop && (!others || (limit > 0 && attempt->sessions + 1 >= limit));
}

/* A server that defers mail over a kept connection is not asked for the same mail again. */
static void try_kept(struct attempt *attempt, const struct target_list *targets)
{
	struct connection *connection;
	while ((connection = cache_take(buf_span(&attempt->key))) != NULL) {
		if (!is_alive(connection)) {
			connection_quit(connection);
			continue;
		}
		attempt->tried = span_dup_cstr(span_from_cstr(connection->label));
		attempt->delivery->last_server = is_last(attempt, has_other(attempt, targets, 0));
		attempt->sessions++;
		use(attempt, connection);
		return;
	}
}

/* A host that the administrator named and that cannot be used is a mistake here: mail does not go
 * back for that. */
static void forgive_configured(struct attempt *attempt)
{
	struct problem *problem = &attempt->delivery->problem;
	if (attempt->configured == NULL || !problem_is_final(problem))
		return;
	log_warning(attempt->delivery->id, "%s configuration problem", attempt->configured);
	problem_soften(problem);
}

/* Greets; a failed handshake that was not required leads to a second connection without TLS. */
static struct connection *begin_session(struct attempt *attempt, const struct target *target)
{
	struct delivery *delivery = attempt->delivery;
	struct tls_policy policy = attempt->policy;
	for (;;) {
		struct connection *connection = connection_open(target, &delivery->problem);
		if (connection == NULL)
			return NULL;
		enum greet_result result = greet(connection, &policy, &attempt->hop,
			delivery->request->sender, &delivery->problem);
		if (result == GREET_OK)
			return connection;
		if (result == GREET_WITHOUT_TLS && policy.level == TLS_LEVEL_MAY) {
			log_info(
				delivery->id, "%.*s", SPAN_ARGS(buf_span(&delivery->problem.text)));
			policy.level = TLS_LEVEL_NONE;
			connection_free(connection);
			continue;
		}
		attempt->sessions++;
		forgive_configured(attempt);
		delivery_failed_all(delivery, connection, true);
		connection_quit(connection);
		return NULL;
	}
}

static void try_targets(struct attempt *attempt, const struct target_list *targets)
{
	struct delivery *delivery = attempt->delivery;
	int64_t limit = settings.mx_session_limit;
	for (size_t i = 0; i < targets->count && delivery->open_count > 0; i++) {
		if (limit > 0 && attempt->sessions >= limit)
			break;
		if (was_tried(attempt, &targets->items[i]))
			continue;
		delivery->last_server = is_last(attempt, has_other(attempt, targets, i + 1));
		struct connection *connection = begin_session(attempt, &targets->items[i]);
		if (connection != NULL) {
			attempt->sessions++;
			use(attempt, connection);
		}
	}
}

/* A problem that another next hop does not solve. */
static bool ends_search(const struct problem *problem)
{
	return strcmp(problem->dsn, "5.4.6") == 0 || strcmp(problem->dsn, "5.1.10") == 0;
}

static bool is_among(struct span text, const char *list)
{
	struct span rest = span_from_cstr(list), word;
	while (span_token(&rest, ", \t\r\n", &word))
		if (span_equal_nocase(word, text))
			return true;
	return false;
}

static const char *parameter_of(const struct next_hop *hop)
{
	if (is_among(hop->text, settings.relayhost))
		return "relayhost";
	if (is_among(hop->text, settings.fallback_relay))
		return settings.lmtp ? "lmtp_fallback_relay" : "smtp_fallback_relay";
	return NULL;
}

static void try_hop(struct delivery *delivery, const struct next_hop *hop, bool last_hop)
{
	struct attempt attempt = {.delivery = delivery, .hop = *hop, .last_hop = last_hop,
		.configured = parameter_of(hop)};
	struct target_list targets;
	delivery->last_server = false;
	make_key(&attempt);
	if (!tls_policy_find(hop, &delivery->arena, &attempt.policy, &delivery->problem))
		goto out;
	bool found = target_find(hop, &delivery->arena, &targets, &delivery->problem);
	if (!found)
		forgive_configured(&attempt);
	try_kept(&attempt, &targets);
	if (found) {
		try_targets(&attempt, &targets);
	} else if (attempt.sessions == 0 && (last_hop || ends_search(&delivery->problem))) {
		delivery->last_server = true;
		delivery_failed_all(delivery, NULL, true);
	}
out:
	free(attempt.tried);
	buf_done(&attempt.key);
}

static size_t collect_hops(struct delivery *delivery, struct next_hop hops[HOPS_MAX])
{
	struct span lists[] = {delivery->request->nexthop, span_from_cstr(settings.fallback_relay)};
	size_t count = 0;
	for (size_t i = 0; i < 2; i++) {
		struct span rest = lists[i], word;
		while (count < HOPS_MAX && span_token(&rest, ", \t\r\n", &word)) {
			if (next_hop_parse(word, settings.lmtp, &hops[count]))
				count++;
			else
				problem_set(&delivery->problem, "4.3.5",
					"invalid next hop destination: %.*s", SPAN_ARGS(word));
		}
	}
	return count;
}

void delivery_run(struct delivery *delivery)
{
	struct next_hop hops[HOPS_MAX];
	problem_set(&delivery->problem, "4.3.5", "no next hop destination");
	size_t count = collect_hops(delivery, hops);
	for (size_t i = 0; i < count && delivery->open_count > 0; i++)
		try_hop(delivery, &hops[i], i + 1 == count);
	/* What was left for another server, and there was none. */
	delivery->last_server = true;
	delivery_failed_all(delivery, NULL, true);
}

void delivery_result(const struct delivery *delivery, struct delivery_reply *ret_reply)
{
	*ret_reply = (struct delivery_reply){.site_failed = delivery->site_failed,
		.outcomes = delivery->outcomes,
		.outcome_count = delivery->request->recipient_count};
	if (delivery->site_failed) {
		ret_reply->site_text = buf_span(&delivery->problem.text);
		ret_reply->site_dsn = span_from_cstr(delivery->problem.dsn);
	}
}
