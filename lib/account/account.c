/* Who is this, and where is their mail; see account.h.
 * SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "account/account_private.h"
#include "base/ascii.h"
#include "base/memory.h"
#include "map/map.h"
#include "route/address_lookup.h"

#define NAME_MAX_BYTES 2048
#define VALUE_MAX 16384
#define SOURCES_MAX 50

struct source {
	bool is_system;
	struct map *map; /* NULL for the system accounts */
};

struct accounts {
	struct route *route;
	struct source sources[SOURCES_MAX];
	size_t source_count;
	bool lists_system;
	struct map *system;
	char *home_mailbox, *spool, *origin, *delimiters, *base;
	struct map_list *mailboxes, *uids, *gids;
	int64_t minimum_uid;
	bool single_user; /* everybody is us */
};

void account_init(struct account *account)
{
	*account = (struct account){.kind = ACCOUNT_SYSTEM};
	buf_init(&account->name, NAME_MAX_BYTES);
	buf_init(&account->home, NAME_MAX_BYTES);
	buf_init(&account->shell, NAME_MAX_BYTES);
	buf_init(&account->mailbox, NAME_MAX_BYTES);
	buf_init(&account->password, VALUE_MAX);
	buf_init(&account->extra, VALUE_MAX);
	buf_init(&account->problem, NAME_MAX_BYTES);
}

void account_done(struct account *account)
{
	buf_done(&account->name);
	buf_done(&account->home);
	buf_done(&account->shell);
	buf_done(&account->mailbox);
	buf_wipe(&account->password);
	buf_done(&account->extra);
	buf_done(&account->problem);
}

static void reset(struct account *account)
{
	account_done(account);
	account_init(account);
}

/* --- opening --- */

/* An instance that an ordinary user started: master, our parent, is not root. */
static bool is_single_user(void)
{
	char path[64], line[256];
	unsigned uid = 0;
	if (geteuid() == 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)getppid());
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Uid:\t%u", &uid) == 1)
			break;
	(void)fclose(file);
	return uid != 0;
}

static bool add_source(struct accounts *accounts, struct conf *conf, struct span word,
	char **ret_error)
{
	if (accounts->source_count == SOURCES_MAX)
		return true;
	struct source *source = &accounts->sources[accounts->source_count++];
	if (span_equal(word, SPAN("system")) || span_equal(word, SPAN("unix:passwd.byname"))
		|| span_equal(word, SPAN("proxy:unix:passwd.byname"))) {
		source->is_system = accounts->lists_system = true;
		return true;
	}
	char *spec = span_dup_cstr(word);
	source->map = map_open(conf, spec, MAP_FOLD_FIXED | MAP_NO_SUBSTITUTE, ret_error);
	free(spec);
	return source->map != NULL;
}

static bool open_sources(struct accounts *accounts, struct conf *conf, char **ret_error)
{
	struct span rest = span_from_cstr(conf_get(conf, "auth_user_maps")), word;
	while (span_token(&rest, ", \t\r\n", &word))
		if (!add_source(accounts, conf, word, ret_error))
			return false;
	accounts->system = map_open(conf, "unix:passwd.byname", 0, ret_error);
	return accounts->system != NULL;
}

static char *read_string(struct conf *conf, const char *name)
{
	const char *value = conf_get(conf, name);
	return memory_dup_cstr(value == NULL ? "" : value);
}

static bool open_virtual(struct accounts *accounts, struct conf *conf, char **ret_error)
{
	unsigned flags = MAP_FOLD_FIXED | MAP_NO_SUBSTITUTE;
	accounts->mailboxes = map_list_open(conf, conf_get(conf, "virtual_mailbox_maps"), flags,
		ret_error);
	if (accounts->mailboxes == NULL)
		return false;
	accounts->uids = map_list_open(conf, conf_get(conf, "virtual_uid_maps"), flags, ret_error);
	if (accounts->uids == NULL)
		return false;
	accounts->gids = map_list_open(conf, conf_get(conf, "virtual_gid_maps"), flags, ret_error);
	return accounts->gids != NULL;
}

struct accounts *accounts_open(struct conf *conf, struct route *route, char **ret_error)
{
	struct accounts *accounts = NEW(struct accounts);
	accounts->route = route;
	accounts->home_mailbox = read_string(conf, "home_mailbox");
	accounts->spool = read_string(conf, "mail_spool_directory");
	accounts->origin = read_string(conf, "myorigin");
	accounts->delimiters = read_string(conf, "recipient_delimiter");
	accounts->base = read_string(conf, "virtual_mailbox_base");
	accounts->minimum_uid = conf_get_int(conf, "virtual_minimum_uid");
	accounts->single_user = is_single_user();
	if (!open_sources(accounts, conf, ret_error) || !open_virtual(accounts, conf, ret_error)) {
		accounts_close(accounts);
		return NULL;
	}
	return accounts;
}

bool accounts_single_user(const struct accounts *accounts)
{
	return accounts->single_user;
}

static void close_list(struct map_list *list)
{
	if (list != NULL)
		map_list_close(list);
}

void accounts_close(struct accounts *accounts)
{
	if (accounts == NULL)
		return;
	for (size_t i = 0; i < accounts->source_count; i++)
		if (accounts->sources[i].map != NULL)
			map_close(accounts->sources[i].map);
	if (accounts->system != NULL)
		map_close(accounts->system);
	close_list(accounts->mailboxes);
	close_list(accounts->uids);
	close_list(accounts->gids);
	free(accounts->home_mailbox);
	free(accounts->spool);
	free(accounts->origin);
	free(accounts->delimiters);
	free(accounts->base);
	free(accounts);
}

/* --- filling in --- */

static enum account_status unusable(struct account *account, const char *problem, struct span what)
{
	buf_reset(&account->problem);
	buf_append_format(&account->problem, "%s: %.*s", problem, SPAN_ARGS(what));
	return ACCOUNT_UNUSABLE;
}

static enum account_status temporary(struct account *account, const char *table)
{
	buf_reset(&account->problem);
	buf_append_format(&account->problem, "table lookup error: %s", table);
	return ACCOUNT_TEMPORARY;
}

static enum account_status finish(const struct accounts *accounts, struct account *account)
{
	if (accounts->single_user) {
		account->uid = geteuid();
		account->gid = getegid();
	}
	if (account->uid == 0 || account->gid == 0)
		return unusable(account, "the superuser has no mailbox", buf_span(&account->name));
	return ACCOUNT_FOUND;
}

/* home_mailbox under the home directory, or the spool. */
static bool default_mailbox(
	const struct accounts *accounts, struct account *account, bool is_system)
{
	struct buf path = BUF_INIT(NAME_MAX_BYTES);
	struct span spool = span_from_cstr(accounts->spool);
	if (accounts->home_mailbox[0] != '\0' || !is_system) {
		buf_append(&path, buf_span(&account->home));
		buf_append_char(&path, '/');
		buf_append_cstr(&path, accounts->home_mailbox[0] != '\0' ? accounts->home_mailbox
			: "Maildir/");
	} else {
		buf_append(&path, spool);
		if (!span_ends_with(spool, SPAN("/")))
			buf_append_char(&path, '/');
		buf_append(&path, buf_span(&account->name));
		if (span_ends_with(spool, SPAN("/")))
			buf_append_char(&path, '/');
	}
	bool good = !path.overflow && account_set_mailbox(account, buf_span(&path));
	buf_done(&path);
	return good;
}

static bool parse_id(struct span text, uint32_t *ret_id)
{
	uint64_t value;
	/* The last number means "unchanged" to the kernel. */
	if (!span_to_u64(text, UINT32_MAX - 1, &value))
		return false;
	*ret_id = (uint32_t)value;
	return true;
}

static bool is_user_name(struct span name)
{
	return name.len > 0 && name.len < 256 && span_is_printable(name)
		&& span_find_char(name, '/') == SIZE_MAX && span_find_char(name, ':') == SIZE_MAX
		&& !span_equal(name, SPAN(".")) && !span_equal(name, SPAN(".."));
}

static enum account_status find_system(struct accounts *accounts, struct span user,
	struct account *account)
{
	struct buf value = BUF_INIT(VALUE_MAX);
	struct account_entry entry;
	if (!is_user_name(user))
		return ACCOUNT_NOT_FOUND;
	enum map_result result = map_lookup(accounts->system, user, &value);
	enum account_status status = ACCOUNT_NOT_FOUND;
	if (result == MAP_ERROR) {
		status = temporary(account, "unix:passwd.byname");
	} else if (result == MAP_FOUND) {
		struct span rest = buf_span(&value);
		struct span name = span_split(&rest, ':');
		account->kind = ACCOUNT_SYSTEM;
		buf_append(&account->name, name);
		if (rest.ptr == NULL || !account_entry_parse(rest, &entry)
			|| !parse_id(entry.uid, &account->uid) || !parse_id(entry.gid, &account->gid)) {
			status = unusable(account, "bad password file entry", user);
		} else {
			buf_append(&account->home, entry.home);
			buf_append(&account->shell, entry.shell);
			status = default_mailbox(accounts, account, true)
				? finish(accounts, account)
				: unusable(account, "bad mailbox path", buf_span(&account->mailbox));
		}
	}
	buf_done(&value);
	return status;
}

static enum account_status fill_from_entry(struct accounts *accounts, struct span name,
	struct span value, struct account *account)
{
	struct account_entry entry;
	struct span location;
	account->kind = ACCOUNT_TABLE;
	for (size_t i = 0; i < name.len; i++) /* tables are asked in lower case */
		buf_append_char(&account->name, ascii_lower(name.ptr[i]));
	if (!account_entry_parse(value, &entry))
		return unusable(account, "bad entry", name);
	account->has_password = true;
	buf_append(&account->password, entry.password);
	buf_append(&account->home, entry.home);
	buf_append(&account->shell, entry.shell);
	buf_append(&account->extra, entry.extra);
	if (!accounts->single_user
		&& (!parse_id(entry.uid, &account->uid) || !parse_id(entry.gid, &account->gid)))
		return unusable(account, "entry has no uid and gid", name);
	if (account_extra(entry.extra, "userdb_mail", &location)) {
		struct buf path = BUF_INIT(NAME_MAX_BYTES);
		bool good = account_parse_location(location, entry.home, &path)
			&& account_set_mailbox(account, buf_span(&path));
		buf_done(&path);
		if (!good)
			return unusable(account, "unusable userdb_mail", location);
	} else if (entry.home.len == 0 || !default_mailbox(accounts, account, false)) {
		return unusable(account, "entry has no usable home directory", name);
	}
	return finish(accounts, account);
}

/* --- asking --- */

/* The tables of auth_user_maps for one key; users: may the system's accounts answer? */
static enum account_status find_in_sources(struct accounts *accounts, struct span key, bool users,
	struct account *account)
{
	for (size_t i = 0; i < accounts->source_count; i++) {
		struct source *source = &accounts->sources[i];
		if (source->is_system) {
			enum account_status status = users ? find_system(accounts, key, account)
				: ACCOUNT_NOT_FOUND;
			if (status != ACCOUNT_NOT_FOUND)
				return status;
			continue;
		}
		struct buf value = BUF_INIT(VALUE_MAX);
		enum map_result result = map_lookup(source->map, key, &value);
		enum account_status status = ACCOUNT_NOT_FOUND;
		if (result == MAP_ERROR)
			status = temporary(account, map_spec(source->map));
		else if (result == MAP_FOUND)
			status = fill_from_entry(accounts, key, buf_span(&value), account);
		buf_wipe(&value);
		if (status != ACCOUNT_NOT_FOUND)
			return status;
	}
	return ACCOUNT_NOT_FOUND;
}

/* A number for an address, from virtual_uid_maps or virtual_gid_maps. */
static enum account_status find_id(struct accounts *accounts, struct map_list *maps,
	struct span address, struct account *account, uint32_t *ret_id)
{
	struct address_lookup lookup = {.maps = maps,
		.keys = ADDRESS_KEY_FULL | ADDRESS_KEY_BARE | ADDRESS_KEY_AT_DOMAIN,
		.delimiters = span_from_cstr(accounts->delimiters)};
	struct buf value = BUF_INIT(256);
	enum map_result result = address_lookup(&lookup, address, &value, NULL);
	enum account_status status = ACCOUNT_FOUND;
	if (result == MAP_ERROR)
		status = temporary(account, "virtual uid or gid map");
	else if (result == MAP_NOT_FOUND)
		status = unusable(account, "no uid or gid for virtual mailbox", address);
	else if (!parse_id(span_trim(buf_span(&value)), ret_id))
		status = unusable(account, "bad uid or gid for virtual mailbox", address);
	buf_done(&value);
	return status;
}

static enum account_status find_ids(struct accounts *accounts, struct span address,
	struct account *account)
{
	enum account_status status;
	if (accounts->single_user)
		return ACCOUNT_FOUND;
	status = find_id(accounts, accounts->uids, address, account, &account->uid);
	if (status == ACCOUNT_FOUND)
		status = find_id(accounts, accounts->gids, address, account, &account->gid);
	if (status == ACCOUNT_FOUND && (int64_t)account->uid < accounts->minimum_uid)
		status = unusable(account, "uid is below virtual_minimum_uid", address);
	return status;
}

/* The address without its extension, in lower case. */
static void canonical_address(struct span address, struct span extension, struct buf *out)
{
	for (size_t i = 0; i < address.len; i++) {
		const char *at = address.ptr + i;
		if (extension.len > 0 && at >= extension.ptr && at < extension.ptr + extension.len)
			continue;
		buf_append_char(out, ascii_lower(*at));
	}
}

enum account_status account_by_virtual_address(struct accounts *accounts, struct span address,
	struct account *account)
{
	struct address_lookup lookup = {.maps = accounts->mailboxes,
		.keys = ADDRESS_KEY_FULL | ADDRESS_KEY_BARE | ADDRESS_KEY_AT_DOMAIN,
		.delimiters = span_from_cstr(accounts->delimiters)};
	struct span extension = SPAN_EMPTY;
	struct buf value = BUF_INIT(NAME_MAX_BYTES), path = BUF_INIT(NAME_MAX_BYTES);
	reset(account);
	if (address.len == 0 || address.len > NAME_MAX_BYTES)
		return ACCOUNT_NOT_FOUND;
	enum map_result result = address_lookup(&lookup, address, &value, &extension);
	enum account_status status = ACCOUNT_NOT_FOUND;
	if (result == MAP_ERROR) {
		status = temporary(account, "virtual_mailbox_maps");
	} else if (result == MAP_FOUND) {
		account->kind = ACCOUNT_VIRTUAL;
		canonical_address(address, extension, &account->name);
		buf_append_cstr(&path, accounts->base);
		buf_append_char(&path, '/');
		buf_append(&path, buf_span(&value));
		if (accounts->base[0] != '/')
			status = unusable(account, "virtual_mailbox_base is not set", address);
		else if (path.overflow || !account_set_mailbox(account, buf_span(&path)))
			status = unusable(account, "bad mailbox path", buf_span(&path));
		else
			status = find_ids(accounts, address, account);
		if (status == ACCOUNT_FOUND)
			status = finish(accounts, account);
		buf_append(&account->home, buf_span(&account->mailbox));
	}
	buf_done(&value);
	buf_done(&path);
	return status;
}

/* The password of a virtual mailbox is its address's in auth_user_maps. */
static enum account_status add_password(struct accounts *accounts, struct account *account)
{
	struct account entry;
	account_init(&entry);
	enum account_status status = find_in_sources(accounts, buf_span(&account->name), false, &entry);
	if (status == ACCOUNT_TEMPORARY) {
		buf_append(&account->problem, buf_span(&entry.problem));
	} else if (status != ACCOUNT_NOT_FOUND && entry.has_password) {
		/* Unusable as an account of its own (no uid, say) but its password counts. */
		account->has_password = true;
		buf_append(&account->password, buf_span(&entry.password));
		buf_append(&account->extra, buf_span(&entry.extra));
		if (entry.home.len > 0) {
			buf_reset(&account->home);
			buf_append(&account->home, buf_span(&entry.home));
		}
		status = ACCOUNT_FOUND;
	} else {
		status = ACCOUNT_NOT_FOUND;
	}
	account_done(&entry);
	return status;
}

static enum account_status login_with_domain(struct accounts *accounts, struct span login,
	struct span user, struct account *account)
{
	enum route_class class;
	if (!route_class(accounts->route, login, &class))
		return temporary(account, "the domain's class");
	if (class == ROUTE_VIRTUAL_MAILBOX) {
		enum account_status status = account_by_virtual_address(accounts, login, account);
		if (status == ACCOUNT_FOUND)
			return add_password(accounts, account);
		if (status != ACCOUNT_NOT_FOUND)
			return status;
		reset(account);
	}
	enum account_status status = find_in_sources(accounts, login, false, account);
	if (status != ACCOUNT_NOT_FOUND || class != ROUTE_LOCAL)
		return status;
	return find_in_sources(accounts, user, true, account);
}

enum account_status account_by_login(struct accounts *accounts, struct span login,
	struct account *account)
{
	reset(account);
	if (login.len == 0 || login.len > NAME_MAX_BYTES || memchr(login.ptr, 0, login.len) != NULL)
		return ACCOUNT_NOT_FOUND;
	size_t at = span_find_last_char(login, '@');
	if (at != SIZE_MAX)
		return login_with_domain(accounts, login, span_head(login, at), account);
	return find_in_sources(accounts, login, true, account);
}

enum account_status account_by_user(struct accounts *accounts, struct span user,
	struct account *account)
{
	reset(account);
	if (!is_user_name(user))
		return ACCOUNT_NOT_FOUND;
	enum account_status status = find_in_sources(accounts, user, true, account);
	if (status == ACCOUNT_NOT_FOUND && span_find_char(user, '@') == SIZE_MAX) {
		struct buf address = BUF_INIT(NAME_MAX_BYTES);
		buf_append_format(&address, "%.*s@%s", SPAN_ARGS(user), accounts->origin);
		status = find_in_sources(accounts, buf_span(&address), false, account);
		buf_done(&address);
	}
	if (status == ACCOUNT_NOT_FOUND && !accounts->lists_system)
		status = find_system(accounts, user, account);
	return status;
}

static struct span parent_of(struct span path)
{
	size_t slash = span_find_last_char(path, '/');
	return slash == SIZE_MAX || slash == 0 ? SPAN("/") : span_head(path, slash);
}

static bool is_below(struct span path, struct span folder)
{
	return span_equal(folder, SPAN("/")) || (path.len > folder.len &&
		span_starts_with(path, folder) && path.ptr[folder.len] == '/');
}

struct span account_tree(const struct accounts *accounts, const struct account *account)
{
	struct span mailbox = buf_span(&account->mailbox), homes;
	switch (account->kind) {
	case ACCOUNT_VIRTUAL:
		return span_from_cstr(accounts->base);
	case ACCOUNT_SYSTEM:
		return mailbox;
	case ACCOUNT_TABLE:
		break;
	}
	homes = parent_of(buf_span(&account->home));
	return is_below(mailbox, homes) ? homes : parent_of(mailbox);
}
