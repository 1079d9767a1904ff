/* For tests, preloaded into a daemon: system calls on files, allocations, and what makes a
 * descriptor fail as the shared page says: all of them, or the one that follows so many others, or
 * at each place (call stack) the first one, whichever process meets it. The page is mapped before
 * the daemon's sandbox closes; the test changes it while the daemon runs. It tells where in the
 * program each failure was met. Pipes, sockets and the log are never written to in vain.
 * SPDX-License-Identifier: ISC */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* SHORT: half of a write is done; SHORT_AT: of a pwrite, which LMDB does not bear but as an
 * error. */
enum { FLUSH = 1, FILE_SYSTEM = 2, WRITE = 4, SHORT = 8, CREATE = 16, RENAME = 32, SHORT_AT = 64,
	ALLOCATE = 128, UNLINK = 256,
	CROSS = 512, /* a link is always one to another file system */
	LARGE = 1024, /* allocations that a process need not get */
	DESCRIPTOR = 2048 /* what opens, makes, copies or receives one */ };

#define LARGE_LEAST (68 * 1024)

#define PLACES 8000
#define FRAMES 12
#define STACKS (64 * 1024) /* a power of two */
#define DEPTH_MAX 40

static struct page {
	_Atomic uint32_t what, error, hits;
	_Atomic uint32_t skip, times, seen; /* times 0: always */
	_Atomic uint32_t place_count;
	_Atomic uint32_t next;              /* then these fail, three times */
	_Atomic uint32_t depth;             /* not 0: once for each stack of so many calls */
	uint32_t unused[7];
	uint64_t places[PLACES][FRAMES];    /* addresses in the program, innermost first; 0 ends */
	_Atomic uint64_t stacks[STACKS];    /* sums of those that have been met */
} *page;

#define IN_WORKER (1ULL << 63) /* in a place: an address in the program of the workers */

static uint64_t base, mark;

static int find_base(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	base = info->dlpi_addr; /* the program comes first */
	return 1;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("TAMBO_FAULTS");
	void *frames[2];
	(void)backtrace(frames, 2); /* loads what it needs */
	(void)dl_iterate_phdr(find_base, NULL);
	char program[4096] = "";
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (length > 7 && memcmp(program + length - 7, "-worker", 7) == 0)
		mark = IN_WORKER;
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *at = fd < 0 ? MAP_FAILED
		: mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		(void)close(fd);
	page = at == MAP_FAILED ? NULL : at;
}

static void note_place(void)
{
	void *frames[FRAMES + 3];
	uint32_t at = page->place_count++;
	if (at >= PLACES)
		return;
	int count = backtrace(frames, FRAMES + 3);
	size_t n = 0;
	/* Without the wrapper and this file. */
	for (int i = 2; i < count && n < FRAMES; i++)
		page->places[at][n++] = ((uint64_t)(uintptr_t)frames[i] - base) | mark;
}

/* One number for a stack, the same in every process: addresses count from where their object
 * begins. */
static uint64_t sum_stack(uint32_t what)
{
	void *frames[DEPTH_MAX + 2];
	uint32_t depth = page->depth < DEPTH_MAX ? page->depth : DEPTH_MAX;
	int count = backtrace(frames, (int)depth + 2);
	uint64_t sum = what;
	for (int i = 2; i < count; i++) {
		struct dl_find_object found;
		uint64_t at = (uint64_t)(uintptr_t)frames[i];
		if (_dl_find_object(frames[i], &found) == 0) {
			uint64_t begin = (uint64_t)(uintptr_t)found.dlfo_map_start;
			at += (uint64_t)(uintptr_t)found.dlfo_map_end - 2 * begin;
		}
		sum = (sum ^ at) * 0x9e3779b97f4a7c15u;
		sum ^= sum >> 29;
	}
	return sum == 0 ? 1 : sum;
}

static int is_new_stack(uint32_t what)
{
	uint64_t sum = sum_stack(what);
	for (uint32_t i = 0; i < STACKS; i++) {
		_Atomic uint64_t *slot = &page->stacks[(sum + i) % STACKS];
		uint64_t there = 0;
		if (atomic_compare_exchange_strong(slot, &there, sum))
			return 1;
		if (there == sum)
			return 0;
	}
	return 0;
}

static int fails(uint32_t what)
{
	if (page == NULL || (page->what & what) == 0)
		return 0;
	if (page->depth != 0) {
		if (!is_new_stack(what))
			return 0;
		page->hits++;
		note_place();
		errno = (int)page->error;
		return 1;
	}
	uint32_t before = page->seen++;
	if (before < page->skip || (page->times > 0 && before >= page->skip + page->times))
		return 0;
	page->hits++;
	note_place();
	if (page->next != 0) {
		page->what = page->next;
		page->seen = page->skip = page->next = 0;
		page->times = 3;
	}
	errno = (int)page->error;
	return 1;
}

/* glibc's own names of these. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static int has_none(size_t size)
{
	return fails(ALLOCATE) || (size >= LARGE_LEAST && fails(LARGE));
}

void *malloc(size_t size)
{
	return has_none(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails(ALLOCATE) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return has_none(size) ? NULL : __libc_realloc(old, size);
}

/* "Nov 22 20:30:33 ", at the end of a file: a line of the log. */
static int is_log_line(int fd, const char *bytes, size_t len)
{
	return len > 16 && bytes[3] == ' ' && bytes[6] == ' ' && bytes[9] == ':' && bytes[12] == ':'
		&& bytes[15] == ' ' && (fcntl(fd, F_GETFL) & O_APPEND) != 0;
}

static int is_kept(int fd, const char *bytes, size_t len)
{
	struct stat st;
	int saved = errno;
	int answer = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && !is_log_line(fd, bytes, len);
	errno = saved;
	return answer;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd)
{
	return fails(FLUSH) ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	return fails(FLUSH) ? -1 : REAL(fdatasync)(fd);
}

int syncfs(int fd)
{
	return fails(FILE_SYSTEM) ? -1 : REAL(syncfs)(fd);
}

static size_t allowed(uint32_t what, size_t len)
{
	if (len < 2 || page == NULL || (page->what & what) == 0)
		return len;
	page->hits++;
	return len / 2;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	if (!is_kept(fd, bytes, len))
		return REAL(write)(fd, bytes, len);
	return fails(WRITE) ? -1 : REAL(write)(fd, bytes, allowed(SHORT, len));
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	return fails(WRITE) ? -1 : REAL(pwrite)(fd, bytes, allowed(SHORT_AT, len), at);
}

ssize_t pwritev(int fd, const struct iovec *vectors, int count, off_t at)
{
	if (fails(WRITE))
		return -1;
	if (page != NULL && (page->what & SHORT_AT) != 0 && count > 0 && vectors->iov_len > 1)
		return pwrite(fd, vectors->iov_base, vectors->iov_len, at);
	return REAL(pwritev)(fd, vectors, count, at);
}

int openat(int dir, const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
	mode_t mode = makes ? va_arg(args, mode_t) : 0;
	va_end(args);
	if ((makes && fails(CREATE)) || fails(DESCRIPTOR))
		return -1;
	return REAL(openat)(dir, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
	mode_t mode = makes ? va_arg(args, mode_t) : 0;
	va_end(args);
	return openat(AT_FDCWD, path, flags, mode);
}

int unlinkat(int dir, const char *path, int flags)
{
	return fails(UNLINK) ? -1 : REAL(unlinkat)(dir, path, flags);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	if (page != NULL && (page->what & CROSS) != 0) {
		errno = EXDEV;
		return -1;
	}
	return fails(RENAME) ? -1 : REAL(linkat)(from_dir, from, to_dir, to, flags);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return fails(RENAME) ? -1 : REAL(renameat)(from_dir, from, to_dir, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return fails(RENAME) ? -1 : REAL(renameat2)(from_dir, from, to_dir, to, flags);
}

int accept4(int fd, struct sockaddr *peer, socklen_t *len, int flags)
{
	return fails(DESCRIPTOR) ? -1 : REAL(accept4)(fd, peer, len, flags);
}

int socket(int family, int type, int protocol)
{
	return fails(DESCRIPTOR) ? -1 : REAL(socket)(family, type, protocol);
}

int socketpair(int family, int type, int protocol, int pair[2])
{
	return fails(DESCRIPTOR) ? -1 : REAL(socketpair)(family, type, protocol, pair);
}

int pipe2(int ends[2], int flags)
{
	return fails(DESCRIPTOR) ? -1 : REAL(pipe2)(ends, flags);
}

int eventfd(unsigned count, int flags)
{
	return fails(DESCRIPTOR) ? -1 : REAL(eventfd)(count, flags);
}

int epoll_create1(int flags)
{
	return fails(DESCRIPTOR) ? -1 : REAL(epoll_create1)(flags);
}

int signalfd(int fd, const sigset_t *set, int flags)
{
	return fd < 0 && fails(DESCRIPTOR) ? -1 : REAL(signalfd)(fd, set, flags);
}

int inotify_init1(int flags)
{
	return fails(DESCRIPTOR) ? -1 : REAL(inotify_init1)(flags);
}

int memfd_create(const char *name, unsigned flags)
{
	return fails(DESCRIPTOR) ? -1 : REAL(memfd_create)(name, flags);
}

int dup(int fd)
{
	return fails(DESCRIPTOR) ? -1 : REAL(dup)(fd);
}

int fcntl(int fd, int command, ...)
{
	va_list args;
	va_start(args, command);
	void *argument = va_arg(args, void *); /* wide enough for an int as well */
	va_end(args);
	if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) && fails(DESCRIPTOR))
		return -1;
	return REAL(fcntl)(fd, command, argument);
}

/* As the kernel does for a process that is at its limit: the message without its descriptors. */
ssize_t recvmsg(int fd, struct msghdr *header, int flags)
{
	ssize_t n = REAL(recvmsg)(fd, header, flags);
	struct cmsghdr *item = n < 0 ? NULL : CMSG_FIRSTHDR(header);
	int saved = errno;
	if (item == NULL || item->cmsg_type != SCM_RIGHTS || !fails(DESCRIPTOR)) {
		errno = saved;
		return n;
	}
	size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < count; i++) {
		int received;
		memcpy(&received, CMSG_DATA(item) + i * sizeof received, sizeof received);
		(void)close(received);
	}
	header->msg_controllen = 0;
	header->msg_flags |= MSG_CTRUNC;
	return n;
}
