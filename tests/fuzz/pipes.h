/* Pipes as the kernel has them: with room for slots, not for bytes.  What a
 * slot holds is told by the stream that it is of, and its place in that. */
#ifndef SLUICE_FUZZ_PIPES_H
#define SLUICE_FUZZ_PIPES_H

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define SLOT_SIZE  4096
#define SLOTS_NEW  16 /* of a pipe that was not made larger */
#define SLOTS_MAX  256
#define PIPES_MOST 16

struct slot {
	const void *of;
	uint64_t    at;
	size_t	    len;
};

struct fake_pipe {
	int	    in, out; /* -1: closed */
	bool	    open;    /* one of them at least is not */
	size_t	    slots;
	size_t	    first, used;
	struct slot slot[SLOTS_MAX];
};

static struct {
	struct fake_pipe all[PIPES_MOST];
	int		 fd; /* never ready: its copies are the ends */
	int		 pipe2_error;	/* an errno; 0: it goes */
	int		 resize_error;
} pipes;

int __real_fcntl(int, int, ...);
int __wrap_fcntl(int, int, ...);
int __wrap_pipe2(int *, int);

static struct fake_pipe *
pipes_find(int fd)
{
	for (size_t i = 0; i < PIPES_MOST; i++) {
		struct fake_pipe *p = &pipes.all[i];

		if (p->open && (p->in == fd || p->out == fd))
			return p;
	}
	return NULL;
}

static unsigned
pipes_open(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < PIPES_MOST; i++)
		n += pipes.all[i].open;
	return n;
}

static void
pipes_close(int fd)
{
	struct fake_pipe *p = pipes_find(fd);

	if (p == NULL)
		return;
	if (p->in == fd)
		p->in = -1;
	else
		p->out = -1;
	p->open = p->in >= 0 || p->out >= 0;
}

static size_t
pipe_bytes(const struct fake_pipe *p)
{
	size_t sum = 0;

	for (size_t i = 0; i < p->used; i++)
		sum += p->slot[(p->first + i) % SLOTS_MAX].len;
	return sum;
}

static bool
pipe_is_full(const struct fake_pipe *p)
{
	return p->used == p->slots;
}

static void
pipe_put(struct fake_pipe *p, const void *of, uint64_t at, size_t len)
{
	assert(!pipe_is_full(p) && len > 0 && len <= SLOT_SIZE);
	p->slot[(p->first + p->used++) % SLOTS_MAX] =
	    (struct slot){ of, at, len };
}

/* Up to 'len' bytes of the oldest slot. */
static struct slot
pipe_get(struct fake_pipe *p, size_t len)
{
	struct slot *s = &p->slot[p->first], got = *s;

	assert(p->used > 0);
	got.len = len < s->len ? len : s->len;
	s->at += got.len;
	s->len -= got.len;
	if (s->len == 0) {
		p->first = (p->first + 1) % SLOTS_MAX;
		p->used--;
	}
	return got;
}

int
__wrap_pipe2(int *fds, int flags)
{
	struct fake_pipe *p = pipes.all;

	assert(flags == (O_NONBLOCK | O_CLOEXEC));
	errno = pipes.pipe2_error;
	if (errno != 0)
		return -1;
	while (p->open)
		assert(++p < pipes.all + PIPES_MOST);
	*p = (struct fake_pipe){ .out = dup(pipes.fd), .in = dup(pipes.fd),
		.open = true, .slots = SLOTS_NEW };
	fds[0] = p->out;
	fds[1] = p->in;
	return 0;
}

/* The size of a pipe; what else there is takes one int at most. */
int
__wrap_fcntl(int fd, int what, ...)
{
	struct fake_pipe *p = pipes_find(fd);
	va_list args;
	int value;

	va_start(args, what);
	value = va_arg(args, int);
	va_end(args);
	if (p == NULL)
		return __real_fcntl(fd, what, value);
	assert(what == F_SETPIPE_SZ && value / SLOT_SIZE <= SLOTS_MAX);
	errno = pipes.resize_error;
	if (errno != 0)
		return -1;
	p->slots = (size_t)value / SLOT_SIZE;
	return value;
}

#endif
