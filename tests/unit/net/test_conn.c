#include "net/conn.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "loopback.h"
#include "net/sock.h"

/* A connection under test on a base; theirs is a plain socket. */
struct rig {
	struct event_base *base;
	struct conn	   conn;
	int		   fd;	   /* the conn's */
	int		   theirs; /* -1: closed */
	unsigned	   wakes;
	struct conn	  *woken; /* by the last one */
};

#define FDS_MOST 1024
static struct conn *conns[FDS_MOST]; /* by descriptor */

static void
rig_event(evutil_socket_t fd, short what, void *arg)
{
	struct rig *rig = arg;

	conn_hear(conns[fd], what);
	rig->wakes++;
	rig->woken = conns[fd];
}

static int
rig_open(struct rig *rig, struct conn *c, int fd)
{
	assert_true(fd < FDS_MOST);
	conns[fd] = c;
	return conn_open(c, rig->base, fd, rig_event, rig);
}

static int
rig_make(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	tcp_pair(&rig->fd, &rig->theirs);
	rig->base = conn_base_new();
	assert_non_null(rig->base);
	assert_int_equal(rig_open(rig, &rig->conn, rig->fd), 0);
	*state = rig;
	return 0;
}

static int
rig_remove(void **state)
{
	struct rig *rig = *state;

	conn_close(&rig->conn);
	event_base_free(rig->base);
	if (rig->theirs >= 0)
		close(rig->theirs);
	free(rig);
	return 0;
}

/* One turn of the loop, then a moment; false when it went on for too long. */
static bool
turn(struct event_base *base, uint64_t *until)
{
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	return patient(until);
}

static void
turns(struct event_base *base, unsigned n)
{
	while (n-- > 0)
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* Waits for an edge that tells of something to read. */
static void
hear(struct rig *rig)
{
	uint64_t until = 0;

	while (!rig->conn.heard && turn(rig->base, &until))
		;
	assert_true(rig->conn.heard);
}

/* Waits for the edge of a FIN. */
static void
hear_fin(struct rig *rig)
{
	uint64_t until = 0;

	while (!rig->conn.hung_up && turn(rig->base, &until))
		;
	assert_true(rig->conn.hung_up);
}

/* Takes the edge that every new connection gets, since it can be written. */
static void
settle(struct rig *rig)
{
	uint64_t until = 0;

	while (rig->wakes == 0 && turn(rig->base, &until))
		;
	assert_true(rig->conn.writable);
	rig->wakes = 0;
}

static void
their_reset(struct rig *rig)
{
	peer_reset(rig->theirs);
	rig->theirs = -1;
}

/* Waits until the kernel has it, whatever the flags say. */
static void
arrived(const struct rig *rig, short what)
{
	struct pollfd p = { .fd = rig->fd, .events = what };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_true(p.revents & what);
}

static void
assert_recv(struct conn *c, const char *text)
{
	char got[64] = "";

	assert_int_equal(conn_recv(c, got, sizeof(got) - 1), strlen(text));
	assert_string_equal(got, text);
}

static void
assert_quiet(const struct conn *c)
{
	assert_false(c->eof);
	assert_false(c->hung_up);
	assert_int_equal(c->error, 0);
}

/* Fills the way to the peer. */
static size_t
fill(struct conn *c)
{
	static const char zeros[65536];
	size_t n, sum = 0;

	while (c->writable) {
		n = conn_send(c, zeros, sizeof(zeros));
		assert_true(n == sizeof(zeros) || !c->writable);
		sum += n;
	}
	assert_int_equal(c->error, 0);
	return sum;
}

/* The peer reads until there is room again. */
static void
drain_until_writable(struct rig *rig)
{
	uint64_t until = 0;

	assert_int_equal(fcntl(rig->theirs, F_SETFL, O_NONBLOCK), 0);
	while (!rig->conn.writable && turn(rig->base, &until))
		assert_int_equal(peer_end(rig->theirs), -EAGAIN);
	assert_true(rig->conn.writable);
}

/* --- edges */

static void
opened_is_writable(void **state)
{
	struct rig *rig = *state;

	assert_true(rig->conn.open);
	assert_false(rig->conn.writable);
	settle(rig);
	assert_ptr_equal(rig->woken, &rig->conn);
	assert_false(rig->conn.readable);
	assert_false(rig->conn.heard);
	assert_quiet(&rig->conn);
}

static void
data_is_readable_until_eagain(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;
	char byte;

	settle(rig);
	peer_send(rig->theirs, "hello");
	hear(rig);
	assert_true(c->readable);
	assert_quiet(c);

	/* A short read proves nothing. */
	assert_int_equal(conn_recv(c, &byte, 1), 1);
	assert_true(c->readable);
	assert_recv(c, "ello");
	assert_true(c->readable);
	assert_int_equal(conn_recv(c, &byte, 1), 0);
	assert_false(c->readable);
	assert_quiet(c);
}

/* Until the next edge, whatever it says; or until somebody asks. */
static void
doubt_ends_with_an_edge(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	peer_send(rig->theirs, "hello");
	hear(rig);
	assert_recv(c, "hello");
	conn_doubt(c);
	assert_true(c->doubtful && !c->readable && !c->heard);
	peer_send(rig->theirs, "again");
	hear(rig);
	assert_true(c->readable && c->heard && !c->doubtful);
	assert_recv(c, "again");
}

static void
doubt_asked_finds_the_reset(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;
	char byte;

	settle(rig);
	peer_send(rig->theirs, "bye");
	their_reset(rig);
	hear(rig);
	assert_recv(c, "bye");
	conn_doubt(c);
	assert_quiet(c);
	conn_ask(c);
	assert_true(c->readable && c->heard && !c->doubtful);
	assert_int_equal(conn_recv(c, &byte, 1), 0);
	assert_int_equal(c->error, -ECONNRESET);
	conn_ask(c); /* nothing is in doubt any more */
	assert_false(c->readable);
}

static void
no_doubt_behind_a_fin(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;
	char byte;

	settle(rig);
	peer_send(rig->theirs, "bye");
	shutdown(rig->theirs, SHUT_WR);
	hear_fin(rig);
	assert_recv(c, "bye");
	conn_doubt(c);
	assert_true(c->readable);
	assert_int_equal(conn_recv(c, &byte, 1), 0);
	assert_true(c->eof);
}

static void
unread_data_wakes_once(void **state)
{
	struct rig *rig = *state;

	settle(rig);
	peer_send(rig->theirs, "hello");
	hear(rig);
	rig->wakes = 0;
	turns(rig->base, 100);
	assert_int_equal(rig->wakes, 0);
	assert_true(rig->conn.readable); /* nobody has looked */
}

static void
full_is_unwritable_until_there_is_room(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	assert_true(fill(c) > 0);
	assert_int_equal(conn_send(c, "x", 1), 0);
	assert_false(c->writable);
	assert_int_equal(c->error, 0);
	turns(rig->base, 10);
	assert_false(c->writable);

	drain_until_writable(rig);
	assert_int_equal(conn_send(c, "x", 1), 1);
	assert_true(c->writable);
}

/* --- connecting */

/* Waits for the first edge of a connection on its way to 'to'. */
static void
dial(struct rig *rig, struct conn *c, const struct addr *to)
{
	static const struct sock_tcp plain;
	uint64_t until = 0;
	int fd = sock_connect(to, NULL, &plain);

	assert_true(fd >= 0);
	rig->wakes = 0;
	assert_int_equal(rig_open(rig, c, fd), 0);
	while (rig->wakes == 0 && turn(rig->base, &until))
		;
	assert_ptr_equal(rig->woken, c);
}

static void
connected_is_writable_alone(void **state)
{
	struct rig *rig = *state;
	int listening = peer_listen(16);
	struct addr to = addr_of(listening);
	struct conn c;

	settle(rig);
	dial(rig, &c, &to);
	assert_true(c.writable);
	assert_false(c.readable);
	assert_int_equal(sock_connected(c.fd), 0);
	conn_close(&c);
	close(listening);
}

static void
refused_is_readable_as_well(void **state)
{
	struct rig *rig = *state;
	int closed = peer_listen(16);
	struct addr to = addr_of(closed);
	struct conn c;

	settle(rig);
	close(closed);
	dial(rig, &c, &to);
	assert_true(c.writable);
	assert_true(c.readable);
	assert_true(c.heard);
	assert_int_equal(sock_connected(c.fd), -ECONNREFUSED);
	conn_close(&c);
}

/* A path that leads nowhere has no edge, and one that has an answer has. */
static void
on_its_way_is_nothing(void **state)
{
	struct rig *rig = *state;
	int listening = peer_listen(0), queued;
	struct addr to = addr_of(listening);
	static const struct sock_tcp plain;
	struct conn c;
	int fd;

	settle(rig);
	queued = peer_connect(&to); /* behind it a SYN gets no answer */
	fd = sock_connect(&to, NULL, &plain);
	assert_true(fd >= 0);
	assert_int_equal(rig_open(rig, &c, fd), 0);
	turns(rig->base, 100);
	assert_false(c.writable || c.readable || c.heard);
	conn_close(&c);
	close(queued);
	close(listening);
}

/* Nothing delays the first send: there is none before it. */
static void
nodelay_from_the_second_send_on(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;
	socklen_t len = sizeof(int);
	int on = -1;

	conn_set_nodelay(c);
	assert_int_equal(conn_send(c, "a", 1), 1);
	getsockopt(rig->fd, IPPROTO_TCP, TCP_NODELAY, &on, &len);
	assert_int_equal(on, 0);
	assert_int_equal(conn_send(c, "b", 1), 1);
	getsockopt(rig->fd, IPPROTO_TCP, TCP_NODELAY, &on, &len);
	assert_int_equal(on, 1);
	assert_int_equal(conn_send(c, "c", 1), 1);
	peer_expect(rig->theirs, "abc");
}

/* --- FIN */

static void
fin_after_data(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	peer_send(rig->theirs, "bye");
	shutdown(rig->theirs, SHUT_WR);
	arrived(rig, POLLRDHUP);
	hear_fin(rig);
	assert_false(c->heard); /* no reset may hide behind it */
	assert_false(c->eof); /* heard of, not read */
	assert_recv(c, "bye");
	assert_false(c->eof);
	assert_recv(c, "");
	assert_true(c->eof);
	assert_false(c->readable);
	assert_false(conn_check(c));

	/* The other half is as it was. */
	assert_int_equal(conn_send(c, "yes", 3), 3);
	peer_expect(rig->theirs, "yes");
}

static void
half_closed_does_not_spin(void **state)
{
	struct rig *rig = *state;

	settle(rig);
	shutdown(rig->theirs, SHUT_WR);
	hear_fin(rig);
	rig->wakes = 0;
	turns(rig->base, 100); /* unread */
	assert_int_equal(rig->wakes, 0);
	assert_recv(&rig->conn, "");
	turns(rig->base, 100); /* read */
	assert_int_equal(rig->wakes, 0);
}

/* Every edge repeats what is true of the socket, a FIN for ever. */
static void
nothing_to_read_behind_a_fin(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	shutdown(rig->theirs, SHUT_WR);
	hear_fin(rig);
	assert_recv(c, "");
	assert_true(c->eof);
	fill(c);
	drain_until_writable(rig);
	assert_false(c->readable);
	assert_false(conn_check(c));
}

/* --- reset */

static void
reset_after_data(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	peer_send(rig->theirs, "bytes");
	arrived(rig, POLLIN);
	their_reset(rig);
	arrived(rig, POLLERR);
	hear(rig);
	assert_false(c->hung_up); /* that is FIN alone */

	/* One edge told of both; the bytes come first. */
	assert_recv(c, "bytes");
	assert_int_equal(c->error, 0);
	assert_true(c->readable);
	assert_recv(c, "");
	assert_int_equal(c->error, -ECONNRESET);
	assert_false(c->eof);
	assert_false(c->readable);
	assert_recv(c, ""); /* the socket says 0 now, which is no FIN */
	assert_false(c->eof);
	assert_true(conn_check(c));
}

static void
reset_on_a_side_that_is_not_read(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	peer_send(rig->theirs, "unread");
	hear(rig);
	assert_false(conn_check(c));
	assert_false(c->heard);
	assert_true(c->readable); /* the question was about errors alone */

	their_reset(rig);
	hear(rig);
	assert_true(conn_check(c));
	assert_int_equal(c->error, -ECONNRESET);
	assert_false(c->hung_up);
}

/* SO_ERROR has taken the error: recv gives the bytes, then 0. */
static void
error_taken_by_check_is_no_fin(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	peer_send(rig->theirs, "bytes");
	arrived(rig, POLLIN);
	their_reset(rig);
	arrived(rig, POLLERR);
	hear(rig);
	assert_true(conn_check(c));
	assert_true(c->readable);
	assert_recv(c, "bytes");
	assert_recv(c, "");
	assert_false(c->eof);
	assert_false(c->readable);
	assert_int_equal(c->error, -ECONNRESET);
}

static void
error_taken_by_send_is_no_fin(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;
	uint64_t until = 0;

	settle(rig);
	peer_send(rig->theirs, "bytes");
	arrived(rig, POLLIN);
	their_reset(rig);
	arrived(rig, POLLERR);
	assert_int_equal(conn_send(c, "x", 1), 0);
	assert_int_equal(c->error, -ECONNRESET);
	assert_false(c->writable);
	while (!c->readable && turn(rig->base, &until))
		;
	assert_false(c->hung_up); /* though it looks like that now */
	assert_recv(c, "bytes");
	assert_recv(c, "");
	assert_false(c->eof);
	assert_int_equal(c->error, -ECONNRESET);
}

/* A peer that half-closes, then gives up: the edge of the reset comes when
 * nobody reads any more. */
static void
reset_behind_a_fin_that_was_read(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	shutdown(rig->theirs, SHUT_WR);
	hear_fin(rig);
	assert_recv(c, "");
	assert_true(c->eof);
	assert_false(conn_check(c));

	their_reset(rig);
	arrived(rig, POLLERR);
	hear(rig);
	assert_true(conn_check(c));
	assert_int_equal(c->error, -EPIPE); /* the kernel's, behind a FIN */
	assert_true(c->eof);
	assert_false(c->readable);
}

/* The edge of the FIN told that no reset had come; one that does tells itself,
 * whether the FIN was read or not. */
static void
reset_behind_a_fin_that_was_heard(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	shutdown(rig->theirs, SHUT_WR);
	hear_fin(rig);
	assert_false(c->heard);
	assert_false(conn_check(c));

	their_reset(rig);
	arrived(rig, POLLERR);
	hear(rig);
	assert_recv(c, "");
	assert_true(c->eof);
	assert_true(c->heard); /* recv has not told of it */
	assert_true(conn_check(c));
	assert_int_equal(c->error, -EPIPE);
}

/* Read before its edge was told, behind data whose edge may have been that of a
 * reset as well. */
static void
fin_that_was_read_unheard(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	peer_send(rig->theirs, "bye");
	hear(rig);
	shutdown(rig->theirs, SHUT_WR);
	arrived(rig, POLLRDHUP);
	assert_recv(c, "bye");
	assert_recv(c, "");
	assert_true(c->eof);
	assert_true(c->heard);
	assert_false(conn_check(c));
	assert_false(c->heard);
	hear_fin(rig);
	assert_false(c->heard);
	assert_false(c->readable);
}

/* A reader that is paused asks for the error first: the FIN before it must not
 * be forgotten, it decides how the other side is told. */
static void
fin_is_known_behind_its_reset(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	peer_send(rig->theirs, "last words");
	shutdown(rig->theirs, SHUT_WR);
	arrived(rig, POLLRDHUP);
	their_reset(rig);
	arrived(rig, POLLERR);
	hear(rig);
	assert_true(conn_check(c));
	assert_int_equal(c->error, -EPIPE);
	assert_true(c->hung_up);
}

/* Both were there before anybody looked: recv says 0, the FIN's, and leaves the
 * error; what was heard must not be lost with it. */
static void
reset_behind_a_fin_in_one_edge(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	shutdown(rig->theirs, SHUT_WR);
	arrived(rig, POLLRDHUP);
	their_reset(rig);
	arrived(rig, POLLERR);
	hear(rig);
	assert_recv(c, "");
	assert_true(conn_check(c));
	assert_int_equal(c->error, -EPIPE);
}

/* The same behind bytes that are read one by one. */
static void
reset_behind_data_and_fin(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	peer_send(rig->theirs, "last words");
	shutdown(rig->theirs, SHUT_WR);
	arrived(rig, POLLRDHUP);
	their_reset(rig);
	arrived(rig, POLLERR);
	hear(rig);
	assert_recv(c, "last words");
	assert_true(c->readable);
	assert_recv(c, "");
	assert_true(c->eof);
	assert_true(conn_check(c));
	assert_int_equal(c->error, -EPIPE);
}

/* A send after the reset was taken says EPIPE, which is no word of a FIN. */
static void
reset_is_no_fin_to_a_later_send(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	their_reset(rig);
	arrived(rig, POLLERR);
	hear(rig);
	assert_recv(c, "");
	assert_int_equal(c->error, -ECONNRESET);
	assert_int_equal(conn_send(c, "x", 1), 0);
	assert_int_equal(c->error, -ECONNRESET);
	assert_false(c->hung_up);
	assert_false(c->eof);
}

/* EPIPE of a Unix socket is about writing alone: what the peer still says is
 * heard to its end. */
static void
unix_peer_that_reads_no_more(void **state)
{
	struct rig *rig = *state;
	struct conn c;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	assert_int_equal(rig_open(rig, &c, fds[0]), 0);
	assert_int_equal(shutdown(fds[1], SHUT_RD), 0);
	assert_int_equal(conn_send(&c, "x", 1), 0);
	assert_int_equal(c.write_error, -EPIPE);
	assert_int_equal(c.error, 0);
	assert_false(c.writable);
	peer_send(fds[1], "answer");
	turns(rig->base, 10);
	assert_false(c.writable); /* for good */
	assert_true(c.readable);
	assert_false(conn_check(&c));
	assert_recv(&c, "answer");
	close(fds[1]);
	turns(rig->base, 10);
	assert_recv(&c, "");
	assert_true(c.eof);
	assert_int_equal(c.error, 0);
	conn_close(&c);
}

static void
first_error_sticks(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	assert_false(conn_check(c));
	conn_fail(c, -ETIMEDOUT);
	conn_fail(c, -ECONNRESET);
	assert_int_equal(c->error, -ETIMEDOUT);
	assert_true(conn_check(c));

	their_reset(rig);
	arrived(rig, POLLERR);
	hear(rig);
	assert_recv(c, "");
	assert_int_equal(conn_send(c, "x", 1), 0);
	assert_true(conn_check(c));
	assert_int_equal(c->error, -ETIMEDOUT);
	assert_false(c->eof);
}

/* --- catching up */

/* What came while nobody waited for events is found all the same. */
static void
what_was_not_told_yet_is_found(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	assert_true(conn_catch_up(c)); /* nobody said that it is writable */
	assert_true(c->writable);
	assert_false(c->readable);
	assert_false(conn_catch_up(c));

	peer_send(rig->theirs, "hello");
	arrived(rig, POLLIN);
	assert_true(conn_catch_up(c));
	assert_true(c->readable);
	assert_true(c->heard);
	assert_false(conn_catch_up(c)); /* that is no news */
	assert_recv(c, "hello");
	assert_recv(c, "");
	assert_false(conn_catch_up(c));
	assert_quiet(c);
}

static void
an_end_is_found_once(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	assert_int_equal(shutdown(rig->theirs, SHUT_WR), 0);
	arrived(rig, POLLIN);
	assert_true(conn_catch_up(c));
	assert_recv(c, "");
	assert_true(c->eof);
	assert_false(conn_catch_up(c));
	their_reset(rig);
	arrived(rig, POLLERR);
	conn_fail(c, -ECONNRESET);
	assert_false(conn_catch_up(c));
	conn_close(c);
	assert_false(conn_catch_up(c));
}

/* --- our own end */

static void
shutdown_sends_fin_once(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	assert_int_equal(conn_send(c, "end", 3), 3);
	conn_shutdown(c);
	assert_true(c->shut);
	peer_expect(rig->theirs, "end");
	assert_int_equal(peer_end(rig->theirs), 0);
	conn_shutdown(c);
	assert_int_equal(c->error, 0);

	peer_send(rig->theirs, "still");
	hear(rig);
	assert_recv(c, "still");

	/* With both FINs gone a second one would be an error (ENOTCONN). */
	close(rig->theirs);
	rig->theirs = -1;
	arrived(rig, POLLRDHUP);
	hear_fin(rig);
	assert_recv(c, "");
	conn_shutdown(c);
	assert_int_equal(c->error, 0);
}

static void
shutdown_that_fails_is_an_error(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	their_reset(rig);
	arrived(rig, POLLERR);
	assert_int_equal(sock_error(rig->fd), -ECONNRESET);
	conn_shutdown(c);
	assert_int_equal(c->error, -ECONNRESET);
	assert_true(c->shut);
}

/* shutdown says ENOTCONN; that a FIN came first stands in the error behind. */
static void
shutdown_finds_the_resets_own_error(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;

	settle(rig);
	shutdown(rig->theirs, SHUT_WR);
	arrived(rig, POLLRDHUP);
	their_reset(rig);
	arrived(rig, POLLERR);
	conn_shutdown(c);
	assert_int_equal(c->error, -EPIPE);
	assert_true(c->hung_up);
}

static void
close_is_a_fin(void **state)
{
	struct rig *rig = *state;

	conn_close(&rig->conn);
	assert_false(rig->conn.open);
	assert_int_equal(peer_end(rig->theirs), 0);
}

static void
reset_is_a_reset(void **state)
{
	struct rig *rig = *state;

	conn_reset(&rig->conn);
	assert_false(rig->conn.open);
	assert_int_equal(peer_end(rig->theirs), -ECONNRESET);
}

/* The number may have a new owner by the second time. */
static void
closed_twice_closes_once(void **state)
{
	struct rig *rig = *state;
	struct conn zero = { 0 };
	int fd;

	conn_close(&rig->conn);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(dup2(fd, rig->fd), rig->fd);
	conn_close(&rig->conn);
	conn_reset(&rig->conn);
	assert_true(fcntl(rig->fd, F_GETFD) >= 0);
	if (fd != rig->fd)
		close(fd);
	close(rig->fd);

	conn_close(&zero); /* descriptor 0 is not its own */
	conn_reset(&zero);
	assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
}

/* As long as a copy of the descriptor is open somewhere, epoll would go on to
 * speak of the old connection under the number of the new one. */
static void
closed_is_forgotten_by_epoll(void **state)
{
	struct rig *rig = *state;
	int copy = fcntl(rig->fd, F_DUPFD_CLOEXEC, 0), ours, theirs;

	conn_close(&rig->conn);
	tcp_pair(&ours, &theirs);
	assert_int_equal(dup2(ours, rig->fd), rig->fd);
	if (ours != rig->fd)
		close(ours);
	assert_int_equal(rig_open(rig, &rig->conn, rig->fd), 0);
	settle(rig);
	peer_send(rig->theirs, "x"); /* to the old one */
	assert_true(comes_readable(copy));
	turns(rig->base, 10);
	assert_int_equal(rig->wakes, 0);
	close(copy);
	close(theirs);
}

static int
events(const struct event_base *base)
{
	struct event_base *same;

	memcpy(&same, &base, sizeof(same)); /* libevent has no const here */
	return event_base_get_num_events(same, EVENT_BASE_COUNT_ADDED);
}

static void
one_event_while_it_is_open(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(events(rig->base), 1);
	settle(rig);
	peer_send(rig->theirs, "x");
	hear(rig);
	assert_int_equal(events(rig->base), 1);
	conn_close(&rig->conn);
	assert_int_equal(events(rig->base), 0);
}

static void
close_other(evutil_socket_t fd, short what, void *other)
{
	struct rig *rig = other;

	(void)fd, (void)what;
	rig->wakes++;
	conn_close(&rig->conn);
}

/* Both are active in one turn: whichever comes first closes the other, which
 * must not be called any more. */
static void
closed_hears_no_more(void **state)
{
	struct rig *rig = *state, first = { 0 }, second = { 0 };

	settle(rig);
	assert_int_equal(conn_move(&first.conn, rig->base, &rig->conn,
	    close_other, &second), 0);
	tcp_pair(&second.fd, &second.theirs);
	assert_int_equal(conn_open(&second.conn, rig->base, second.fd,
	    close_other, &first), 0);
	peer_send(rig->theirs, "x");
	arrived(rig, POLLIN);
	turns(rig->base, 10);
	assert_int_equal(first.conn.open + second.conn.open, 1);
	assert_int_equal(first.wakes + second.wakes, 1);
	conn_close(&first.conn);
	conn_close(&second.conn);
	close(second.theirs);
}

/* --- moving */

/* Another place for the connection. */
struct place {
	struct event_base *base;
	struct conn	   conn;
	unsigned	   wakes;
};

static void
place_event(evutil_socket_t fd, short what, void *arg)
{
	struct place *place = arg;

	assert_int_equal(fd, place->conn.fd);
	conn_hear(&place->conn, what);
	place->wakes++;
}

static void
place_make(struct place *place)
{
	*place = (struct place){ .base = conn_base_new() };
	assert_non_null(place->base);
}

static void
place_take(struct place *place, struct conn *from)
{
	assert_int_equal(conn_move(&place->conn, place->base, from,
	    place_event, place), 0);
	assert_false(from->open);
	assert_true(place->conn.open);
}

/* The next text comes to the new place. */
static void
place_expect(struct place *place, const char *text)
{
	uint64_t until = 0;

	while (place->wakes == 0 && turn(place->base, &until))
		;
	assert_true(place->conn.readable);
	assert_recv(&place->conn, text);
	place->wakes = 0;
}

static void
place_remove(struct place *place)
{
	conn_close(&place->conn);
	event_base_free(place->base);
}

static void
moved_keeps_everything(void **state)
{
	struct rig *rig = *state;
	struct conn *c = &rig->conn;
	struct place place;

	settle(rig);
	shutdown(rig->theirs, SHUT_WR);
	hear_fin(rig);
	assert_recv(c, "");
	conn_shutdown(c);
	conn_fail(c, -EPIPE);
	c->writable = false;
	c->heard = true;

	place_make(&place);
	place_take(&place, c);
	assert_int_equal(place.conn.fd, rig->fd);
	assert_int_equal(place.conn.error, -EPIPE);
	assert_false(place.conn.readable);
	assert_false(place.conn.writable);
	assert_true(place.conn.heard);
	assert_true(place.conn.hung_up);
	assert_true(place.conn.eof);
	assert_true(place.conn.shut);
	conn_close(c); /* has nothing any more */
	assert_true(fcntl(rig->fd, F_GETFD) >= 0);
	place_remove(&place);
}

static void
moved_is_heard_at_the_new_place(void **state)
{
	struct rig *rig = *state;
	struct place place;

	settle(rig);
	place_make(&place);
	place_take(&place, &rig->conn);
	assert_int_equal(events(rig->base), 0);
	assert_int_equal(events(place.base), 1);
	peer_send(rig->theirs, "here");
	arrived(rig, POLLIN);
	place_expect(&place, "here");
	turns(rig->base, 10);
	assert_int_equal(rig->wakes, 0);
	assert_false(rig->conn.heard);
	place_remove(&place);
}

/* The new base says again at once what the old one had said. */
static void
moved_with_unread_data(void **state)
{
	struct rig *rig = *state;
	struct place place;

	settle(rig);
	peer_send(rig->theirs, "unread");
	hear(rig);
	place_make(&place);
	place_take(&place, &rig->conn);
	assert_true(place.conn.readable);
	place.conn.readable = false;
	place_expect(&place, "unread");
	place_remove(&place);
}

/* Once its error was taken, a reset looks to epoll as a FIN does. */
static void
moved_after_a_reset(void **state)
{
	struct rig *rig = *state;
	struct place place;
	uint64_t until = 0;

	settle(rig);
	their_reset(rig);
	arrived(rig, POLLERR);
	hear(rig);
	assert_true(conn_check(&rig->conn));
	place_make(&place);
	place_take(&place, &rig->conn);
	while (place.wakes == 0 && turn(place.base, &until))
		;
	assert_int_equal(place.conn.error, -ECONNRESET);
	assert_false(place.conn.hung_up);
	assert_recv(&place.conn, "");
	assert_false(place.conn.eof);
	place_remove(&place);
}

static void
moved_within_one_base(void **state)
{
	struct rig *rig = *state;
	struct place place = { .base = rig->base };

	settle(rig);
	place_take(&place, &rig->conn);
	assert_int_equal(events(rig->base), 1);
	peer_send(rig->theirs, "x");
	arrived(rig, POLLIN);
	place_expect(&place, "x");
	assert_int_equal(rig->wakes, 0);
	conn_close(&place.conn);
}

static void
held_then_moved(void **state)
{
	struct place place;
	struct conn held;
	int ours, theirs;

	(void)state;
	place_make(&place);
	tcp_pair(&ours, &theirs);
	memset(&held, 0xff, sizeof(held));
	conn_hold(&held, ours);
	assert_true(held.open);
	assert_false(held.readable || held.writable || held.heard);
	assert_quiet(&held);
	peer_send(theirs, "x");
	place_take(&place, &held);
	assert_true(comes_readable(ours));
	place_expect(&place, "x");
	place_remove(&place);
	assert_int_equal(peer_end(theirs), 0);
	close(theirs);
}

static void
held_then_thrown_away(void **state)
{
	struct conn held;
	int ours, theirs;

	(void)state;
	tcp_pair(&ours, &theirs);
	conn_hold(&held, ours);
	conn_reset(&held);
	assert_int_equal(peer_end(theirs), -ECONNRESET);
	close(theirs);
}

/* --- what fails */

static void
no_log(int severity, const char *text)
{
	(void)severity, (void)text;
}

/* epoll refuses regular files. */
static int
open_file(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC |
	    O_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static void
what_cannot_open_stays_the_callers(void **state)
{
	struct rig *rig = *state;
	struct conn c;
	int fd = open_file();

	event_set_log_callback(no_log);
	assert_true(rig_open(rig, &c, fd) < 0);
	event_set_log_callback(NULL);
	assert_false(c.open);
	conn_close(&c);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(fd);
}

static void
what_cannot_move_stays_where_it_was(void **state)
{
	struct rig *rig = *state;
	struct conn held, to;
	int fd = open_file();

	conn_hold(&held, fd);
	held.readable = true;
	event_set_log_callback(no_log);
	assert_true(conn_move(&to, rig->base, &held, rig_event, rig) < 0);
	event_set_log_callback(NULL);
	assert_false(to.open);
	assert_true(held.open);
	assert_true(held.readable);
	assert_int_equal(held.fd, fd);
	conn_close(&to);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	conn_close(&held);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* libevent would take poll(2) instead, and forget EV_ET in silence. */
static void
environment_does_not_turn_edges_off(void **state)
{
	struct rig *rig;

	rig_remove(state);
	assert_int_equal(setenv("EVENT_NOEPOLL", "1", 1), 0);
	rig_make(state);
	unsetenv("EVENT_NOEPOLL");
	rig = *state;
	assert_string_equal(event_base_get_method(rig->base), "epoll");
	assert_true(event_base_get_features(rig->base) & EV_FEATURE_ET);
	unread_data_wakes_once(state);
}

#define ON_RIG(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(opened_is_writable),
		ON_RIG(data_is_readable_until_eagain),
		ON_RIG(doubt_ends_with_an_edge),
		ON_RIG(doubt_asked_finds_the_reset),
		ON_RIG(no_doubt_behind_a_fin),
		ON_RIG(unread_data_wakes_once),
		ON_RIG(full_is_unwritable_until_there_is_room),
		ON_RIG(connected_is_writable_alone),
		ON_RIG(refused_is_readable_as_well),
		ON_RIG(on_its_way_is_nothing),
		ON_RIG(nodelay_from_the_second_send_on),
		ON_RIG(fin_after_data),
		ON_RIG(half_closed_does_not_spin),
		ON_RIG(nothing_to_read_behind_a_fin),
		ON_RIG(reset_after_data),
		ON_RIG(reset_on_a_side_that_is_not_read),
		ON_RIG(error_taken_by_check_is_no_fin),
		ON_RIG(error_taken_by_send_is_no_fin),
		ON_RIG(reset_behind_a_fin_that_was_read),
		ON_RIG(reset_behind_a_fin_that_was_heard),
		ON_RIG(fin_that_was_read_unheard),
		ON_RIG(fin_is_known_behind_its_reset),
		ON_RIG(reset_behind_a_fin_in_one_edge),
		ON_RIG(reset_behind_data_and_fin),
		ON_RIG(reset_is_no_fin_to_a_later_send),
		ON_RIG(unix_peer_that_reads_no_more),
		ON_RIG(first_error_sticks),
		ON_RIG(what_was_not_told_yet_is_found),
		ON_RIG(an_end_is_found_once),
		ON_RIG(shutdown_sends_fin_once),
		ON_RIG(shutdown_that_fails_is_an_error),
		ON_RIG(shutdown_finds_the_resets_own_error),
		ON_RIG(close_is_a_fin),
		ON_RIG(reset_is_a_reset),
		ON_RIG(closed_twice_closes_once),
		ON_RIG(closed_is_forgotten_by_epoll),
		ON_RIG(one_event_while_it_is_open),
		ON_RIG(closed_hears_no_more),
		ON_RIG(moved_keeps_everything),
		ON_RIG(moved_is_heard_at_the_new_place),
		ON_RIG(moved_with_unread_data),
		ON_RIG(moved_after_a_reset),
		ON_RIG(moved_within_one_base),
		cmocka_unit_test(held_then_moved),
		cmocka_unit_test(held_then_thrown_away),
		ON_RIG(what_cannot_open_stays_the_callers),
		ON_RIG(what_cannot_move_stays_where_it_was),
		ON_RIG(environment_does_not_turn_edges_off),
	};
	int failed;

	signal(SIGPIPE, SIG_IGN);
	/* libevent then refuses what would corrupt an event in silence. */
	event_enable_debug_mode();
	failed = cmocka_run_group_tests_name("conn", tests, NULL, NULL);
	libevent_global_shutdown(); /* its notes hide leaks */
	return failed;
}
