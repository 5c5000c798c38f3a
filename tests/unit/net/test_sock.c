#include "net/sock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../skip.h"
#include "loopback.h"

static const struct sock_tcp plain;
static const struct sock_listen one_family, both_families = { .dual = true };
static const struct sock_tcp tuned = {
	.nodelay = true,
	.keepalive = true,
	.keepalive_idle = 33,
	.keepalive_interval = 7,
	.keepalive_count = 5,
};

/* A folder for Unix sockets, removed with what is in it. */
struct folder {
	char path[64];
};

static int
folder_make(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	strcpy(folder->path, "/tmp/sock-XXXXXX");
	*state = folder;
	return mkdtemp(folder->path) == NULL;
}

static struct addr
folder_addr(const struct folder *folder, const char *name)
{
	char path[100];
	struct addr addr;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	assert_int_equal(addr_from_path(&addr, path), 0);
	return addr;
}

static int
folder_remove(void **state)
{
	const char *const names[] = { "socket", "file", "link" };
	struct folder *folder = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct addr addr = folder_addr(folder, names[i]);

		unlink(addr.un.sun_path);
	}
	assert_int_equal(rmdir(folder->path), 0);
	free(folder);
	return 0;
}

static int
listen_on(const struct addr *addr)
{
	struct sock_listen opts = { .tcp = &plain, .backlog = 16 };
	int fd = sock_listen(addr, &opts);

	assert_true(fd >= 0);
	return fd;
}

static int
connect_to(const struct addr *addr)
{
	int fd = sock_connect(addr, NULL, &plain);

	assert_true(fd >= 0);
	return fd;
}

static void
wait_for_connect(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

static void
assert_fd_flags(int fd)
{
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static bool
have_ipv6(void)
{
	struct addr addr = loopback("::1", 0);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool have = fd >= 0 && bind(fd, &addr.sa, addr.len) == 0;

	if (fd >= 0)
		close(fd);
	return have;
}

/* Both ways over a connection from one to the other. */
static void
assert_talk(const struct addr *from, const struct addr *at)
{
	int listening = listen_on(from), ours, theirs;
	struct addr bound = addr_of(listening);

	ours = connect_to(at != NULL ? at : &bound);
	theirs = peer_accept(listening);
	assert_fd_flags(listening);
	assert_fd_flags(ours);
	wait_for_connect(ours);
	assert_int_equal(sock_connected(ours), 0);
	peer_send(ours, "ping");
	peer_expect(theirs, "ping");
	peer_send(theirs, "pong");
	assert_true(comes_readable(ours));
	peer_expect(ours, "pong");
	close(ours);
	close(theirs);
	close(listening);
}

static void
tcp_both_ways(void **state)
{
	struct addr addr = loopback("127.0.0.1", 0);

	(void)state;
	assert_talk(&addr, NULL);
	if (!have_ipv6())
		return;
	addr = loopback("::1", 0);
	assert_talk(&addr, NULL);
}

static void
unix_both_ways(void **state)
{
	struct addr addr = folder_addr(*state, "socket");
	char name[64];

	assert_talk(&addr, &addr);
	snprintf(name, sizeof(name), "@sock-test-%d", (int)getpid());
	assert_int_equal(addr_from_path(&addr, name), 0);
	assert_talk(&addr, &addr);
}

/* It has the address, and lets nobody in. */
static void
bound_does_not_listen(void **state)
{
	struct sock_listen opts = { .tcp = &tuned, .backlog = 16 };
	struct addr addr = loopback("127.0.0.1", 0);
	int fd = sock_bound(&addr, &opts), client;

	(void)state;
	assert_true(fd >= 0);
	assert_fd_flags(fd);
	addr = addr_of(fd);
	client = connect_to(&addr);
	wait_for_connect(client);
	assert_int_equal(sock_connected(client), -ECONNREFUSED);
	close(client);

	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(sock_probe(&addr, &one_family), -EADDRINUSE);
	client = connect_to(&addr);
	wait_for_connect(client);
	assert_int_equal(sock_connected(client), 0);
	close(client);
	close(fd);
}

static void
listen_says_why_not(void **state)
{
	struct sock_listen opts = { .tcp = &plain, .backlog = 1 };
	struct addr addr = loopback("203.0.113.7", 0);
	int fd = next_fd();

	(void)state;
	assert_int_equal(sock_listen(&addr, &opts), -EADDRNOTAVAIL);
	assert_int_equal(sock_probe(&addr, &one_family), -EADDRNOTAVAIL);
	assert_int_equal(addr_from_path(&addr, "/nowhere/at/all"), 0);
	assert_int_equal(sock_listen(&addr, &opts), -ENOENT);
	assert_int_equal(next_fd(), fd);
}

static bool
answers(const char *ip, uint16_t port)
{
	struct addr to = loopback(ip, port);
	int fd = connect_to(&to);
	bool answered;

	wait_for_connect(fd);
	answered = sock_connected(fd) == 0;
	close(fd);
	return answered;
}

static void
wildcard_of_both_families(void **state)
{
	struct sock_listen opts = { .tcp = &plain, .backlog = 16 };
	struct addr any = loopback("::", 0);
	uint16_t port;
	int fd, other;

	(void)state;
	if (!have_ipv6())
		SKIP("no IPv6 here");
	opts.dual = true;
	fd = sock_listen(&any, &opts);
	assert_true(fd >= 0);
	any = addr_of(fd);
	port = addr_port(&any);
	assert_true(answers("127.0.0.1", port));
	assert_true(answers("::1", port));
	close(fd);

	/* IPv6 alone leaves the port of IPv4 to others. */
	opts.dual = false;
	any = loopback("0.0.0.0", 0);
	other = sock_listen(&any, &opts);
	assert_true(other >= 0);
	any = addr_of(other);
	port = addr_port(&any);
	any = loopback("::", port);
	fd = sock_listen(&any, &opts);
	assert_true(fd >= 0);
	close(other);
	assert_true(answers("::1", port));
	assert_false(answers("127.0.0.1", port));
	close(fd);
}

static void
knows_how_many_wait(void **state)
{
	struct addr addr = loopback("127.0.0.1", 0);
	int fd = listen_on(&addr), fds[3], pair[2];

	(void)state;
	addr = addr_of(fd);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sock_queued(fd, 99), i);
		fds[i] = peer_connect(&addr);
	}
	close(accept(fd, NULL, NULL));
	assert_int_equal(sock_queued(fd, 99), 2);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	close(fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(sock_queued(pair[0], 99), 99);
	close(pair[0]);
	close(pair[1]);
}

static void
a_path_has_its_mode_at_once(void **state)
{
	struct sock_listen opts = { .tcp = &plain, .backlog = 1, .mode = 0640 };
	struct addr addr = folder_addr(*state, "socket");
	mode_t mask = umask(0);
	struct stat st;
	int fd = sock_bound(&addr, &opts);

	assert_true(fd >= 0);
	assert_int_equal(stat(addr.un.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(umask(mask), 0); /* as it was */
	close(fd);
}

/* Ourselves we can give it to; nobody else's errors are looked at here. */
static void
a_path_that_cannot_be_given_is_removed(void **state)
{
	struct sock_owner owner = { getuid(), (gid_t)-1 };
	struct sock_listen opts = { .tcp = &plain, .backlog = 1,
		.owner = &owner };
	struct addr addr = folder_addr(*state, "socket");
	int fd = sock_listen(&addr, &opts);

	assert_true(fd >= 0);
	close(fd);
	unlink(addr.un.sun_path);
	if (getuid() == 0)
		return;
	owner.uid = 0;
	assert_int_equal(sock_listen(&addr, &opts), -EPERM);
	assert_int_equal(access(addr.un.sun_path, F_OK), -1);
}

/* 192.0.2.0/24 is nobody's (RFC 5737). */
static void
a_probe_is_as_the_real_bind(void **state)
{
	struct sock_listen opts = { .tcp = &plain, .freebind = true };
	struct addr four = loopback("192.0.2.1", 0);
	struct addr six = loopback("2001:db8::1", 0);
	int fd;

	(void)state;
	assert_int_equal(sock_probe(&four, &one_family), -EADDRNOTAVAIL);
	assert_int_equal(sock_probe(&four, &opts), 0);
	assert_int_equal(sock_probe(&six, &opts), 0);
	fd = sock_bound(&four, &opts);
	assert_true(fd >= 0);
	close(fd);
	opts.interface = "nosuchif";
	assert_int_equal(sock_probe(&four, &opts), -ENODEV);
	assert_int_equal(sock_bound(&four, &opts), -ENODEV);
}

static void
what_tcp_is_asked_to_do_first(void **state)
{
	struct sock_listen opts = { .tcp = &plain, .backlog = 1,
		.fast_open = 7, .defer_accept = 1, .mptcp = true };
	struct addr addr = loopback("127.0.0.1", 0);
	int fd;

	(void)state;
	if (sock_probe_mptcp() < 0)
		opts.mptcp = false;
	fd = sock_listen(&addr, &opts);
	assert_true(fd >= 0);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_PROTOCOL),
	    opts.mptcp ? IPPROTO_MPTCP : IPPROTO_TCP);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_FASTOPEN), 7);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 1);
	close(fd);
}

/* An option of [defaults] reaches those listeners, too. */
static void
what_is_for_tcp_is_not_for_paths(void **state)
{
	const struct sock_listen opts = { .tcp = &plain, .backlog = 1,
		.mptcp = true };
	struct addr addr = folder_addr(*state, "socket");
	int fd = sock_listen(&addr, &opts);

	assert_true(fd >= 0);
	close(fd);
}

/* Root has no right to do so, while he is somebody else. */
static void
who_may_not_give_a_path_away_leaves_none(void **state)
{
	static const struct sock_owner root = { 0, 0 };
	const struct sock_listen opts = { .tcp = &plain, .backlog = 1,
		.owner = &root };
	struct addr addr = folder_addr(*state, "socket");
	uid_t me = geteuid();
	int error, alone = next_fd();

	assert_int_equal(chmod(((struct folder *)*state)->path, 0777), 0);
	assert_true(me != 0 || seteuid(65534) == 0);
	error = sock_listen(&addr, &opts);
	assert_int_equal(seteuid(me), 0);
	assert_int_equal(error, -EPERM);
	assert_int_equal(access(addr.un.sun_path, F_OK), -1);
	assert_int_equal(next_fd(), alone);
}

static void
group_shares_a_port(void **state)
{
	struct sock_listen opts = { .tcp = &plain, .backlog = 16,
		.reuseport = true };
	struct addr addr = loopback("127.0.0.1", 0);
	int fds[3], alone;

	(void)state;
	for (int i = 0; i < 3; i++) {
		fds[i] = sock_listen(&addr, &opts);
		assert_true(fds[i] >= 0);
		addr = addr_of(fds[i]);
	}
	opts.reuseport = false;
	alone = next_fd();
	assert_int_equal(sock_listen(&addr, &opts), -EADDRINUSE);
	assert_int_equal(sock_probe(&addr, &one_family), -EADDRINUSE);
	assert_int_equal(next_fd(), alone);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	assert_int_equal(sock_probe(&addr, &one_family), 0);
	close(listen_on(&addr)); /* the probe holds nothing */
}

static void
probe_of_both_families(void **state)
{
	struct addr addr = loopback("127.0.0.1", 0), any;
	int fd = listen_on(&addr);

	(void)state;
	addr = addr_of(fd);
	if (!have_ipv6()) {
		close(fd);
		SKIP("no IPv6 here");
	}
	any = loopback("::", addr_port(&addr));
	assert_int_equal(sock_probe(&any, &both_families), -EADDRINUSE);
	assert_int_equal(sock_probe(&any, &one_family), 0);
	close(fd);
}

/* A server that closed first leaves TIME_WAIT behind on its port. */
static void
time_wait_is_no_obstacle(void **state)
{
	struct addr addr = loopback("127.0.0.1", 0);
	int listening = listen_on(&addr), client, server, fd;

	(void)state;
	addr = addr_of(listening);
	client = peer_connect(&addr);
	server = peer_accept(listening);
	close(server);
	assert_int_equal(peer_end(client), 0);
	close(client);
	close(listening);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, &addr.sa, addr.len), -1);
	assert_int_equal(errno, EADDRINUSE);
	close(fd);
	assert_int_equal(sock_probe(&addr, &one_family), 0);
	close(listen_on(&addr));
}

static bool
exists(const struct addr *addr)
{
	struct stat st;

	return lstat(addr->un.sun_path, &st) == 0;
}

static void
stale_path_is_removed(void **state)
{
	struct addr addr = folder_addr(*state, "socket");
	int fd = next_fd();

	assert_int_equal(sock_unlink_stale(&addr), 0); /* there is none */
	close(listen_on(&addr));
	assert_true(exists(&addr));
	assert_int_equal(sock_unlink_stale(&addr), 0);
	assert_false(exists(&addr));
	assert_int_equal(next_fd(), fd);
	close(listen_on(&addr));
}

/* A look at a path changes nothing. */
static void
probe_leaves_no_path(void **state)
{
	struct addr addr = folder_addr(*state, "socket");
	int fd = next_fd(), listening;

	assert_int_equal(sock_probe_unix(&addr), 0);
	assert_false(exists(&addr));
	listening = listen_on(&addr);
	assert_int_equal(sock_probe_unix(&addr), -EADDRINUSE);
	close(listening);
	assert_int_equal(sock_probe_unix(&addr), 0);
	assert_true(exists(&addr));
	assert_int_equal(next_fd(), fd);
	assert_int_equal(sock_unlink_stale(&addr), 0);
}

static void
live_path_stays(void **state)
{
	struct sock_listen opts = { .tcp = &plain, .backlog = 0 };
	struct addr addr = folder_addr(*state, "socket");
	int listening = sock_listen(&addr, &opts), client;

	assert_true(listening >= 0);
	assert_int_equal(sock_unlink_stale(&addr), -EADDRINUSE);
	close(peer_accept(listening)); /* that was its question */

	/* A full backlog is as alive. */
	client = connect_to(&addr);
	assert_int_equal(sock_connect(&addr, NULL, &plain), -EAGAIN);
	assert_int_equal(sock_unlink_stale(&addr), -EADDRINUSE);
	assert_true(exists(&addr));
	close(client);
	close(listening);
}

/* A socket of another kind says EPROTOTYPE. */
static void
datagram_path_stays(void **state)
{
	struct addr addr = folder_addr(*state, "socket");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, &addr.sa, addr.len), 0);
	assert_int_equal(sock_unlink_stale(&addr), -EADDRINUSE);
	assert_true(exists(&addr));
	close(fd);
}

static void
what_is_no_socket_stays(void **state)
{
	struct addr file = folder_addr(*state, "file");
	struct addr link = folder_addr(*state, "link");
	struct addr dead = folder_addr(*state, "socket");
	int fd = open(file.un.sun_path, O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(sock_unlink_stale(&file), -ENOTSOCK);
	assert_true(exists(&file));

	/* Not through a link: the socket there may be somebody else's. */
	close(listen_on(&dead));
	assert_int_equal(symlink(dead.un.sun_path, link.un.sun_path), 0);
	assert_int_equal(sock_unlink_stale(&link), -ENOTSOCK);
	assert_true(exists(&dead));
	assert_true(exists(&link));
}

static void
abstract_name_needs_no_removal(void **state)
{
	struct addr addr;

	(void)state;
	assert_int_equal(addr_from_path(&addr, "@sock-test-nobody"), 0);
	assert_int_equal(sock_unlink_stale(&addr), 0);
}

static void
connected_only_when_it_is(void **state)
{
	int listening = peer_listen(0), fd, queued;
	struct addr at = addr_of(listening);

	(void)state;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(sock_connected(fd), -ENOTCONN);
	close(fd);

	/* Behind a full queue the SYN gets no answer. */
	queued = peer_connect(&at);
	fd = connect_to(&at);
	assert_int_equal(sock_connected(fd), -ENOTCONN);
	close(fd);
	close(queued);
	close(listening);
}

static void
who_meets_itself(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ours, theirs;
	struct addr at = loopback("127.0.0.1", 0);

	(void)state;
	assert_int_equal(bind(fd, &at.sa, at.len), 0);
	at = addr_of(fd);
	assert_false(sock_meets_itself(fd));
	assert_int_equal(connect(fd, &at.sa, at.len), 0);
	assert_int_equal(sock_connected(fd), 0);
	assert_true(sock_meets_itself(fd));
	peer_reset(fd);
	tcp_pair(&ours, &theirs);
	assert_false(sock_meets_itself(ours));
	assert_false(sock_meets_itself(theirs));
	close(ours);
	close(theirs);
}

static void
refused_is_told_once(void **state)
{
	struct addr at = loopback("127.0.0.1", 0);
	int fd, closed = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(bind(closed, &at.sa, at.len), 0); /* not listening */
	at = addr_of(closed);
	fd = connect_to(&at);
	wait_for_connect(fd);
	assert_int_equal(sock_connected(fd), -ECONNREFUSED);
	/* The error is taken, and it is connected no more than before. */
	assert_int_equal(sock_connected(fd), -ENOTCONN);
	close(fd);
	close(closed);
}

/* A server that accepts and resets at once has had the connection. */
static void
reset_of_what_stood_is_no_refusal(void **state)
{
	int listening = peer_listen(16), fd;
	struct addr at = addr_of(listening);

	(void)state;
	fd = connect_to(&at);
	peer_reset(peer_accept(listening));
	assert_true(comes_readable(fd));
	assert_int_equal(sock_connected(fd), -ECONNRESET);
	close(fd);
	close(listening);
}

static void
full_unix_backlog(void **state)
{
	struct sock_listen opts = { .tcp = &plain, .backlog = 1 };
	struct addr addr = folder_addr(*state, "socket");
	int listening = sock_listen(&addr, &opts), fds[2], before, fd;

	assert_true(listening >= 0);
	fds[0] = connect_to(&addr);
	fds[1] = connect_to(&addr);
	before = next_fd();
	assert_int_equal(sock_connect(&addr, NULL, &plain), -EAGAIN);
	assert_int_equal(next_fd(), before);

	fd = peer_accept(listening);
	close(connect_to(&addr)); /* there is room again */
	close(fd);
	close(fds[0]);
	close(fds[1]);
	close(listening);
}

static void
unix_connect_says_why_not(void **state)
{
	struct addr addr = folder_addr(*state, "socket");
	int fd = next_fd();

	assert_int_equal(sock_connect(&addr, NULL, &plain), -ENOENT);
	close(listen_on(&addr));
	assert_int_equal(sock_connect(&addr, NULL, &plain), -ECONNREFUSED);
	assert_int_equal(next_fd(), fd);
}

static void
assert_tuned(int fd)
{
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 33);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 7);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 5);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_OOBINLINE), 1);
}

static void
assert_plain(int fd)
{
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_OOBINLINE), 1);
}

static void
options_on_both_sides(void **state)
{
	struct sock_listen opts = { .backlog = 16 };
	struct addr addr = loopback("127.0.0.1", 0), at;
	int listening, ours, accepted;

	(void)state;
	for (int on = 0; on < 2; on++) {
		opts.tcp = on ? &tuned : &plain;
		listening = sock_listen(&addr, &opts);
		assert_true(listening >= 0);
		at = addr_of(listening);
		ours = sock_connect(&at, NULL, opts.tcp);
		assert_true(ours >= 0);
		wait_for_connect(ours);
		accepted = peer_accept(listening);
		assert_plain(ours); /* more costs calls, and comes later */
		if (on) {
			sock_set_nodelay(ours);
			sock_keep_alive(ours, opts.tcp);
		}
		(on ? assert_tuned : assert_plain)(ours);
		(on ? assert_tuned : assert_plain)(accepted);
		close(ours);
		close(accepted);
		close(listening);
	}
}

/* The kernel doubles what it is told (socket(7)). */
static void
assert_buffers(const struct addr *addr)
{
	const struct sock_tcp tcp = { .receive_buffer = 40000,
		.send_buffer = 50000 };
	struct sock_listen opts = { .tcp = &tcp, .backlog = 16 };
	int listening = sock_listen(addr, &opts), ours, accepted;
	struct addr at;

	assert_true(listening >= 0);
	at = addr->sa.sa_family == AF_UNIX ? *addr : addr_of(listening);
	ours = sock_connect(&at, NULL, &tcp);
	assert_true(ours >= 0);
	accepted = peer_accept(listening);
	assert_int_equal(option_of(ours, SOL_SOCKET, SO_RCVBUF), 80000);
	assert_int_equal(option_of(ours, SOL_SOCKET, SO_SNDBUF), 100000);
	if (addr->sa.sa_family != AF_UNIX) {
		assert_int_equal(option_of(accepted, SOL_SOCKET, SO_RCVBUF),
		    80000);
		assert_int_equal(option_of(accepted, SOL_SOCKET, SO_SNDBUF),
		    100000);
	}
	close(ours);
	close(accepted);
	close(listening);
}

static void
buffers_on_both_sides(void **state)
{
	struct addr addr = loopback("127.0.0.1", 0);

	assert_buffers(&addr);
	addr = folder_addr(*state, "socket");
	assert_buffers(&addr);
}

/* A buffer that was not asked for stays with the kernel, which tunes it. */
static void
buffers_left_alone(void **state)
{
	struct addr addr = loopback("127.0.0.1", 0);
	int ours, listening = listen_on(&addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(option_of(listening, SOL_SOCKET, SO_RCVBUF),
	    option_of(fd, SOL_SOCKET, SO_RCVBUF));
	assert_int_equal(option_of(listening, SOL_SOCKET, SO_SNDBUF),
	    option_of(fd, SOL_SOCKET, SO_SNDBUF));
	addr = addr_of(listening);
	ours = connect_to(&addr);
	close(ours);
	close(fd);
	close(listening);
}

static void
urgent_data_stays_in_line(void **state)
{
	struct addr addr = loopback("127.0.0.1", 0);
	int listening = listen_on(&addr), theirs, accepted;

	(void)state;
	addr = addr_of(listening);
	theirs = peer_connect(&addr);
	accepted = peer_accept(listening);
	peer_send(theirs, "a");
	assert_int_equal(send(theirs, "b", 1, MSG_OOB), 1);
	peer_send(theirs, "c");
	peer_expect(accepted, "a"); /* a read stops before the mark */
	peer_expect(accepted, "bc");
	close(theirs);
	close(accepted);
	close(listening);
}

static void
reset_on_close(void **state)
{
	int ours, theirs;

	(void)state;
	tcp_pair(&ours, &theirs);
	close(ours);
	assert_int_equal(peer_end(theirs), 0);
	close(theirs);

	tcp_pair(&ours, &theirs);
	sock_reset_on_close(ours);
	close(ours);
	assert_int_equal(peer_end(theirs), -ECONNRESET);
	close(theirs);
}

static void
error_is_taken(void **state)
{
	int ours, theirs;

	(void)state;
	tcp_pair(&ours, &theirs);
	assert_int_equal(sock_error(ours), 0);
	peer_reset(theirs);
	assert_true(comes_readable(ours));
	assert_int_equal(sock_error(ours), -ECONNRESET);
	assert_int_equal(sock_error(ours), 0);
	close(ours);
	assert_int_equal(sock_error(ours), -EBADF);
}

static void
fill(int fd)
{
	static const char zeros[65536];

	while (send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0)
		;
	assert_int_equal(errno, EAGAIN);
}

static void
unsent_until_acknowledged(void **state)
{
	uint64_t until = 0;
	int ours, theirs;

	(void)state;
	tcp_pair(&ours, &theirs);
	assert_false(sock_is_unix(ours));
	assert_int_equal(sock_unsent(ours), 0);
	fill(ours);
	assert_true(sock_unsent(ours) > 0);
	assert_int_equal(shutdown(ours, SHUT_WR), 0);
	assert_int_equal(peer_end(theirs), 0);
	while (sock_unsent(ours) > 0 && patient(&until))
		;
	assert_int_equal(sock_unsent(ours), 0);
	close(ours);
	close(theirs);
}

/* What was sent is with the peer at once, and closing does not destroy it. */
static void
unix_has_nothing_unsent(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	assert_true(sock_is_unix(fds[0]));
	fill(fds[0]);
	assert_int_equal(sock_unsent(fds[0]), 0);
	close(fds[0]);
	assert_int_equal(sock_unsent(fds[0]), 0); /* nor has what is closed */
	close(fds[1]);
}

static void
assert_source(const char *server_ip, const char *source_ip)
{
	struct addr server = loopback(server_ip, 0);
	struct addr source = loopback(source_ip, 0), from;
	int listening = listen_on(&server), fd, accepted;

	server = addr_of(listening);
	fd = sock_connect(&server, &source, &plain);
	assert_true(fd >= 0);
	accepted = peer_accept(listening);
	from = peer_of(accepted);
	assert_true(addr_port(&from) != 0);
	addr_set_port(&from, 0);
	assert_true(addr_equal(&from, &source));
	assert_int_equal(option_of(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
	    1);
	close(fd);
	close(accepted);
	close(listening);
}

static void
source_without_a_port(void **state)
{
	(void)state;
	assert_source("127.0.0.1", "127.0.0.2");
	if (have_ipv6())
		assert_source("::1", "::1");
}

static void
source_that_is_gone(void **state)
{
	struct addr server = loopback("127.0.0.1", 0);
	struct addr source = loopback("203.0.113.7", 0);
	int listening = listen_on(&server), before = next_fd();

	(void)state;
	server = addr_of(listening);
	assert_int_equal(sock_connect(&server, &source, &plain),
	    -EADDRNOTAVAIL);
	assert_int_equal(next_fd(), before);
	close(listening);
}

/* Nobody is there: the server would take us for the client. */
static void
a_client_s_address_that_no_host_has(void **state)
{
	static const char *const bad[] = { "0.0.0.0", "224.0.0.1",
		"255.255.255.255", "127.255.255.255" };
	struct addr server = loopback("127.0.0.1", 0), source;
	int listening = listen_on(&server), before, fd;

	(void)state;
	if (sock_probe_transparent() < 0) /* takes CAP_NET_RAW */
		SKIP("takes CAP_NET_RAW");
	server = addr_of(listening);
	before = next_fd();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		source = loopback(bad[i], 0);
		assert_int_equal(sock_connect_as(&server, &source, &plain),
		    -EADDRNOTAVAIL);
		assert_int_equal(next_fd(), before);
	}
	source = loopback("127.0.0.9", 0);
	fd = sock_connect_as(&server, &source, &plain);
	assert_true(fd >= 0);
	source = addr_of(fd);
	assert_int_equal(ntohl(source.in.sin_addr.s_addr), 0x7f000009);
	close(fd);
	close(listening);
}

static void
info_of_tcp_alone(void **state)
{
	struct sock_info info;
	int ours, theirs, fds[2];

	(void)state;
	tcp_pair(&ours, &theirs);
	memset(&info, 0xff, sizeof(info));
	sock_info(ours, &info);
	assert_true(info.known);
	assert_true(info.rtt_us > 0);
	assert_int_equal(info.retransmits, 0);
	assert_true(info.silent_ms < PATIENCE_MS);
	assert_false(info.unanswered);
	close(ours);
	close(theirs);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	memset(&info, 0xff, sizeof(info));
	sock_info(fds[0], &info);
	assert_false(info.known);
	assert_int_equal(info.rtt_us, 0);
	assert_int_equal(info.retransmits, 0);
	assert_false(info.unanswered);
	close(fds[0]);
	close(fds[1]);
}

#define IN_FOLDER(f) \
	cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_both_ways),
		IN_FOLDER(unix_both_ways),
		IN_FOLDER(what_is_for_tcp_is_not_for_paths),
		IN_FOLDER(who_may_not_give_a_path_away_leaves_none),
		cmocka_unit_test(bound_does_not_listen),
		cmocka_unit_test(listen_says_why_not),
		cmocka_unit_test(wildcard_of_both_families),
		cmocka_unit_test(knows_how_many_wait),
		IN_FOLDER(a_path_has_its_mode_at_once),
		IN_FOLDER(a_path_that_cannot_be_given_is_removed),
		cmocka_unit_test(a_probe_is_as_the_real_bind),
		cmocka_unit_test(what_tcp_is_asked_to_do_first),
		cmocka_unit_test(group_shares_a_port),
		cmocka_unit_test(probe_of_both_families),
		cmocka_unit_test(time_wait_is_no_obstacle),
		IN_FOLDER(stale_path_is_removed),
		IN_FOLDER(probe_leaves_no_path),
		IN_FOLDER(live_path_stays),
		IN_FOLDER(datagram_path_stays),
		IN_FOLDER(what_is_no_socket_stays),
		cmocka_unit_test(abstract_name_needs_no_removal),
		cmocka_unit_test(connected_only_when_it_is),
		cmocka_unit_test(who_meets_itself),
		cmocka_unit_test(refused_is_told_once),
		cmocka_unit_test(reset_of_what_stood_is_no_refusal),
		IN_FOLDER(full_unix_backlog),
		IN_FOLDER(unix_connect_says_why_not),
		cmocka_unit_test(options_on_both_sides),
		IN_FOLDER(buffers_on_both_sides),
		cmocka_unit_test(buffers_left_alone),
		cmocka_unit_test(urgent_data_stays_in_line),
		cmocka_unit_test(reset_on_close),
		cmocka_unit_test(error_is_taken),
		cmocka_unit_test(unsent_until_acknowledged),
		cmocka_unit_test(unix_has_nothing_unsent),
		cmocka_unit_test(source_without_a_port),
		cmocka_unit_test(source_that_is_gone),
		cmocka_unit_test(a_client_s_address_that_no_host_has),
		cmocka_unit_test(info_of_tcp_alone),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("sock", tests, NULL, NULL);
}
