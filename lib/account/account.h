/* Who is this, and where is their mail: one resolver for delivery (`local`) and for login (`auth`),
 * so that an account reads where its mail is delivered.
 *
 * Sources: auth_user_maps in order (system accounts: the item "system" or "unix:passwd.byname";
 * others, such as passwdfile:PATH, give "{SCHEME}hash:uid:gid:gecos:home:shell:extra" for a name),
 * and the virtual mailboxes (virtual_mailbox_domains, virtual_mailbox_maps, virtual_mailbox_base,
 * virtual_uid_maps, virtual_gid_maps, virtual_minimum_uid).
 *
 * The mailbox of a system or auth_user_maps account: userdb_mail=maildir:PATH in extra, else
 * home_mailbox under the home directory, else mail_spool_directory/NAME; a path with a trailing '/'
 * is a Maildir, otherwise an mbox file. An auth_user_maps account that is not a system account has
 * "Maildir/" under its home when home_mailbox is not set.
 *
 * A process that does not run as root, in an instance started by an ordinary user, can only be that
 * user: uid and gid of every account are then replaced by its own.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_ACCOUNT_ACCOUNT_H
#define TAMBO_ACCOUNT_ACCOUNT_H

#include <sys/types.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "route/route.h"

struct accounts;

enum account_status {
	ACCOUNT_FOUND,
	ACCOUNT_NOT_FOUND,
	ACCOUNT_TEMPORARY, /* a table or the name service could not be asked: 4.3.0 */
	ACCOUNT_UNUSABLE,  /* there, but uid 0, a bad path, below virtual_minimum_uid: see problem */
};

enum account_kind {
	ACCOUNT_SYSTEM,  /* password: ask PAM */
	ACCOUNT_TABLE,   /* an entry of auth_user_maps */
	ACCOUNT_VIRTUAL, /* virtual_mailbox_maps; password from auth_user_maps where it has the
			    address */
};

struct account {
	enum account_kind kind;
	uid_t uid;
	gid_t gid;
	struct buf name;      /* canonical: "user", or "user@domain" for a virtual mailbox */
	struct buf home;      /* absolute, or empty */
	struct buf shell;     /* may be empty */
	struct buf mailbox;   /* absolute path, without trailing '/'; empty: no mailbox known */
	bool maildir;         /* otherwise mbox */
	bool has_password;    /* password came from a table; a system account has none here */
	struct buf password;  /* "{SCHEME}hash" as stored; wiped by account_done */
	struct buf extra;     /* last field: "userdb_mail=... nologin" */
	struct buf problem;   /* ACCOUNT_UNUSABLE, ACCOUNT_TEMPORARY: what is wrong */
};

void account_init(struct account *account);
void account_done(struct account *account);

/* Opens the tables: in prepare(), outside the sandbox. route: for the class of a domain; borrowed.
 * NULL and *ret_error (free it). */
struct accounts *accounts_open(struct conf *conf, struct route *route, char **ret_error);
void accounts_close(struct accounts *accounts);
/* Is this an instance of an ordinary user, in which everybody is that user? */
bool accounts_single_user(const struct accounts *accounts);

/* All three empty *ret_account first, may wait (task_offload) and take no more than LIMIT_ADDRESS
 * bytes of name. */

/* "user", "user@domain" of a local domain, or the address of a virtual mailbox. A system account
 * takes no part when auth_user_maps does not list it. ACCOUNT_UNUSABLE: a login
 * that cannot work. */
enum account_status account_by_login(struct accounts *accounts, struct span login,
	struct account *ret_account);
/* A local user's name (no extension, no domain) for delivery: auth_user_maps (plain name, then
 * name@myorigin), and system accounts whether listed there or not. */
enum account_status account_by_user(struct accounts *accounts, struct span user,
	struct account *ret_account);
/* The virtual mailbox of an address: keys of virtual_mailbox_maps in Postfix's order. */
enum account_status account_by_virtual_address(struct accounts *accounts, struct span address,
	struct account *ret_account);

/* The folder that holds this account's mailbox and those of its kind: what the worker of its uid
 * needs to reach. virtual_mailbox_base for a virtual mailbox; the mailbox itself of a system
 * account; the folder of the homes otherwise, since many such accounts may share a uid and its
 * worker. Lives as long as the account and accounts. */
struct span account_tree(const struct accounts *accounts, const struct account *account);

/* Value of "name=value" in an extra field; false when it is not there. Pure. */
bool account_extra(struct span extra, const char *name, struct span *ret_value);

struct account_entry {
	struct span password, uid, gid, gecos, home, shell, extra;
};
/* The value of a passwd-file entry, without its name: missing fields are empty. Pure. */
bool account_entry_parse(struct span value, struct account_entry *ret_entry);

#endif
