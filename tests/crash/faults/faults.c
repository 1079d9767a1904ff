/* For tests, preloaded into a daemon: system calls on files fail as the shared page says. The page is
 * mapped before the daemon's sandbox closes; the test changes it while the daemon runs. Pipes, sockets
 * and files that are only appended to (the log) are left alone.
 * SPDX-License-Identifier: ISC */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* SHORT: half of a write is done; SHORT_AT: of a pwrite, which LMDB does not bear but as an error. */
enum { FLUSH = 1, FILE_SYSTEM = 2, WRITE = 4, SHORT = 8, CREATE = 16, RENAME = 32, SHORT_AT = 64 };

static struct page {
	_Atomic uint32_t what, error, hits;
} *page;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("TAMBO_FAULTS");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *at = fd < 0 ? MAP_FAILED
		: mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		(void)close(fd);
	page = at == MAP_FAILED ? NULL : at;
}

static int fails(uint32_t what)
{
	if (page == NULL || (page->what & what) == 0)
		return 0;
	page->hits++;
	errno = (int)page->error;
	return 1;
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

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return fails(RENAME) ? -1 : REAL(renameat)(from_dir, from, to_dir, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return fails(RENAME) ? -1 : REAL(renameat2)(from_dir, from, to_dir, to, flags);
}
