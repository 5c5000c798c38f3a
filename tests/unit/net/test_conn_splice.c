#include "net/conn_splice.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "loopback.h"
#include "net/conn.h"

#define SIZE (256 * 1024)
#define SLOT 4096

/* A connection under test, whose flags the test sets, and a pipe. */
struct rig {
	struct conn conn;
	int	    theirs;
	int	    in, out;
};

static void
rig_take(struct rig *rig, int ours)
{
	conn_hold(&rig->conn, ours);
	rig->conn.readable = rig->conn.writable = true;
}

static int
rig_make(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	int one = 1, ours, ends[2];

	tcp_pair(&ours, &rig->theirs);
	setsockopt(ours, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	rig_take(rig, ours);
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	rig->out = ends[0];
	rig->in = ends[1];
	assert_true(fcntl(rig->in, F_SETPIPE_SZ, SIZE) >= SIZE);
	*state = rig;
	return 0;
}

static int
rig_remove(void **state)
{
	struct rig *rig = *state;

	conn_close(&rig->conn);
	if (rig->theirs >= 0)
		close(rig->theirs);
	close(rig->in);
	close(rig->out);
	free(rig);
	return 0;
}

/* The same with a Unix socket. */
static void
rig_becomes_unix(struct rig *rig)
{
	int ends[2];

	conn_close(&rig->conn);
	close(rig->theirs);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    ends), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	set_patience(ends[1]);
	rig_take(rig, ends[0]);
	rig->theirs = ends[1];
}

static void
arrived(const struct rig *rig, short what)
{
	struct pollfd p = { .fd = rig->conn.fd, .events = what };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_true(p.revents & what);
}

/* Waits until so many bytes can be read. */
static void
unread(const struct rig *rig, size_t bytes)
{
	static char waste[65536];
	uint64_t until = 0;
	ssize_t n;

	do
		n = recv(rig->conn.fd, waste, sizeof(waste), MSG_PEEK);
	while (n < (ssize_t)bytes && patient(&until));
	assert_true(n >= (ssize_t)bytes);
}

static void
assert_nothing_learned(const struct conn *c)
{
	assert_true(c->readable);
	assert_false(c->eof);
	assert_int_equal(c->error, 0);
}

static void
assert_pipe_has(const struct rig *rig, const char *text)
{
	char got[64] = "";

	assert_int_equal(read(rig->out, got, sizeof(got) - 1), strlen(text));
	assert_string_equal(got, text);
}

/* --- from a socket */

static void
takes_what_there_is(void **state)
{
	struct rig *rig = *state;

	peer_send(rig->theirs, "some bytes");
	arrived(rig, POLLIN);
	assert_int_equal(conn_splice_from(&rig->conn, rig->in, SIZE), 10);
	assert_nothing_learned(&rig->conn);
	assert_pipe_has(rig, "some bytes");
}

static void
takes_no_more_than_asked(void **state)
{
	struct rig *rig = *state;

	peer_send(rig->theirs, "some bytes");
	unread(rig, 10);
	assert_int_equal(conn_splice_from(&rig->conn, rig->in, 4), 4);
	assert_pipe_has(rig, "some");
	assert_int_equal(conn_splice_from(&rig->conn, rig->in, SIZE), 6);
	assert_pipe_has(rig, " bytes");
}

static void
an_empty_socket_teaches_nothing(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(conn_splice_from(&rig->conn, rig->in, SIZE), 0);
	assert_nothing_learned(&rig->conn);
}

static void
the_end_is_for_recv_to_find(void **state)
{
	struct rig *rig = *state;
	char got[8];

	peer_send(rig->theirs, "last");
	shutdown(rig->theirs, SHUT_WR);
	arrived(rig, POLLRDHUP);
	assert_int_equal(conn_splice_from(&rig->conn, rig->in, SIZE), 4);
	assert_int_equal(conn_splice_from(&rig->conn, rig->in, SIZE), 0);
	assert_nothing_learned(&rig->conn);
	assert_int_equal(conn_recv(&rig->conn, got, sizeof(got)), 0);
	assert_true(rig->conn.eof);
}

/* Neighbours in the sender's memory share a slot, so that a second connection
 * sends between them. */
static void
send_in_segments(const struct rig *rig, size_t count)
{
	int ours, theirs;

	tcp_pair(&ours, &theirs);
	for (size_t i = 0; i < count; i++) {
		uint8_t byte = (uint8_t)i;

		assert_int_equal(send(rig->theirs, &byte, 1, 0), 1);
		assert_int_equal(send(theirs, &byte, 1, 0), 1);
	}
	close(ours);
	close(theirs);
}

static void
small_segments_fill_a_pipe(void **state)
{
	enum { SENT = 4 * SIZE / SLOT };
	struct rig *rig = *state;
	uint8_t got[SENT];
	size_t sum = 0, n, rounds = 0;
	uint64_t until = 0;

	send_in_segments(rig, SENT);
	unread(rig, SENT);
	while (sum < SENT && patient(&until)) {
		n = conn_splice_from(&rig->conn, rig->in, SIZE);
		assert_nothing_learned(&rig->conn);
		assert_true(n > 0 && n <= SIZE / SLOT);
		assert_int_equal(read(rig->out, got + sum, SENT - sum), n);
		sum += n;
		rounds++;
	}
	assert_true(rounds >= 4);
	for (size_t i = 0; i < SENT; i++)
		assert_int_equal(got[i], (uint8_t)i);
}

static void
stops_at_urgent_data_that_recv_passes(void **state)
{
	struct rig *rig = *state;
	char got[16] = "";
	size_t n;

	peer_send(rig->theirs, "before");
	assert_int_equal(send(rig->theirs, "!", 1, MSG_OOB), 1);
	peer_send(rig->theirs, "after");
	unread(rig, 6);
	assert_int_equal(conn_splice_from(&rig->conn, rig->in, SIZE), 6);
	assert_pipe_has(rig, "before");
	unread(rig, 6);
	for (int i = 0; i < 3; i++) {
		n = conn_splice_from(&rig->conn, rig->in, SIZE);
		assert_int_equal(n, 0);
		assert_nothing_learned(&rig->conn);
	}
	assert_int_equal(conn_recv(&rig->conn, got, 1), 1);
	assert_string_equal(got, "!");
	assert_int_equal(conn_splice_from(&rig->conn, rig->in, SIZE), 5);
	assert_pipe_has(rig, "after");
}

/* It is gone from the socket then: recv would say 0. */
static void
an_error_that_it_takes_sticks(void **state)
{
	struct rig *rig = *state;
	char got[8];

	peer_reset(rig->theirs);
	rig->theirs = -1;
	arrived(rig, POLLERR);
	assert_int_equal(conn_splice_from(&rig->conn, rig->in, SIZE), 0);
	assert_int_equal(rig->conn.error, -ECONNRESET);
	assert_int_equal(conn_recv(&rig->conn, got, sizeof(got)), 0);
	assert_false(rig->conn.eof);
}

/* /dev/null is no pipe: EINVAL, of which the socket knows nothing. */
static void
what_splice_refuses_is_no_error_of_the_connection(void **state)
{
	struct rig *rig = *state;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	char got[8] = "";

	peer_send(rig->theirs, "data");
	arrived(rig, POLLIN);
	assert_int_equal(conn_splice_from(&rig->conn, null, SIZE), 0);
	assert_nothing_learned(&rig->conn);
	assert_int_equal(conn_recv(&rig->conn, got, sizeof(got)), 4);
	assert_string_equal(got, "data");
	close(null);
}

static void
takes_from_a_unix_socket_too(void **state)
{
	struct rig *rig = *state;
	char got[8];

	rig_becomes_unix(rig);
	peer_send(rig->theirs, "some bytes");
	assert_int_equal(conn_splice_from(&rig->conn, rig->in, SIZE), 10);
	assert_pipe_has(rig, "some bytes");
	shutdown(rig->theirs, SHUT_WR);
	assert_int_equal(conn_splice_from(&rig->conn, rig->in, SIZE), 0);
	assert_nothing_learned(&rig->conn);
	assert_int_equal(conn_recv(&rig->conn, got, sizeof(got)), 0);
	assert_true(rig->conn.eof);
}

/* --- to a socket */

static void
fill_pipe(const struct rig *rig, const char *text)
{
	assert_int_equal(write(rig->in, text, strlen(text)), strlen(text));
}

/* So full that it takes no pipe any more.  Returns what it took. */
static size_t
fill_socket(struct rig *rig)
{
	static const char zeros[65536];
	size_t sum = 0, n = 1;

	while (rig->conn.writable) {
		assert_int_equal(write(rig->in, zeros, sizeof(zeros)),
		    sizeof(zeros));
		for (size_t left = sizeof(zeros); left > 0; left -= n) {
			n = conn_splice_to(&rig->conn, rig->out, left);
			if (n == 0)
				break;
			sum += n;
		}
	}
	assert_int_equal(rig->conn.error, 0);
	return sum;
}

static void
sends_what_is_in_the_pipe(void **state)
{
	struct rig *rig = *state;

	fill_pipe(rig, "some bytes");
	assert_int_equal(conn_splice_to(&rig->conn, rig->out, 10), 10);
	assert_true(rig->conn.writable);
	peer_expect(rig->theirs, "some bytes");
}

static void
a_full_socket_is_not_writable(void **state)
{
	struct rig *rig = *state;
	static char waste[65536];
	size_t sum = fill_socket(rig), n;

	assert_false(rig->conn.writable);
	for (; sum > 0; sum -= n) {
		n = sum < sizeof(waste) ? sum : sizeof(waste);
		n = (size_t)recv(rig->theirs, waste, n, 0);
		assert_true(n > 0 && n <= sum);
	}
	arrived(rig, POLLOUT);
	n = conn_splice_to(&rig->conn, rig->out, sizeof(waste));
	assert_true(n > 0); /* what was left in the pipe */
	assert_int_equal(recv(rig->theirs, waste, n, MSG_WAITALL), n);
}

static void
a_reset_is_the_connections_error(void **state)
{
	struct rig *rig = *state;

	peer_reset(rig->theirs);
	rig->theirs = -1;
	arrived(rig, POLLERR);
	fill_pipe(rig, "too late");
	assert_int_equal(conn_splice_to(&rig->conn, rig->out, 8), 0);
	assert_int_equal(rig->conn.error, -ECONNRESET);
	assert_false(rig->conn.writable);
	assert_int_equal(conn_splice_to(&rig->conn, rig->out, 8), 0);
	assert_int_equal(rig->conn.error, -ECONNRESET);
	assert_false(rig->conn.hung_up);
}

static void
a_unix_peer_that_reads_no_more_may_still_speak(void **state)
{
	struct rig *rig = *state;
	char got[8] = "";

	rig_becomes_unix(rig);
	shutdown(rig->theirs, SHUT_RD);
	fill_pipe(rig, "unheard");
	assert_int_equal(conn_splice_to(&rig->conn, rig->out, 7), 0);
	assert_int_equal(rig->conn.write_error, -EPIPE);
	assert_int_equal(rig->conn.error, 0);
	assert_false(rig->conn.writable);
	peer_send(rig->theirs, "reply");
	assert_int_equal(conn_recv(&rig->conn, got, sizeof(got)), 5);
	assert_string_equal(got, "reply");
}

/* The other end is ours as well: it can only be a mistake of ours. */
static void
a_pipe_that_ends_is_an_error(void **state)
{
	struct rig *rig = *state;

	close(rig->in);
	assert_int_equal(conn_splice_to(&rig->conn, rig->out, 8), 0);
	assert_int_equal(rig->conn.error, -EIO);
	assert_false(rig->conn.writable);
	rig->in = open("/dev/null", O_WRONLY | O_CLOEXEC);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)
	const struct CMUnitTest tests[] = {
		TEST(takes_what_there_is),
		TEST(takes_no_more_than_asked),
		TEST(an_empty_socket_teaches_nothing),
		TEST(the_end_is_for_recv_to_find),
		TEST(small_segments_fill_a_pipe),
		TEST(stops_at_urgent_data_that_recv_passes),
		TEST(an_error_that_it_takes_sticks),
		TEST(what_splice_refuses_is_no_error_of_the_connection),
		TEST(takes_from_a_unix_socket_too),
		TEST(sends_what_is_in_the_pipe),
		TEST(a_full_socket_is_not_writable),
		TEST(a_reset_is_the_connections_error),
		TEST(a_unix_peer_that_reads_no_more_may_still_speak),
		TEST(a_pipe_that_ends_is_an_error),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("conn_splice", tests, NULL, NULL);
}
