/* Peers on loopback for the tests: plain blocking sockets that know nothing of
 * the code under test.  Every wait has an end, so that a bug fails and does not
 * hang. */
#ifndef SLUICE_TESTS_LOOPBACK_H
#define SLUICE_TESTS_LOOPBACK_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"

#define PATIENCE_MS 20000 /* for what must come; ten times what is slow */

/* while (!condition && patient(&until)) {}, with 'until' 0 at first. */
static inline bool
patient(uint64_t *until)
{
	if (*until == 0)
		*until = clock_ms() + PATIENCE_MS;
	poll(NULL, 0, 1);
	return clock_ms() < *until;
}

/* Whether the fd becomes readable in time. */
static inline bool
comes_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, PATIENCE_MS) == 1;
}

/* Whether it is now. */
static inline bool
is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static inline struct addr
loopback(const char *ip, uint16_t port)
{
	struct addr addr;

	assert_int_equal(addr_from_ip(&addr, ip, port), 0);
	return addr;
}

/* Where a socket is bound. */
static inline struct addr
addr_of(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	struct addr addr;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	addr_from_sockaddr(&addr, (struct sockaddr *)&ss, len);
	return addr;
}

/* Whom a socket is connected to. */
static inline struct addr
peer_of(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	struct addr addr;

	assert_int_equal(getpeername(fd, (struct sockaddr *)&ss, &len), 0);
	addr_from_sockaddr(&addr, (struct sockaddr *)&ss, len);
	return addr;
}

static inline int
option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static inline void
set_patience(int fd)
{
	struct timeval tv = { .tv_sec = PATIENCE_MS / 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* A listening socket of the peer's, on a port that was free. */
static inline int
peer_listen(int backlog)
{
	struct addr addr = loopback("127.0.0.1", 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &addr.sa, addr.len), 0);
	assert_int_equal(listen(fd, backlog), 0);
	set_patience(fd);
	return fd;
}

static inline int
peer_connect(const struct addr *to)
{
	int one = 1, fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC,
	    0);

	assert_true(fd >= 0);
	set_patience(fd);
	assert_int_equal(connect(fd, &to->sa, to->len), 0);
	if (to->sa.sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Works for the listening sockets under test as well. */
static inline int
peer_accept(int listening)
{
	int fd;

	assert_true(comes_readable(listening));
	fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	set_patience(fd);
	return fd;
}

/* A TCP connection: 'ours' does not block and is for the code under test,
 * 'theirs' is the peer's. */
static inline void
tcp_pair(int *ours, int *theirs)
{
	int listening = peer_listen(1);
	struct addr at = addr_of(listening);

	*theirs = peer_connect(&at);
	*ours = peer_accept(listening);
	assert_int_equal(fcntl(*ours, F_SETFL, O_NONBLOCK), 0);
	close(listening);
}

static inline void
peer_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
	    strlen(text));
}

/* Exactly this text comes next. */
static inline void
peer_expect(int fd, const char *text)
{
	char got[256] = "";

	assert_true(strlen(text) < sizeof(got));
	assert_int_equal(recv(fd, got, strlen(text), MSG_WAITALL),
	    strlen(text));
	assert_string_equal(got, text);
}

/* How the stream ends, whatever comes before: 0 is FIN, else -errno. */
static inline int
peer_end(int fd)
{
	static char waste[65536];
	ssize_t n;

	do
		n = recv(fd, waste, sizeof(waste), 0);
	while (n > 0);
	return n == 0 ? 0 : -errno;
}

/* Closes with a reset. */
static inline void
peer_reset(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

/* The number the next descriptor gets: the same before and after means that
 * none was leaked, and none closed that was not ours. */
static inline int
next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

#endif
