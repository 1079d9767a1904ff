/* The index damaged at random places, while it is open and while it is not: every answer is what
 * the Maildir says, UIDs stay and none is used twice, and it mends itself. Each round runs in a
 * process of its own: where LMDB itself does not survive what it reads, the next process must find
 * all well. TAMBO_DAMAGE_ROUNDS and TAMBO_DAMAGE_SEED in the environment make the run longer, or
 * another.
 * SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/check.h"
#include "store/filename.h"

#define ROUNDS 150
#define MESSAGES 70
#define DEATHS_IN_HUNDRED 2 /* of the processes that meet a damage; its successor never dies */
#define HANG_S 60

struct message_model {
	uint32_t uid, flags, keywords;
};

struct model {
	struct message_model messages[4 * MESSAGES];
	size_t count;
	uint32_t uid_max; /* ever */
};

static uint64_t random_state;

static uint32_t any(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 20) % below;
}

/* --- what is right: the names of the files --- */

static int compare_uids(const void *left, const void *right)
{
	const struct message_model *a = left, *b = right;
	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

static void read_model(struct fixture *f, struct model *model)
{
	static const char *const folders[] = {"new", "cur"};
	model->count = 0;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		DIR *dir = opendir(at_root(f, folders[i]));
		struct dirent *entry;
		struct filename name;
		while ((entry = readdir(dir)) != NULL) {
			if (entry->d_name[0] == '.')
				continue;
			assert_true(filename_parse(span_from_cstr(entry->d_name), &name) && name.has_uid);
			assert_in_range(model->count, 0, ARRAY_LEN(model->messages) - 1);
			model->messages[model->count++] =
				(struct message_model){name.uid, name.flags, name.keywords};
			if (name.uid > model->uid_max)
				model->uid_max = name.uid;
		}
		(void)closedir(dir);
	}
	qsort(model->messages, model->count, sizeof(model->messages[0]), compare_uids);
}

/* --- one process --- */

static void expect(bool good, const char *what)
{
	if (good)
		return;
	print_error("wrong: %s\n", what);
	_exit(1);
}

static void expect_done(int error, const char *what)
{
	if (error != 0)
		print_error("%s: ", strerror(-error));
	expect(error == 0, what);
}

static void check_view(const struct mailbox *box, const struct model *model)
{
	expect(mailbox_count(box) == model->count, "the number of messages");
	for (size_t i = 0; i < model->count; i++) {
		const struct message *message = mailbox_at(box, i);
		uint32_t letters = 0;
		for (uint16_t k = 0; k < message->keyword_count; k++)
			letters |= 1U << message->keywords[k];
		expect(message->uid == model->messages[i].uid, "a UID");
		expect((message->flags & MESSAGE_FLAGS_SYSTEM) == model->messages[i].flags, "flags");
		expect(letters == model->messages[i].keywords, "keywords");
	}
}

static void check_contents(struct mailbox *box, const struct model *model)
{
	for (size_t i = 0; i < model->count; i++) {
		uint32_t uid = model->messages[i].uid;
		struct buf text = BUF_INIT(1UL << 20), envelope = BUF_INIT(1UL << 20);
		uint64_t size;
		expect_done(read_message(box, uid, &text), "reading a message");
		expect_done(mailbox_message_cache(box, uid, CACHE_ENVELOPE, &envelope), "an envelope");
		expect(mailbox_message_size(box, uid, &size) == 0 && size == text.len, "a size");
		size_t at = span_find(buf_span(&text), SPAN("Subject: "));
		struct span subject = span_head(span_skip(buf_span(&text), at + 9), 10);
		expect(span_find(buf_span(&envelope), subject) != SIZE_MAX, "a subject");
		buf_done(&text);
		buf_done(&envelope);
	}
}

static void check_status(struct fixture *f, const struct model *model)
{
	struct mailbox_status status;
	uint32_t unseen = 0;
	for (size_t i = 0; i < model->count; i++)
		unseen += (model->messages[i].flags & MESSAGE_SEEN) == 0;
	expect_done(store_status(f->store, SPAN("INBOX"), &status), "STATUS");
	expect(status.exists == model->count && status.unseen == unseen, "the counts of STATUS");
	expect(status.uidnext > model->uid_max, "UIDNEXT");
}

struct round {
	struct fixture *f;
	const struct model *model;
	void (*damage)(struct fixture *f);
	bool is_open;          /* damaged while it is open */
	uint32_t flag, gone;   /* UIDs */
	unsigned serial;
};

static void deliver(const struct round *round)
{
	char base[64], text[4096];
	(void)snprintf(base, sizeof(base), "1700000000.Q%u.host", round->serial);
	int used = snprintf(text, sizeof(text), "Subject: s%09u\nFrom: a@example.test\nX-Label: ",
		round->serial);
	/* Some are larger than a page. */
	memset(text + used, 'x', 3500);
	(void)snprintf(text + used + round->serial % 3500, 20, "\n\nbody\n");
	struct append_options options = {.internaldate = INT64_MIN, .base = span_from_cstr(base),
		.is_delivery = true, .first_ms = now_ms(), .durability = APPEND_CHECKPOINT};
	struct append_result result;
	/* Twice: the second one finds the first. */
	for (int i = 0; i < 2; i++) {
		struct append *append;
		expect_done(append_begin(round->f->store, SPAN("INBOX"), &options, &append), "a delivery");
		expect_done(append_write(append, span_from_cstr(text)), "its content");
		expect_done(append_commit(append, &result), "its end");
		expect(result.uid > round->model->uid_max, "a fresh UID");
		expect(result.duplicate == (i == 1), "that it was there already");
		options.first_ms = 0;
	}
}

static void work(const struct round *round)
{
	const struct mailbox_changes *changes;
	struct mailbox *box, *other;
	struct model after = *round->model;
	fixture_open(round->f);
	box = other = NULL;
	if (round->is_open)
		other = open_box(round->f, "INBOX", 0);
	if (round->damage != NULL)
		round->damage(round->f);
	expect_done(mailbox_open(round->f->store, SPAN("INBOX"), 0, &box), "SELECT");
	check_view(box, round->model);
	check_status(round->f, round->model);
	check_contents(box, round->model);
	set_flags(box, round->flag, STORE_ADD, MESSAGE_FLAGGED, "Work");
	expect_done(mailbox_expunge(box, &round->gone, 1, false, NULL), "EXPUNGE");
	deliver(round);
	read_model(round->f, &after);
	expect_done(mailbox_refresh(box, true, &changes), "NOOP");
	check_view(box, &after);
	if (other != NULL) {
		expect_done(mailbox_refresh(other, true, &changes), "NOOP of the other session");
		check_view(other, &after);
		check_contents(other, &after);
	}
	mailbox_close(box);
	mailbox_close(other);
	fixture_close(round->f);
	_exit(0);
}

/* True when it died of a signal. */
static bool run_round(const struct round *round, const char *what)
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* cmocka has its own ideas of what to do about them. */
		static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};
		for (size_t i = 0; i < ARRAY_LEN(signals); i++)
			(void)signal(signals[i], SIG_DFL);
		(void)alarm(HANG_S);
		work(round);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGALRM) {
		print_message("message %u: died of signal %d: %s, %s\n", round->serial,
			WTERMSIG(status), what, round->is_open ? "open" : "not open");
		return true;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s, message %u: %s %d", what, round->serial,
			WIFEXITED(status) ? "exit" : "signal", status);
	return false;
}

/* --- damages --- */

static int open_data(struct fixture *f, off_t *ret_size)
{
	struct stat st;
	int fd = open(at_root(f, "tambo-index/data.mdb"), O_RDWR);
	if (fd < 0 || fstat(fd, &st) != 0)
		return -1;
	*ret_size = st.st_size;
	return fd;
}

static void overwrite(struct fixture *f, bool everywhere, uint32_t len, bool zeros)
{
	off_t size;
	uint8_t bytes[8192] = {0};
	int fd = open_data(f, &size);
	if (fd < 0 || size < 3 * 4096)
		return;
	/* Half of them among the first pages: those that lead to all others. */
	off_t at = any(everywhere ? (uint32_t)size : 4 * 4096);
	if (len == 4096)
		at &= ~(off_t)4095;
	for (uint32_t i = 0; !zeros && i < len; i++)
		bytes[i] = (uint8_t)any(256);
	(void)!pwrite(fd, bytes, len, at);
	(void)close(fd);
}

static void flip(struct fixture *f)
{
	off_t size;
	uint8_t byte = 0;
	int fd = open_data(f, &size);
	if (fd < 0 || size == 0)
		return;
	off_t at = any((uint32_t)size);
	/* Half of them in the head of a page. */
	if (any(2) == 0)
		at = (at & ~(off_t)4095) + any(160);
	(void)!pread(fd, &byte, 1, at);
	byte ^= (uint8_t)(1U << any(8));
	(void)!pwrite(fd, &byte, 1, at);
	(void)close(fd);
}

static void flip_many(struct fixture *f)
{
	for (uint32_t i = any(50) + 2; i > 0; i--)
		flip(f);
}

static void scribble(struct fixture *f)
{
	overwrite(f, any(2) == 0, 1 + any(64), false);
}

static void zero_a_page(struct fixture *f)
{
	overwrite(f, any(2) == 0, 4096, true);
}

static void fill_a_page(struct fixture *f)
{
	overwrite(f, any(2) == 0, 4096, false);
}

static void copy_a_page(struct fixture *f)
{
	off_t size;
	uint8_t page[4096];
	int fd = open_data(f, &size);
	if (fd < 0 || size < 8192)
		return;
	uint32_t pages = (uint32_t)(size / 4096);
	if (pread(fd, page, sizeof(page), (off_t)any(pages) * 4096) == sizeof(page))
		(void)!pwrite(fd, page, sizeof(page), (off_t)any(pages) * 4096);
	(void)close(fd);
}

static void cut(struct fixture *f)
{
	off_t size;
	int fd = open_data(f, &size);
	if (fd < 0)
		return;
	(void)!ftruncate(fd, any((uint32_t)size + 1));
	(void)close(fd);
}

static const struct {
	const char *name;
	void (*damage)(struct fixture *f);
	unsigned weight;
} damages[] = {
	{"a bit", flip, 6}, {"many bits", flip_many, 2}, {"some bytes", scribble, 3},
	{"a page of zeros", zero_a_page, 2}, {"a page of noise", fill_a_page, 2},
	{"a page twice", copy_a_page, 2}, {"the end cut off", cut, 1},
};

static void fill(struct fixture *f)
{
	for (unsigned i = 0; i < MESSAGES; i++) {
		char text[256];
		(void)snprintf(text, sizeof(text), "Subject: f%09u\nFrom: a@example.test\n\nbody\n", i);
		(void)append_text(f, "INBOX", text, i % 3 == 0 ? MESSAGE_SEEN : 0,
			i % 4 == 0 ? "Work" : i % 7 == 0 ? "Play" : NULL);
	}
}

static unsigned number_of(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);
	uint64_t value = otherwise;
	if (text != NULL)
		assert_true(span_to_u64(span_from_cstr(text), UINT32_MAX, &value));
	return (unsigned)value;
}

static void damage_is_mended(void **state)
{
	struct fixture *f = *state;
	struct model model = {.count = 0};
	unsigned rounds = number_of("TAMBO_DAMAGE_ROUNDS", ROUNDS), deaths = 0, total = 0;
	unsigned seed = number_of("TAMBO_DAMAGE_SEED", 1);
	fill(f);
	fixture_close(f);
	for (size_t i = 0; i < ARRAY_LEN(damages); i++)
		total += damages[i].weight;
	for (unsigned i = 0; i < rounds; i++) {
		size_t kind = 0;
		random_state = (uint64_t)(seed + i + 1) * 0x9e3779b97f4a7c15;
		uint32_t turn = any(total);
		while (turn >= damages[kind].weight)
			turn -= damages[kind++].weight;
		read_model(f, &model);
		struct round round = {.f = f, .model = &model, .damage = damages[kind].damage,
			.is_open = any(2) == 0, .serial = seed + i};
		round.flag = model.messages[any(40)].uid;
		round.gone = model.messages[40 + any(20)].uid;
		if (!run_round(&round, damages[kind].name))
			continue;
		deaths++;
		read_model(f, &model);
		round = (struct round){.f = f, .model = &model, .serial = 1000000 + seed + i};
		round.flag = model.messages[any(40)].uid;
		round.gone = model.messages[40 + any(20)].uid;
		if (run_round(&round, "after a death"))
			fail_msg("%s, round %u: it dies again", damages[kind].name, i);
	}
	print_message("%u rounds, %u processes died\n", rounds, deaths);
	if (deaths * 100 > rounds * DEATHS_IN_HUNDRED)
		fail_msg("%u of %u processes died", deaths, rounds);
	fixture_open(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(damage_is_mended, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
