/* Makes the n-th allocation or the n-th system call of the daemon fail.
 *
 * Linked into the executable of VARIANT=faults only.  The functions here have
 * the names of libc's and come first, so that our own calls and those of
 * libevent, inih and (for memory) libc itself arrive here, are counted, and
 * are handed on or fail.  When, and what became of it, stands in a file that
 * is shared with the driver (FAULTS=path): see tests/faults/README.md.
 *
 * Built without the sanitizers: malloc is needed before they are. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unwind.h>

#define FRAMES	 24
#define TRACED	 4096
#define TRACE	 10 /* frames of what was counted */
#define NAME	 24
#define MODULES	 32
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum kind { KIND_NONE, KIND_MEMORY, KIND_CALL };

struct module {
	uint64_t from, to;
	char	 path[112];
};

struct counted {
	char	 name[NAME];
	uint64_t frames[TRACE];
};

/* What is shared; page.py has the same. */
struct page {
	/* the driver's */
	_Atomic uint32_t armed; /* counts and fails */
	uint32_t	 kind;
	uint64_t	 nth;	/* the first that fails; 0: none */
	uint64_t	 times; /* how many in a row */
	uint64_t	 choice; /* which of the errors it may fail with */
	uint64_t	 traces; /* whether to say what was counted */

	/* ours */
	_Atomic uint64_t count;
	_Atomic uint64_t hits;
	_Atomic uint64_t turns; /* of event loops, armed or not */
	uint64_t	 choices; /* of the call that failed first */
	int64_t		 error;
	char		 name[NAME];
	uint64_t	 frames[FRAMES];
	_Atomic uint64_t told; /* the five above are there */
	struct module	 modules[MODULES];
	struct counted	 counted[TRACED];
};

static struct page *page;

/* What we call ourselves is not counted.  The compiler believes that libc does
 * not look at it. */
static __thread volatile bool inside;

/* --- What is counted, and what fails. */

struct stack {
	uint64_t *frames;
	unsigned  count, most;
};

static _Unwind_Reason_Code
stack_add(struct _Unwind_Context *context, void *arg)
{
	struct stack *stack = arg;

	if (stack->count == stack->most)
		return _URC_END_OF_STACK;
	stack->frames[stack->count++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static void __attribute__((noinline))
stack_take(uint64_t *frames, unsigned most)
{
	struct stack stack = { .frames = frames, .most = most };

	_Unwind_Backtrace(stack_add, &stack);
}

static void
tell(const char *name, int error, unsigned choices)
{
	strncpy(page->name, name, NAME - 1);
	page->error = error;
	page->choices = choices;
	stack_take(page->frames, FRAMES);
	atomic_store(&page->told, 1);
}

static void
trace(uint64_t n, const char *name)
{
	struct counted *counted = &page->counted[n - 1];

	if (page->traces == 0 || n > TRACED)
		return;
	strncpy(counted->name, name, NAME - 1);
	stack_take(counted->frames, TRACE);
}

/* 0, or the error that this one fails with. */
static int __attribute__((noinline))
fails(enum kind kind, const char *name, const int *errors, unsigned choices)
{
	int error = 0, kept = errno;
	uint64_t n;

	if (page == NULL || inside || page->kind != kind ||
	    atomic_load(&page->armed) == 0)
		return 0;
	inside = true;
	n = atomic_fetch_add(&page->count, 1) + 1;
	trace(n, name);
	if (page->nth != 0 && n >= page->nth && n - page->nth < page->times) {
		error = errors[page->choice % choices];
		if (atomic_fetch_add(&page->hits, 1) == 0)
			tell(name, error, choices);
	}
	errno = kept;
	inside = false;
	return error;
}

/* --- Memory. */

/* The sanitizer's own, by which its allocator is reached. */
void *__interceptor_malloc(size_t);
void *__interceptor_calloc(size_t, size_t);
void *__interceptor_realloc(void *, size_t);
void *__interceptor_aligned_alloc(size_t, size_t);
int   __interceptor_posix_memalign(void **, size_t, size_t);

static bool
in_executable(uint64_t address)
{
	return address >= page->modules[0].from &&
	    address < page->modules[0].to;
}

/* Of a new thread the sanitizer wants to know where its stack is, and takes
 * no for no answer: what the executable has no part in does not count.  The
 * frames of this file are left out, from stack_take() to malloc(). */
static bool __attribute__((noinline))
is_ours(void)
{
	uint64_t frames[FRAMES] = { 0 };

	stack_take(frames, FRAMES);
	for (unsigned i = 4; i < FRAMES && frames[i] != 0; i++)
		if (in_executable(frames[i]))
			return true;
	return false;
}

static bool __attribute__((noinline))
no_memory(const char *name)
{
	static const int errors[] = { ENOMEM };
	int error = 0;

	if (page != NULL && !inside && atomic_load(&page->armed) != 0) {
		inside = true;
		error = is_ours() ? ENOMEM : 0;
		inside = false;
	}
	if (error != 0)
		error = fails(KIND_MEMORY, name, errors, 1);
	if (error != 0)
		errno = error;
	return error != 0;
}

void *
malloc(size_t size)
{
	return no_memory("malloc") ? NULL : __interceptor_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return no_memory("calloc") ? NULL : __interceptor_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
	return no_memory("realloc") ? NULL : __interceptor_realloc(old, size);
}

void *
reallocarray(void *old, size_t count, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(count, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return no_memory("reallocarray") ? NULL :
	    __interceptor_realloc(old, all);
}

void *
aligned_alloc(size_t align, size_t size)
{
	return no_memory("aligned_alloc") ? NULL :
	    __interceptor_aligned_alloc(align, size);
}

int
posix_memalign(void **at, size_t align, size_t size)
{
	return no_memory("posix_memalign") ? ENOMEM :
	    __interceptor_posix_memalign(at, align, size);
}

/* The sanitizer's copies do not pass by malloc. */
#undef strdup
#undef strndup

char *
strndup(const char *text, size_t most)
{
	size_t len = strnlen(text, most);
	char *copy = no_memory("strdup") ? NULL :
	    __interceptor_malloc(len + 1);

	if (copy == NULL)
		return NULL;
	copy[len] = '\0';
	return memcpy(copy, text, len);
}

char *
strdup(const char *text)
{
	return strndup(text, SIZE_MAX);
}

/* --- Calls. */

typedef long function(long, long, long, long, long, long);

/* The function of that name behind ours. */
static function *
next(function **known, const char *name)
{
	bool outer = inside;

	if (*known != NULL)
		return *known;
	inside = true;
	*(void **)known = dlsym(RTLD_NEXT, name);
	inside = outer;
	if (*known == NULL)
		abort();
	return *known;
}

/* A function of libc with up to six words as arguments: integers and pointers
 * pass unchanged whatever their types, on the machines that we test on.  When
 * it fails, 'result' is what it returns, and its errors are those that a
 * kernel may well give to a program that does nothing wrong. */
#define WORDS		  a, b, c, d, e, f
#define FUNCTION(name)	  static function *name##_next; \
	long fault_##name(long, long, long, long, long, long) __asm__(#name); \
	long fault_##name(long a, long b, long c, long d, long e, long f)
#define FORWARD(name)	  next(&name##_next, #name)(WORDS)
#define FAILS(name, ...)  fails(KIND_CALL, #name, (const int[]){ __VA_ARGS__ }, \
	    COUNT(((const int[]){ __VA_ARGS__ })))

#define RETURNS(result, name, ...) \
	FUNCTION(name) \
	{ \
		int error = FAILS(name, __VA_ARGS__); \
		if (error == 0) \
			return FORWARD(name); \
		errno = error; \
		return result; \
	}
#define CALL(name, ...)	   RETURNS(-1, name, __VA_ARGS__)
#define POINTER(name, ...) RETURNS(0, name, __VA_ARGS__)

/* The result is the error itself. */
#define ANSWER(name, ...) \
	FUNCTION(name) \
	{ \
		int error = FAILS(name, __VA_ARGS__); \
		return error == 0 ? FORWARD(name) : error; \
	}

/* What was asked for is done all the same. */
#define DONE(name, ...) \
	FUNCTION(name) \
	{ \
		int error = FAILS(name, __VA_ARGS__); \
		long result = FORWARD(name); \
		if (error == 0) \
			return result; \
		errno = error; \
		return -1; \
	}

/* Sockets.  recv and send do not say EAGAIN here, behind which an event has to
 * follow, nor that a peer is gone who is not: he would wait for ever. */
CALL(socket, EMFILE, ENFILE, ENOBUFS, ENOMEM)
CALL(socketpair, EMFILE, ENOMEM)
CALL(bind, EADDRINUSE, EACCES, ENOMEM)
CALL(listen, EADDRINUSE, ENOMEM)
CALL(accept, EMFILE, ENOMEM, ECONNABORTED, EINTR)
CALL(accept4, EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPERM, EINTR)
CALL(connect, ECONNREFUSED, EADDRNOTAVAIL, ENETUNREACH, EPERM, ENOBUFS, ENOMEM)
CALL(getsockopt, ENOBUFS)
CALL(getsockname, ENOBUFS)
CALL(getpeername, ENOBUFS, ENOTCONN)
CALL(recv, ENOMEM, ENOBUFS, EINTR)
CALL(send, ENOBUFS, ENOMEM, EINTR)
CALL(recvfrom, ECONNREFUSED, ENOMEM, EAGAIN, EINTR)
CALL(sendto, ECONNREFUSED, ENOBUFS, EAGAIN, EINTR)
CALL(recvmsg, ENOMEM, EAGAIN, EINTR)
CALL(sendmsg, ECONNREFUSED, ENOBUFS, EAGAIN, EINTR)
CALL(ioctl, EINVAL)

/* Events. */
CALL(epoll_create1, EMFILE, ENFILE, ENOMEM)
CALL(epoll_create, EMFILE, ENFILE, ENOMEM)
CALL(eventfd, EMFILE, ENFILE, ENOMEM)
CALL(eventfd_read, EINTR)
CALL(timerfd_create, EMFILE, ENOMEM)
CALL(pipe, EMFILE, ENFILE)
CALL(pipe2, EMFILE, ENFILE)
CALL(splice, ENOMEM, EINVAL, EINTR)
CALL(poll, EINTR, ENOMEM)
CALL(ppoll, EINTR, ENOMEM)
CALL(select, EINTR, ENOMEM)
CALL(nanosleep, EINTR)

/* Files. */
CALL(open, EMFILE, ENFILE, ENOMEM, EACCES, ENOSPC)
CALL(openat, EMFILE, ENFILE, ENOMEM, EACCES, ENOSPC)
POINTER(fopen, EMFILE, ENOMEM, EACCES)
POINTER(opendir, EMFILE, ENOMEM, EACCES)
CALL(readv, ENOMEM, EAGAIN, EINTR)
CALL(writev, ENOMEM, EAGAIN, EINTR)
CALL(pread, EINTR, EIO)
CALL(pwrite, ENOSPC, EIO, EINTR)
CALL(ftruncate, EIO, EINTR)
CALL(fsync, EIO)
CALL(fdatasync, EIO)
DONE(close, EIO, EINTR)
CALL(fstat, EIO)
CALL(stat, EACCES, ENOMEM)
CALL(lstat, EACCES, ENOMEM)
CALL(access, EACCES)
CALL(faccessat, EACCES)
POINTER(getcwd, ENOENT)
CALL(unlink, EACCES, ENOENT)
CALL(rename, EACCES, ENOSPC)
CALL(mkdir, EACCES, ENOSPC)
CALL(chmod, EPERM)
CALL(fchmod, EPERM)
CALL(chown, EPERM)
CALL(fchown, EPERM)
CALL(lchown, EPERM)
CALL(chdir, EACCES)
CALL(flock, ENOLCK, EAGAIN)
CALL(lockf, ENOLCK, EAGAIN)
CALL(readlink, EACCES)
CALL(readlinkat, EACCES)
POINTER(realpath, EACCES, ENOMEM)
CALL(dup, EMFILE)
CALL(dup2, EMFILE, EINTR)
CALL(dup3, EMFILE, EINTR)
ANSWER(glob, 1 /* GLOB_NOSPACE */, 2 /* GLOB_ABORTED */)

CALL(memfd_create, EMFILE, ENFILE, ENOMEM)
CALL(mmap, ENOMEM)
CALL(mprotect, ENOMEM)

/* The process and its host. */
ANSWER(pthread_create, EAGAIN)
ANSWER(getaddrinfo, EAI_MEMORY, EAI_AGAIN, EAI_FAIL, EAI_NONAME, EAI_SYSTEM)
CALL(getifaddrs, ENOMEM, EMFILE)
CALL(getrandom, EINTR, EAGAIN, ENOSYS)
CALL(sched_getaffinity, EINVAL)
CALL(getrlimit, EPERM)
CALL(setrlimit, EPERM)
CALL(uname, EFAULT)
CALL(fork, EAGAIN, ENOMEM)
CALL(setsid, EPERM)
CALL(waitpid, EINTR)
CALL(setgroups, EPERM, ENOMEM)
CALL(initgroups, EPERM, ENOMEM)
CALL(setuid, EPERM, EAGAIN)
CALL(setgid, EPERM)
CALL(setresuid, EPERM, EAGAIN)
CALL(setresgid, EPERM)
CALL(prctl, EPERM)
CALL(syscall, EPERM)
POINTER(getpwnam, EMFILE, ENOMEM, EIO)
POINTER(getgrnam, EMFILE, ENOMEM, EIO)
POINTER(getpwuid, EMFILE, ENOMEM, EIO)
POINTER(getgrgid, EMFILE, ENOMEM, EIO)
POINTER(if_nametoindex, EMFILE)
POINTER(if_indextoname, ENXIO)
ANSWER(getpwnam_r, EMFILE, ENOMEM, EIO)
ANSWER(getgrnam_r, EMFILE, ENOMEM, EIO)

/* Libraries, where they make something.  What they call themselves, for memory
 * or of the kernel, arrives above. */
POINTER(SSL_CTX_new, ENOMEM)
POINTER(SSL_new, ENOMEM)
RETURNS(0, SSL_set_fd, ENOMEM)
RETURNS(0, SSL_ctrl, ENOMEM)
ANSWER(ares_library_init, 15 /* ARES_ENOMEM */)
ANSWER(ares_init_options, 15, 16 /* ARES_EDESTRUCTION: any other */)
ANSWER(ares_set_servers_ports, 15)

static bool
from_libevent(void *caller)
{
	uint64_t at = (uint64_t)(uintptr_t)caller;

	for (unsigned i = 0; page != NULL && i < MODULES; i++)
		if (at >= page->modules[i].from && at < page->modules[i].to)
			return strstr(page->modules[i].path, "/libevent") !=
			    NULL;
	return false;
}

static bool
is_file(int fd)
{
	bool outer = inside, file;
	struct stat st;

	inside = true;
	file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	inside = outer;
	return file;
}

static bool
is_listening(int fd)
{
	socklen_t len = sizeof(int);
	bool outer = inside;
	int yes = 0;

	inside = true;
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len);
	inside = outer;
	return yes != 0;
}

/* That a port is shut does not fail. */
FUNCTION(shutdown)
{
	int error = is_listening((int)a) ? 0 : FAILS(shutdown, ENOTCONN);

	if (error == 0)
		return FORWARD(shutdown);
	errno = error;
	return -1;
}

/* libevent writes one byte into its own pipe, in a signal handler, and reads it
 * from there: that does not fail. */
FUNCTION(read)
{
	int error = from_libevent(__builtin_return_address(0)) ? 0 :
	    is_file((int)a) ? FAILS(read, EINTR, EIO) : FAILS(read, EINTR);

	if (error == 0)
		return FORWARD(read);
	errno = error;
	return -1;
}

/* Stderr has room: it says why a start came to nothing. */
FUNCTION(write)
{
	bool file = a != STDERR_FILENO && is_file((int)a);
	int error = from_libevent(__builtin_return_address(0)) ? 0 :
	    file ? FAILS(write, ENOSPC, EIO, EINTR) :
	    FAILS(write, EINTR);

	if (error == 0)
		return FORWARD(write);
	errno = error;
	return -1;
}

/* All but this one can fail: on it depends that a reset is one. */
FUNCTION(setsockopt)
{
	bool linger = b == SOL_SOCKET && c == SO_LINGER;
	int error = linger ? 0 : FAILS(setsockopt, ENOBUFS, ENOPROTOOPT,
	    EPERM);

	if (error == 0)
		return FORWARD(setsockopt);
	errno = error;
	return -1;
}

/* Only what is added takes memory. */
FUNCTION(epoll_ctl)
{
	int error = b == EPOLL_CTL_ADD ? FAILS(epoll_ctl, ENOMEM, ENOSPC) : 0;

	if (error == 0)
		return FORWARD(epoll_ctl);
	errno = error;
	return -1;
}

/* Only locks can fail, and making a pipe larger. */
FUNCTION(fcntl)
{
	bool lock = b == F_SETLK || b == F_SETLKW || b == F_OFD_SETLK ||
	    b == F_OFD_SETLKW;
	int error = lock ? FAILS(fcntl, ENOLCK) :
	    b == F_SETPIPE_SZ ? FAILS(fcntl, EPERM, ENOMEM) : 0;

	if (error == 0)
		return FORWARD(fcntl);
	errno = error;
	return -1;
}

FUNCTION(epoll_wait)
{
	int error = FAILS(epoll_wait, EINTR);

	if (page != NULL)
		atomic_fetch_add(&page->turns, 1);
	if (error == 0)
		return FORWARD(epoll_wait);
	errno = error;
	return -1;
}

/* --- The page. */

static int
module_add(struct dl_phdr_info *info, size_t size, void *arg)
{
	unsigned *count = arg;
	struct module *module = &page->modules[*count];

	(void)size;
	if (*count == MODULES)
		return 1;
	module->from = info->dlpi_addr;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		uint64_t to = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr +
		    info->dlpi_phdr[i].p_memsz;

		if (info->dlpi_phdr[i].p_type == PT_LOAD && to > module->to)
			module->to = to;
	}
	/* The executable is the first and has no name here. */
	if (*count > 0)
		strncpy(module->path, info->dlpi_name,
		    sizeof(module->path) - 1);
	++*count;
	return 0;
}

static void __attribute__((constructor))
page_open(void)
{
	const char *path = getenv("FAULTS");
	unsigned count = 0;
	void *map;
	int fd;

	if (path == NULL)
		return;
	inside = true;
	fd = open(path, O_RDWR | O_CLOEXEC);
	map = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	if (fd < 0 || map == MAP_FAILED) {
		perror(path);
		_exit(98);
	}
	close(fd);
	page = map;
	dl_iterate_phdr(module_add, &count);
	inside = false;
}

/* What runs at the very end belongs to the sanitizers. */
static void __attribute__((destructor))
page_close(void)
{
	page = NULL;
}
