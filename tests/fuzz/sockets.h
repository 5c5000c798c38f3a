/* The two sockets of a session, and what the kernel answers to calls on them:
 * the script says what their peers do.  Calls that could only be a mistake of
 * ours fail an assertion. */
#ifndef SLUICE_FUZZ_SOCKETS_H
#define SLUICE_FUZZ_SOCKETS_H

#include <event2/event.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "pipes.h"

#define ROOM_MAX (1 << 20)

struct side {
	int	 fd;	   /* -1: none */
	uint64_t said;	   /* by the peer, in all */
	uint64_t heard;	   /* of that, by us */
	uint64_t taken;	   /* of ours, by the peer's kernel */
	uint64_t unsent;   /* of that, not acknowledged */
	size_t	 room;	   /* for more */
	size_t	 piece;	   /* the most that a slot of a pipe holds */
	size_t	 bite;	   /* the most slots that one splice moves */
	uint64_t urgent;  /* where the peer's urgent byte is */
	int	 error;	   /* pending, an errno */
	bool	 connected;
	bool	 fin;	   /* the peer ends behind what it said */
	bool	 reset;	   /* the peer did */
	bool	 shut;	   /* we sent a FIN */
	bool	 linger;   /* closing will reset */
	short	 coming;   /* an edge that epoll has not told yet */
};

static struct side client, upstream;
static uint64_t now = 1000000;
static int splice_error; /* an errno of the next one's own; 0: it goes */
static unsigned recvs_short; /* of memory: so many fail */
static bool hurried; /* time passed, somebody killed, or memory was short: bytes
			may be lost */
static int silent_fd; /* never ready: what libevent watches */

static struct side *
side_of(int fd)
{
	if (fd == client.fd)
		return &client;
	return fd == upstream.fd ? &upstream : NULL;
}

static struct side *
other(const struct side *x)
{
	return x == &client ? &upstream : &client;
}

/* What a side says, by position. */
static uint8_t
byte_of(const struct side *x, uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) + (x == &client ? 7 : 100));
}

static struct side
new_side(void)
{
	return (struct side){ .fd = dup(silent_fd), .room = ROOM_MAX,
		.piece = SIZE_MAX, .bite = SIZE_MAX, .urgent = UINT64_MAX };
}

/* --- The system calls. */

int __real_close(int);
int __real_getsockopt(int, int, int, void *, socklen_t *);

ssize_t __wrap_recv(int, void *, size_t, int);
ssize_t __wrap_send(int, const void *, size_t, int);
int	__wrap_shutdown(int, int);
int	__wrap_close(int);
int	__wrap_socket(int, int, int);
int	__wrap_connect(int, const struct sockaddr *, socklen_t);
int	__wrap_getpeername(int, struct sockaddr *, socklen_t *);
int	__wrap_getsockopt(int, int, int, void *, socklen_t *);
int	__wrap_setsockopt(int, int, int, const void *, socklen_t);
int	__wrap_ioctl(int, unsigned long, int *);
ssize_t __wrap_splice(int, off_t *, int, off_t *, size_t, unsigned);
uint64_t __wrap_clock_ms(void);

static int
fail(int error)
{
	errno = error;
	return -1;
}

static int
take_error(struct side *x)
{
	int error = x->error;

	x->error = 0;
	return error;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* What reading says that finds nothing: behind a FIN 0 for ever, else the
 * error, once, and from then on 0 (SOCK_DONE, sk_err, RCV_SHUTDOWN). */
static ssize_t
nothing(struct side *x)
{
	if (x->error != 0 && !x->fin)
		return fail(take_error(x));
	return x->fin || x->reset ? 0 : fail(EAGAIN);
}

/* As tcp_recvmsg(), with SO_OOBINLINE: it stops before the urgent byte, and the
 * next one goes past it. */
ssize_t
__wrap_recv(int fd, void *to, size_t size, int flags)
{
	struct side *x = side_of(fd);
	uint8_t *out = to;

	(void)flags;
	assert(x != NULL && x->connected);
	if (recvs_short > 0) {
		recvs_short--;
		hurried = true;
		return fail(ENOMEM);
	}
	if (x->heard < x->urgent)
		size = least(size, x->urgent - x->heard);
	size = least(size, x->said - x->heard);
	for (size_t i = 0; i < size; i++)
		out[i] = byte_of(x, x->heard++);
	if (x->heard > x->urgent)
		x->urgent = UINT64_MAX;
	return size > 0 ? (ssize_t)size : nothing(x);
}

/* 0, or -1 and errno. */
static int
can_send(struct side *x)
{
	assert(x != NULL && x->connected && !x->shut);
	if (x->error != 0)
		return fail(take_error(x));
	if (x->reset)
		return fail(EPIPE);
	return x->room == 0 ? fail(EAGAIN) : 0;
}

static void
sent(struct side *x, size_t size)
{
	assert(x->taken <= other(x)->heard);
	x->room -= size;
	x->unsent += size;
}

ssize_t
__wrap_send(int fd, const void *from, size_t size, int flags)
{
	struct side *x = side_of(fd);
	const uint8_t *in = from;

	assert(size > 0 && flags == MSG_NOSIGNAL);
	if (can_send(x) < 0)
		return -1;
	size = least(size, x->room);
	for (size_t i = 0; i < size; i++)
		assert(in[i] == byte_of(other(x), x->taken++));
	sent(x, size);
	return (ssize_t)size;
}

/* As tcp_splice_read(), which does not go past the urgent byte.  The pipe is
 * empty, or nobody could tell what EAGAIN means. */
static ssize_t
splice_in(struct side *x, struct fake_pipe *p, size_t size)
{
	uint64_t start = x->heard;
	size_t n;

	assert(x != NULL && x->connected && pipe_bytes(p) == 0);
	while (!pipe_is_full(p) && p->used < x->bite) {
		n = least(size - (x->heard - start), x->said - x->heard);
		n = least(n, x->urgent - x->heard);
		n = least(n, least(x->piece, SLOT_SIZE));
		if (n == 0)
			break;
		pipe_put(p, x, x->heard, n);
		x->heard += n;
	}
	n = x->heard - start;
	return n > 0 ? (ssize_t)n : nothing(x);
}

static ssize_t
splice_out(struct fake_pipe *p, struct side *x, size_t size)
{
	size_t sum = 0;

	assert(size > 0 && size == pipe_bytes(p));
	if (can_send(x) < 0)
		return -1;
	size = least(size, x->room);
	for (size_t i = 0; sum < size && i < x->bite; i++) {
		struct slot got = pipe_get(p, size - sum);

		assert(got.of == other(x) && got.at == x->taken);
		x->taken += got.len;
		sum += got.len;
	}
	sent(x, sum);
	return (ssize_t)sum;
}

ssize_t
__wrap_splice(int from, off_t *from_at, int to, off_t *to_at, size_t size,
    unsigned flags)
{
	struct fake_pipe *p = pipes_find(to);
	int error = splice_error;

	assert(from_at == NULL && to_at == NULL);
	assert(flags == (SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
	if (p == NULL)
		return splice_out(pipes_find(from), side_of(to), size);
	splice_error = 0;
	return error != 0 ? fail(error) : splice_in(side_of(from), p, size);
}

int
__wrap_shutdown(int fd, int how)
{
	struct side *x = side_of(fd);

	assert(x != NULL && how == SHUT_WR && !x->shut);
	assert(other(x)->fin && x->taken == other(x)->said);
	if (x->reset)
		return fail(ENOTCONN);
	x->shut = true;
	return 0;
}

/* As tcp_close(): a FIN where all was read, and nothing more can come; else a
 * reset, which nobody asked for. */
static void
close_with_fin(struct side *x)
{
	assert(x->fin && x->heard == x->said);
	assert(other(x)->fin && x->taken == other(x)->said);
	x->shut = true;
}

/* A stream must not look complete that is not, and a reset must not destroy
 * what is still on its way. */
int
__wrap_close(int fd)
{
	struct side *x = side_of(fd);

	if (x != NULL) {
		if (x->connected && !x->linger && !x->shut && !x->reset)
			close_with_fin(x);
		assert(!x->linger || x->unsent == 0 || x->reset || hurried);
		x->fd = -1;
	}
	pipes_close(fd);
	assert(__real_close(fd) == 0);
	return 0;
}

int
__wrap_socket(int domain, int type, int protocol)
{
	(void)domain, (void)type, (void)protocol;
	assert(upstream.fd == -1);
	upstream = new_side();
	return upstream.fd;
}

int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)to, (void)len;
	assert(fd == upstream.fd);
	return fail(EINPROGRESS);
}

int
__wrap_getpeername(int fd, struct sockaddr *name, socklen_t *len)
{
	const struct side *x = side_of(fd);

	(void)name, (void)len;
	assert(x != NULL);
	return x->connected ? 0 : fail(ENOTCONN);
}

int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct side *x = side_of(fd);

	if (x == NULL)
		return __real_getsockopt(fd, level, name, value, len);
	memset(value, 0, *len);
	if (level == SOL_SOCKET && name == SO_ERROR)
		*(int *)value = take_error(x);
	else if (level == SOL_SOCKET && name == SO_DOMAIN)
		*(int *)value = AF_INET;
	return 0;
}

int
__wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct side *x = side_of(fd);

	(void)value, (void)len;
	assert(x != NULL);
	if (level == SOL_SOCKET && name == SO_LINGER)
		x->linger = true;
	return 0;
}

int
__wrap_ioctl(int fd, unsigned long request, int *value)
{
	const struct side *x = side_of(fd);

	assert(x != NULL && request == SIOCOUTQ);
	*value = x->reset ? 0 : (int)x->unsent;
	return 0;
}

uint64_t
__wrap_clock_ms(void)
{
	return now;
}

#endif
