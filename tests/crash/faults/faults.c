/* For tests, preloaded into a daemon: system calls on files, and allocations, fail as the shared
 * page says: all of them, or the one that follows so many others. The page is mapped before the
 * daemon's sandbox closes; the test changes it while the daemon runs. It tells where in the program
 * each failure was met. Pipes, sockets and files that are only appended to (the log) are left
 * alone.
 * SPDX-License-Identifier: ISC */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* SHORT: half of a write is done; SHORT_AT: of a pwrite, which LMDB does not bear but as an
 * error. */
enum { FLUSH = 1, FILE_SYSTEM = 2, WRITE = 4, SHORT = 8, CREATE = 16, RENAME = 32, SHORT_AT = 64,
	ALLOCATE = 128, UNLINK = 256,
	CROSS = 512, /* a link is always one to another file system */
	LARGE = 1024 /* allocations that a process need not get */ };

#define LARGE_LEAST (68 * 1024)

#define PLACES 300
#define FRAMES 12

static struct page {
	_Atomic uint32_t what, error, hits;
	_Atomic uint32_t skip, times, seen; /* times 0: always */
	_Atomic uint32_t place_count;
	_Atomic uint32_t next;              /* then these fail, three times */
	uint64_t places[PLACES][FRAMES];    /* addresses in the program, innermost first; 0 ends */
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

static int fails(uint32_t what)
{
	if (page == NULL || (page->what & what) == 0)
		return 0;
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

static int is_file(int fd)
{
	struct stat st;
	int saved = errno;
	int answer = fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
		&& (fcntl(fd, F_GETFL) & O_APPEND) == 0;
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
	if (!is_file(fd))
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
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	if ((flags & O_CREAT) != 0 && fails(CREATE))
		return -1;
	return REAL(openat)(dir, path, flags, mode);
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
