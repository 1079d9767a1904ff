/* See drop.h.
 * SPDX-License-Identifier: ISC */
#include "commands/sendmail/drop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "commands/sendmail/message.h"

#define FLUSH_AT (128u * 1024)

static _Noreturn void become_postdrop(
	const char *path, const char *config_dir, int in[2], int out[2])
{
	char minus_c[] = "-c", minus_r[] = "-r", name[] = "postdrop";
	char *dir = memory_dup_cstr(config_dir == NULL ? "" : config_dir);
	char *with_dir[] = {name, minus_r, minus_c, dir, NULL}, *without[] = {name, minus_r, NULL};
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
	execv(path, config_dir == NULL ? without : with_dir);
	log_warning(NULL, "cannot run %s: %s", path, strerror(errno));
	_exit(EX_UNAVAILABLE);
}

void drop_start(struct drop *drop, struct conf *conf, const struct options *options)
{
	int in[2], out[2];
	char *path = command_path(conf, "postdrop");
	signal(SIGPIPE, SIG_IGN);
	*drop = (struct drop){.pid = -1};
	if (pipe(in) < 0 || pipe(out) < 0)
		fail(EX_OSERR, "pipe: %s", strerror(errno));
	drop->pid = fork();
	if (drop->pid < 0)
		fail(EX_OSERR, "fork: %s", strerror(errno));
	if (drop->pid == 0)
		become_postdrop(path, options->config_dir, in, out);
	close(in[0]);
	close(out[1]);
	drop->to = in[1];
	drop->from = out[0];
	buf_init(&drop->out, 4 * FLUSH_AT);
	maildrop_begin(&drop->encoder, &drop->out);
	free(path);
}

static void flush(struct drop *drop)
{
	struct span bytes = buf_span(&drop->out);
	while (bytes.len > 0 && !drop->broken) {
		ssize_t n = write(drop->to, bytes.ptr, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			drop->broken = true;
		else
			bytes = span_skip(bytes, (size_t)n);
	}
	buf_reset(&drop->out);
}

void drop_envelope(struct drop *drop, const struct drop_envelope *envelope)
{
	uint8_t flags = (uint8_t)((envelope->eight_bit ? MAILDROP_8BITMIME : 0) |
				  (envelope->smtputf8 ? MAILDROP_SMTPUTF8 : 0));
	struct span name = envelope->full_name;
	maildrop_append(&drop->encoder, MAILDROP_SENDER, envelope->sender, &drop->out);
	if (name.len > 0 && name.len <= 1000 && span_is_printable(name))
		maildrop_append(&drop->encoder, MAILDROP_FULL_NAME, name, &drop->out);
	if (envelope->envid.len > 0)
		maildrop_append(&drop->encoder, MAILDROP_ENVID, envelope->envid, &drop->out);
	if (envelope->dsn_return != 0)
		maildrop_append(&drop->encoder, MAILDROP_RETURN, span_new(&envelope->dsn_return, 1),
			&drop->out);
	if (flags != 0)
		maildrop_append(&drop->encoder, MAILDROP_FLAGS, span_new(&flags, 1), &drop->out);
}

void drop_recipient(struct drop *drop, struct span address, struct span orcpt, uint32_t notify)
{
	maildrop_append_recipient(&drop->encoder, address, orcpt, (uint8_t)notify, &drop->out);
	if (drop->out.len >= FLUSH_AT)
		flush(drop);
}

void drop_content(struct drop *drop, struct span bytes)
{
	while (bytes.len > 0) {
		struct span piece = span_head(bytes, MAILDROP_CONTENT_MAX);
		maildrop_append(&drop->encoder, MAILDROP_CONTENT, piece, &drop->out);
		if (drop->out.len >= FLUSH_AT)
			flush(drop);
		bytes = span_skip(bytes, piece.len);
	}
}

static void read_name(struct drop *drop)
{
	size_t len = 0;
	ssize_t n;
	while (len < sizeof drop->name - 1 &&
		(n = read(drop->from, drop->name + len, sizeof drop->name - 1 - len)) > 0)
		len += (size_t)n;
	drop->name[len] = '\0';
	drop->name[strcspn(drop->name, "\n")] = '\0';
}

int drop_finish(struct drop *drop, bool complete)
{
	int status;
	if (complete) {
		maildrop_end(&drop->encoder, &drop->out);
		flush(drop);
	}
	close(drop->to);
	read_name(drop);
	close(drop->from);
	buf_done(&drop->out);
	while (waitpid(drop->pid, &status, 0) < 0)
		if (errno != EINTR)
			return EX_OSERR;
	if (!WIFEXITED(status)) {
		log_warning(NULL, "postdrop was ended by signal %d", WTERMSIG(status));
		return EX_TEMPFAIL;
	}
	if (WEXITSTATUS(status) == 0 && drop->broken)
		return EX_TEMPFAIL;
	return WEXITSTATUS(status);
}
