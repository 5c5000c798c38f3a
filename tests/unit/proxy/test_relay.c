#include "relay.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Spills as they are, but for memory, which can be short. */
static bool memory_is_short;

static void *
scarce(size_t size)
{
	return memory_is_short ? NULL : malloc(size);
}

#define malloc scarce
#include "../../../src/proxy/spill.c"
#undef malloc

#include "base/log.h"
#include "config/snapshot.h"
#include "worker-internal.h"

#define KIB	(1024)
#define ROOM	(16 << 20) /* of each socket's kernel */
#define LARGE	(40 * KIB) /* a read of bulk */
#define SMALL	(4 * KIB)
#define PIPES	4
#define TURN	RELAY_BULK_BUDGET

/* Both directions of a session; the tests pump the one to the upstream. */
struct rig {
	struct session_limit limit;
	struct shared	     shared;
	struct worker	    *worker;
	struct session	     session;
	int		     client; /* the far ends */
	int		     upstream;
	uint64_t	     said; /* by the client */
	uint64_t	     heard; /* by the upstream */
};

static int
socket_pair(struct conn *ours)
{
	int ends[2], room = ROOM;

	assert_int_equal(socketpair(AF_UNIX,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &room,
		    sizeof(room));
	conn_hold(ours, ends[0]);
	ours->readable = ours->writable = true;
	return ends[1];
}

static struct snapshot *
rig_config(const char *relay)
{
	struct config_errors errors = { 0 };
	struct config *config;
	char text[256];

	snprintf(text, sizeof(text), "[listener]\nbind = 127.0.0.1:1\n"
	    "relay = %s\n[upstream]\nserver = 127.0.0.1:2\n", relay);
	config = config_load_text("test", text, strlen(text), &errors);
	assert_non_null(config);
	return snapshot_new(config);
}

static void
rig_begin(struct rig *rig, const char *relay, unsigned max_pipes)
{
	struct session *s = &rig->session;

	rig->shared.max_pipes = max_pipes;
	rig->worker->snapshot = rig_config(relay);
	s->listener = snapshot_config(rig->worker->snapshot)->listeners;
	s->worker = rig->worker;
	relay_open(&s->to_upstream, s, &s->client, &s->upstream);
	relay_open(&s->to_client, s, &s->upstream, &s->client);
}

static int
rig_make(void **state)
{
	struct rig *rig = aligned_alloc(alignof(struct rig), sizeof(*rig));

	memset(rig, 0, sizeof(*rig));
	rig->shared.listeners = &rig->limit;
	rig->shared.nlisteners = rig->shared.nupstreams = 1;
	rig->worker = worker_new(&rig->shared, 0);
	assert_non_null(rig->worker);
	rig->client = socket_pair(&rig->session.client);
	rig->upstream = socket_pair(&rig->session.upstream);
	*state = rig;
	return 0;
}

static int
rig_remove(void **state)
{
	struct rig *rig = *state;

	memory_is_short = false;
	relay_close(&rig->session.to_upstream, rig->worker);
	relay_close(&rig->session.to_client, rig->worker);
	conn_close(&rig->session.client);
	conn_close(&rig->session.upstream);
	close(rig->client);
	close(rig->upstream);
	worker_free(rig->worker);
	free(rig);
	return 0;
}

/* What the client says, by position. */
static uint8_t
byte_of(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8));
}

/* So much waits to be read. */
static void
say(struct rig *rig, size_t size)
{
	uint8_t *data = malloc(size);

	for (size_t i = 0; i < size; i++)
		data[i] = byte_of(rig->said++);
	assert_int_equal(send(rig->client, data, size, 0), size);
	free(data);
	rig->session.client.readable = true;
}

/* The upstream takes all that has come, which has to be right. */
static void
hear(struct rig *rig)
{
	static uint8_t data[64 * KIB];
	ssize_t n;

	while ((n = recv(rig->upstream, data, sizeof(data), 0)) > 0)
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(data[i], byte_of(rig->heard++));
	rig->session.upstream.writable = true;
}

/* Returns how much it moved. */
static size_t
pump(struct rig *rig)
{
	struct relay *r = &rig->session.to_upstream;
	uint64_t before = relay_delivered(r);

	rig->worker->now = 0;
	assert_int_equal(relay_pump(r, rig->worker), 0);
	assert_true(r->spill == NULL || r->pipe == NULL);
	assert_int_equal(r->pending > 0, r->spill != NULL || r->pipe != NULL);
	return relay_delivered(r) - before;
}

static void
say_and_pump(struct rig *rig, size_t size)
{
	say(rig, size);
	assert_int_equal(pump(rig), size);
	hear(rig);
	assert_int_equal(rig->heard, rig->said);
}

static void
leave_little_room(struct rig *rig)
{
	int little = 4 * KIB;

	setsockopt(rig->session.upstream.fd, SOL_SOCKET, SO_SNDBUF, &little,
	    sizeof(little));
}

/* Until the upstream's kernel takes no more and something is in flight.  A Unix
 * socket counts what is spliced to it late: it takes more than it has room
 * for. */
static void
get_stuck(struct rig *rig)
{
	leave_little_room(rig);
	do {
		say(rig, 60 * KIB);
		pump(rig);
	} while (rig->session.to_upstream.pending == 0);
}

static void
get_over_it(struct rig *rig)
{
	while (rig->session.to_upstream.pending > 0) {
		assert_false(rig->session.to_upstream.done);
		hear(rig);
		assert_true(pump(rig) > 0);
	}
	hear(rig);
	assert_int_equal(rig->heard, rig->said);
}

static void
needs_room(const struct rig *rig)
{
	int room = 0;
	socklen_t len = sizeof(room);

	getsockopt(rig->client, SOL_SOCKET, SO_SNDBUF, &room, &len);
	if (room < ROOM)
		skip(); /* SO_SNDBUFFORCE is root's */
}

/* --- budgets */

static void
a_pump_stays_within_its_budget(void **state)
{
	struct rig *rig = *state;
	struct relay *r = &rig->session.to_upstream;
	size_t moved;

	needs_room(rig);
	rig_begin(rig, "copy", 0);
	say(rig, 8 * TURN);
	moved = pump(rig);
	assert_true(moved >= RELAY_BUDGET);
	assert_true(moved < RELAY_BUDGET + WORKER_SCRATCH);
	assert_true(relay_runnable(r)); /* the rest is for its next turn */
	assert_true(r->bulk);
	for (int i = 0; i < 3; i++) {
		moved = pump(rig);
		assert_true(moved >= TURN);
		assert_true(moved < TURN + WORKER_SCRATCH);
	}
	hear(rig);
}

static void
so_does_one_that_splices(void **state)
{
	struct rig *rig = *state;
	struct relay *r = &rig->session.to_upstream;
	size_t moved;

	needs_room(rig);
	rig_begin(rig, "splice", PIPES);
	say(rig, 4 * TURN);
	moved = pump(rig);
	assert_true(moved >= RELAY_BUDGET && moved < RELAY_BUDGET + 256 * KIB);
	assert_true(relay_runnable(r));
	assert_null(r->pipe); /* others may want it meanwhile */
	assert_int_equal(rig->worker->pipes.kept, 1);
	while (rig->heard < rig->said) {
		assert_true(pump(rig) < TURN + 256 * KIB);
		hear(rig);
	}
}

/* --- learning */

static void
two_large_reads_are_bulk(void **state)
{
	struct rig *rig = *state;
	struct relay *r = &rig->session.to_upstream;

	rig_begin(rig, "auto", PIPES);
	say_and_pump(rig, LARGE);
	assert_false(r->bulk);
	say_and_pump(rig, SMALL); /* they have to come in a row */
	say_and_pump(rig, LARGE);
	assert_false(r->bulk);
	assert_int_equal(rig->worker->pipes.open, 0);
	say_and_pump(rig, LARGE);
	assert_true(r->bulk);
	say_and_pump(rig, LARGE);
	assert_int_equal(rig->worker->pipes.open, 1);
	assert_false(rig->session.to_client.bulk);
}

static void
three_small_pumps_are_not(void **state)
{
	struct rig *rig = *state;
	struct relay *r = &rig->session.to_upstream;

	rig_begin(rig, "auto", PIPES);
	say_and_pump(rig, LARGE);
	say_and_pump(rig, LARGE);
	assert_true(r->bulk);
	say_and_pump(rig, SMALL);
	say_and_pump(rig, SMALL);
	say_and_pump(rig, LARGE);
	say_and_pump(rig, SMALL);
	say_and_pump(rig, SMALL);
	assert_true(r->bulk);
	say_and_pump(rig, SMALL);
	assert_false(r->bulk);
}

/* An edge that brought nothing says nothing about the size of messages. */
static void
empty_pumps_teach_nothing(void **state)
{
	struct rig *rig = *state;
	struct relay *r = &rig->session.to_upstream;

	rig_begin(rig, "auto", PIPES);
	say_and_pump(rig, LARGE);
	rig->session.client.readable = true;
	assert_int_equal(pump(rig), 0);
	say_and_pump(rig, LARGE);
	assert_true(r->bulk);
	for (int i = 0; i < 5; i++) {
		rig->session.client.readable = true;
		assert_int_equal(pump(rig), 0);
	}
	assert_true(r->bulk);
}

/* --- what is in flight */

static void
a_copy_leaves_the_rest_in_a_spill(void **state)
{
	struct rig *rig = *state;
	struct relay *r = &rig->session.to_upstream;

	rig_begin(rig, "copy", PIPES);
	get_stuck(rig);
	assert_non_null(r->spill);
	assert_int_equal(rig->worker->pipes.open, 0);
	assert_false(relay_runnable(r));
	get_over_it(rig);
}

static void
a_splice_leaves_it_in_the_pipe(void **state)
{
	struct rig *rig = *state;
	struct relay *r = &rig->session.to_upstream;

	rig_begin(rig, "splice", PIPES);
	get_stuck(rig);
	assert_non_null(r->pipe);
	assert_int_equal(rig->worker->pipes.kept, 0);
	assert_int_equal(rig->worker->spills.used, 0);
	assert_false(relay_runnable(r));
	get_over_it(rig);
	assert_null(r->pipe);
	assert_int_equal(rig->worker->pipes.kept, 1);
}

static void
nothing_is_read_before_it_is_gone(void **state)
{
	struct rig *rig = *state;
	struct relay *r = &rig->session.to_upstream;
	uint64_t taken_on;

	rig_begin(rig, "splice", PIPES);
	get_stuck(rig);
	taken_on = r->bytes;
	say(rig, SMALL);
	rig->session.upstream.writable = true; /* a false alarm */
	pump(rig);
	assert_int_equal(r->bytes, taken_on);
	assert_true(rig->session.client.readable);
}

static void
a_session_that_ends_closes_its_pipe(void **state)
{
	struct rig *rig = *state;
	struct relay *r = &rig->session.to_upstream;
	uint64_t delivered;

	rig_begin(rig, "splice", PIPES);
	get_stuck(rig);
	delivered = relay_delivered(r);
	assert_int_equal(rig->worker->pipes.open, 1);
	relay_close(r, rig->worker);
	assert_int_equal(rig->worker->pipes.open, 0);
	assert_int_equal(rig->worker->pipes.kept, 0);
	assert_int_equal(relay_delivered(r), delivered);
	relay_close(r, rig->worker);
}

static void
the_end_comes_after_the_last_byte(void **state)
{
	struct rig *rig = *state;
	struct relay *r = &rig->session.to_upstream;
	char byte;

	rig_begin(rig, "splice", PIPES);
	get_stuck(rig);
	shutdown(rig->client, SHUT_WR);
	assert_int_equal(pump(rig), 0);
	get_over_it(rig);
	assert_true(r->done);
	assert_int_equal(recv(rig->upstream, &byte, 1, 0), 0);
}

/* --- without */

static void
without_pipes_all_is_copied(void **state)
{
	struct rig *rig = *state;

	rig_begin(rig, "splice", 0);
	for (int i = 0; i < 5; i++)
		say_and_pump(rig, LARGE);
	assert_int_equal(rig->worker->pipes.open, 0);
}

static void
without_memory_for_the_rest_it_fails(void **state)
{
	struct rig *rig = *state;
	struct relay *r = &rig->session.to_upstream;
	uint64_t delivered;
	int error;

	rig_begin(rig, "copy", 0);
	leave_little_room(rig);
	memory_is_short = true;
	do
		say(rig, 60 * KIB);
	while ((error = relay_pump(r, rig->worker)) == 0);
	assert_int_equal(error, -ENOMEM);
	assert_int_equal(r->pending, 0);
	assert_null(r->spill);
	delivered = relay_delivered(r);
	hear(rig);
	assert_int_equal(rig->heard, delivered);
}

/* A pipe wants none once it is there. */
static void
bytes_in_a_pipe_need_no_memory(void **state)
{
	struct rig *rig = *state;

	rig_begin(rig, "splice", PIPES);
	say_and_pump(rig, 1);
	memory_is_short = true;
	get_stuck(rig);
	assert_non_null(rig->session.to_upstream.pipe);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)
	const struct CMUnitTest tests[] = {
		TEST(a_pump_stays_within_its_budget),
		TEST(so_does_one_that_splices),
		TEST(two_large_reads_are_bulk),
		TEST(three_small_pumps_are_not),
		TEST(empty_pumps_teach_nothing),
		TEST(a_copy_leaves_the_rest_in_a_spill),
		TEST(a_splice_leaves_it_in_the_pipe),
		TEST(nothing_is_read_before_it_is_gone),
		TEST(a_session_that_ends_closes_its_pipe),
		TEST(the_end_comes_after_the_last_byte),
		TEST(without_pipes_all_is_copied),
		TEST(without_memory_for_the_rest_it_fails),
		TEST(bytes_in_a_pipe_need_no_memory),
	};

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
