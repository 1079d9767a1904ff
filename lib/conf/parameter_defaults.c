/* Defaults that depend on the host or on where the suite is installed.
 * SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/memory.h"
#include "conf/conf.h"
#include "conf/parameter_tables.h"

/* What names without a dot get, as in Postfix. */
#define DEFAULT_DOMAIN "localdomain"

/* The folder the suite is installed in, found from the running program (P/sbin/postconf,
 * P/libexec/tambo/smtpd), so that a moved or a fresh build works without being told; /usr for a
 * program that lies elsewhere. */
static char *install_prefix(void)
{
	static const struct span places[] = {
		{"/sbin", 5}, {"/bin", 4}, {"/libexec/tambo", 14}, {"/lib/tambo", 10}};
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
	struct span dir = span_new(path, len < 0 ? 0 : (size_t)len);
	size_t slash = span_find_last_char(dir, '/');

	dir = span_head(dir, slash == SIZE_MAX ? 0 : slash);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (span_ends_with(dir, places[i]))
			return span_dup_cstr(span_head(dir, dir.len - places[i].len));
	}
	return memory_dup_cstr("/usr");
}

static char *below_prefix(const char *path)
{
	struct buf out = BUF_INIT(8192);
	char *prefix = install_prefix();

	buf_append_format(&out, "%s%s", prefix, path);
	free(prefix);
	return buf_steal(&out);
}

static char *command_directory(struct conf *conf)
{
	(void)conf;
	return below_prefix("/sbin");
}

static char *daemon_directory(struct conf *conf)
{
	(void)conf;
	return below_prefix("/libexec/tambo");
}

static char *mailq_path(struct conf *conf)
{
	(void)conf;
	return below_prefix("/bin/mailq");
}

static char *manpage_directory(struct conf *conf)
{
	(void)conf;
	return below_prefix("/share/man");
}

static char *newaliases_path(struct conf *conf)
{
	(void)conf;
	return below_prefix("/bin/newaliases");
}

static char *sendmail_path(struct conf *conf)
{
	(void)conf;
	return below_prefix("/sbin/sendmail");
}

static char *config_directory(struct conf *conf)
{
	return memory_dup_cstr(conf_dir(conf));
}

/* A host that switches has the account "postfix", which owns its queue and which other packages
 * know; a fresh one has ours. */
static char *mail_owner(struct conf *conf)
{
	(void)conf;
	return memory_dup_cstr(getpwnam("postfix") != NULL ? "postfix" : "tambo");
}

static char *process_id(struct conf *conf)
{
	struct buf out = BUF_INIT(32);

	(void)conf;
	buf_append_u64(&out, (uint64_t)getpid());
	return buf_steal(&out);
}

static char *process_name(struct conf *conf)
{
	(void)conf;
	return memory_dup_cstr(program_invocation_short_name);
}

static char *service_name(struct conf *conf)
{
	return memory_dup_cstr(conf_service(conf));
}

static char *myhostname(struct conf *conf)
{
	struct buf out = BUF_INIT(1024);
	char name[256] = "";

	if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0')
		memcpy(name, "localhost", sizeof "localhost");
	buf_append_cstr(&out, name);
	if (strchr(name, '.') == NULL) {
		const char *domain =
			conf_is_set(conf, "mydomain") ? conf_get(conf, "mydomain") : "";
		buf_append_format(&out, ".%s", domain[0] != '\0' ? domain : DEFAULT_DOMAIN);
	}
	return buf_steal(&out);
}

static char *mydomain(struct conf *conf)
{
	const char *dot = strchr(conf_get(conf, "myhostname"), '.');

	return memory_dup_cstr(dot == NULL || dot[1] == '\0' ? DEFAULT_DOMAIN : dot + 1);
}

/* --- mynetworks: the networks of this host's interfaces, as mynetworks_style says --- */

enum style { STYLE_HOST, STYLE_SUBNET, STYLE_CLASS };

static unsigned mask_bits(const struct sockaddr *mask)
{
	const uint8_t *bytes;
	unsigned bits = 0, count;

	if (mask == NULL)
		return 0;
	if (mask->sa_family == AF_INET6) {
		bytes = ((const struct sockaddr_in6 *)(const void *)mask)->sin6_addr.s6_addr;
		count = 16;
	} else {
		bytes = (const uint8_t *)&((const struct sockaddr_in *)(const void *)mask)
				->sin_addr;
		count = 4;
	}
	for (unsigned i = 0; i < count * 8 && (bytes[i / 8] & (0x80 >> i % 8)) != 0; i++)
		bits++;
	return bits;
}

static unsigned class_bits(uint8_t first)
{
	return first < 128 ? 8 : first < 192 ? 16 : 24;
}

static void append_network(const struct ifaddrs *interface, enum style style, struct buf *out)
{
	bool v6 = interface->ifa_addr->sa_family == AF_INET6;
	unsigned size = v6 ? 128 : 32, bits = size;
	uint8_t bytes[16] = {0};
	char text[INET6_ADDRSTRLEN];
	struct buf network = BUF_INIT(100);

	if (v6)
		memcpy(bytes, &((struct sockaddr_in6 *)(void *)interface->ifa_addr)->sin6_addr, 16);
	else
		memcpy(bytes, &((struct sockaddr_in *)(void *)interface->ifa_addr)->sin_addr, 4);
	if (style == STYLE_SUBNET || (style == STYLE_CLASS && v6))
		bits = mask_bits(interface->ifa_netmask);
	else if (style == STYLE_CLASS)
		bits = class_bits(bytes[0]);
	for (unsigned i = bits; i < size; i++)
		bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, text, sizeof text);
	buf_append_format(&network, v6 ? "[%s]/%u" : "%s/%u", text, bits);
	/* Two addresses of one network are one entry. */
	struct span rest = buf_span(out), word;
	bool known = false;
	while (span_token(&rest, " ", &word))
		known = known || span_equal(word, buf_span(&network));
	if (!known && out->len > 0)
		buf_append_char(out, ' ');
	if (!known)
		buf_append(out, buf_span(&network));
	buf_done(&network);
}

static bool is_listed(const struct ifaddrs *interface, const char *interfaces)
{
	bool v6 = interface->ifa_addr->sa_family == AF_INET6;
	const void *bytes =
		v6 ? (const void *)&((struct sockaddr_in6 *)(void *)interface->ifa_addr)->sin6_addr
		   : (const void *)&((struct sockaddr_in *)(void *)interface->ifa_addr)->sin_addr;
	struct span rest = span_from_cstr(interfaces), word;
	char text[INET6_ADDRSTRLEN], wanted[INET6_ADDRSTRLEN];
	bool loopback = (interface->ifa_flags & IFF_LOOPBACK) != 0;

	inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, text, sizeof text);
	while (span_token(&rest, " ,\t\r\n", &word)) {
		if (span_equal_nocase(word, SPAN("all")))
			return true;
		if (loopback && (span_equal_nocase(word, SPAN("loopback-only")) ||
					span_equal_nocase(word, SPAN("localhost"))))
			return true;
		if (word.len > 2 && word.ptr[0] == '[')
			word = span_part(word, 1, word.len - 2);
		if (word.len < sizeof wanted) {
			memcpy(wanted, word.ptr, word.len);
			wanted[word.len] = '\0';
			if (strcmp(wanted, text) == 0)
				return true;
		}
	}
	return false;
}

static enum style network_style(struct conf *conf)
{
	struct span text = span_from_cstr(conf_get(conf, "mynetworks_style"));

	if (span_equal(text, SPAN("subnet")))
		return STYLE_SUBNET;
	return span_equal(text, SPAN("class")) ? STYLE_CLASS : STYLE_HOST;
}

static char *mynetworks(struct conf *conf)
{
	struct buf out = BUF_INIT(1u << 16);
	struct span protocols = span_from_cstr(conf_get(conf, "inet_protocols"));
	bool all = span_find(protocols, SPAN("all")) != SIZE_MAX;
	bool want4 = all || span_find(protocols, SPAN("ipv4")) != SIZE_MAX;
	bool want6 = all || span_find(protocols, SPAN("ipv6")) != SIZE_MAX;
	const char *interfaces = conf_get(conf, "inet_interfaces");
	enum style style = network_style(conf);
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) != 0)
		return memory_dup_cstr("127.0.0.1/32 [::1]/128");
	for (int family = AF_INET;; family = AF_INET6) {
		for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
			if (i->ifa_addr != NULL && i->ifa_addr->sa_family == family &&
				(family == AF_INET ? want4 : want6) && is_listed(i, interfaces))
				append_network(i, style, &out);
		}
		if (family == AF_INET6)
			break;
	}
	freeifaddrs(list);
	return buf_steal(&out);
}

char *parameter_compute(enum parameter_compute what, struct conf *conf)
{
	switch (what) {
	case COMPUTE_NOTHING:
		break;
	case COMPUTE_COMMAND_DIRECTORY:
		return command_directory(conf);
	case COMPUTE_CONFIG_DIRECTORY:
		return config_directory(conf);
	case COMPUTE_DAEMON_DIRECTORY:
		return daemon_directory(conf);
	case COMPUTE_MAIL_OWNER:
		return mail_owner(conf);
	case COMPUTE_MAILQ_PATH:
		return mailq_path(conf);
	case COMPUTE_MANPAGE_DIRECTORY:
		return manpage_directory(conf);
	case COMPUTE_MYDOMAIN:
		return mydomain(conf);
	case COMPUTE_MYHOSTNAME:
		return myhostname(conf);
	case COMPUTE_MYNETWORKS:
		return mynetworks(conf);
	case COMPUTE_NEWALIASES_PATH:
		return newaliases_path(conf);
	case COMPUTE_PROCESS_ID:
		return process_id(conf);
	case COMPUTE_PROCESS_NAME:
		return process_name(conf);
	case COMPUTE_SENDMAIL_PATH:
		return sendmail_path(conf);
	case COMPUTE_SERVICE_NAME:
		return service_name(conf);
	}
	return memory_dup_cstr("");
}
