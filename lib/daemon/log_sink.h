/* Where log lines go: a file (maillog_file) in the layout "Mon DD HH:MM:SS host tag[pid]: text",
 * the syslog socket with facility mail, or standard error. The descriptor is opened by master, so
 * that a process behind its walls can write.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_DAEMON_LOG_SINK_H
#define TAMBO_DAEMON_LOG_SINK_H

#include "base/log.h"

enum log_sink_kind { LOG_SINK_STDERR, LOG_SINK_FILE, LOG_SINK_SYSLOG };

/* tag: "postfix/smtpd". fd stays open for the process's life, or until replaced. */
void log_sink_open(const char *tag, enum log_sink_kind kind, int fd_take);
void log_sink_replace(enum log_sink_kind kind, int fd_take);
/* The descriptor has another number now (dup2); nothing is closed. */
void log_sink_moved(int fd);
/* lost() is called once after a line could not be written, until log_sink_replace. */
void log_sink_on_loss(void (*lost)(void));
/* From now on lines of this thread wait until log_sink_flush, but for errors: for a process that
 * flushes before it sleeps. Lines to syslog never wait: they are datagrams. */
void log_sink_gather(bool gather);
void log_sink_flush(void);
/* Also write each line to standard error: commands on a terminal. */
void log_sink_copy_to_stderr(bool copy);

/* Opens path for appending (created with mode 0600; "/dev/stdout" and "/dev/stderr" are the
 * process's own). fd or -errno. */
int log_sink_open_file(const char *path);
/* A datagram socket connected to /dev/log: fd or -errno. */
int log_sink_open_syslog(void);

#endif
