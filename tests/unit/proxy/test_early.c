#include "early.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* The real thing but for its memory, which can be short. */
static bool memory_is_short;

static void *
scarce(void *old, size_t size)
{
	return memory_is_short ? NULL : realloc(old, size);
}

static void *
scarce_zeroed(size_t n, size_t size)
{
	return memory_is_short ? NULL : calloc(n, size);
}

static void *
scarce_new(size_t size)
{
	return memory_is_short ? NULL : malloc(size);
}

#define realloc scarce
#define calloc	scarce_zeroed
#define malloc	scarce_new
#include "../../../src/proxy/early.c"
#include "../../../src/proxy/spill.c"
#undef realloc
#undef calloc
#undef malloc

#include "base/log.h"
#include "relay_copy.h"
#include "worker-internal.h"

#define FIRST 2048 /* bytes that there is room for at once */
#define MUCH  16384

struct rig {
	struct session_limit limit;
	struct shared	     shared;
	struct worker	    *worker;
	struct session	     session;
	int		     client; /* the far ends */
	int		     upstream;
};

static int
socket_pair(struct conn *ours)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	conn_hold(ours, ends[0]);
	ours->readable = ours->writable = true;
	return ends[1];
}

static int
rig_make(void **state)
{
	struct rig *rig = aligned_alloc(alignof(struct rig), sizeof(*rig));
	struct session *s = &rig->session;

	memset(rig, 0, sizeof(*rig));
	rig->shared.listeners = &rig->limit;
	rig->shared.nlisteners = rig->shared.nupstreams = 1;
	rig->worker = worker_new(&rig->shared, 0);
	assert_non_null(rig->worker);
	rig->client = socket_pair(&s->client);
	rig->upstream = socket_pair(&s->upstream);
	s->worker = rig->worker;
	relay_open(&s->to_upstream, s, &s->client, &s->upstream);
	relay_open(&s->to_client, s, &s->upstream, &s->client);
	*state = rig;
	return 0;
}

static int
rig_remove(void **state)
{
	struct rig *rig = *state;

	memory_is_short = false;
	early_free(&rig->session);
	relay_close(&rig->session.to_upstream, rig->worker);
	conn_close(&rig->session.client);
	conn_close(&rig->session.upstream);
	close(rig->client);
	close(rig->upstream);
	worker_free(rig->worker);
	free(rig);
	return 0;
}

/* So much waits to be read; every byte is one of its place. */
static void
say(struct rig *rig, size_t from, size_t len)
{
	uint8_t data[MUCH];

	assert_true(len <= MUCH);
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)((from + i) * 31 + ((from + i) >> 8));
	assert_int_equal(send(rig->client, data, len, 0), len);
	rig->session.client.readable = true;
}

static void
assert_bytes(const uint8_t *data, size_t from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(data[i], (uint8_t)((from + i) * 31 +
		    ((from + i) >> 8)));
}

static void
assert_early(const struct rig *rig, size_t from, size_t len)
{
	assert_int_equal(rig->session.early->len, len);
	assert_bytes(rig->session.early->data, from, len);
}

static void
nothing_said_takes_no_memory(void **state)
{
	struct rig *rig = *state;

	rig->session.client.readable = false;
	assert_int_equal(early_read(&rig->session, MUCH), 0);
	assert_null(rig->session.early);
	assert_int_equal(early_pass(&rig->session), 0);
	assert_int_equal(rig->session.to_upstream.pending, 0);
	early_free(&rig->session);
}

static void
what_comes_is_appended(void **state)
{
	struct rig *rig = *state;
	struct session *s = &rig->session;

	say(rig, 0, 10);
	assert_int_equal(early_read(s, MUCH), 0);
	assert_early(rig, 0, 10);
	assert_int_equal(s->early->size, FIRST);
	assert_false(s->client.readable);
	say(rig, 10, FIRST);
	assert_int_equal(early_read(s, MUCH), 0);
	assert_early(rig, 0, FIRST + 10);
	assert_int_equal(s->early->size, 2 * FIRST);
}

static void
no_more_than_wanted(void **state)
{
	struct rig *rig = *state;
	struct session *s = &rig->session;

	say(rig, 0, MUCH);
	assert_int_equal(early_read(s, 107), 0);
	assert_early(rig, 0, 107);
	assert_true(s->client.readable);
	assert_int_equal(early_read(s, 107), 0);
	assert_int_equal(s->early->len, 107);
	assert_int_equal(early_read(s, MUCH), 0);
	assert_early(rig, 0, MUCH);
}

static void
fin_and_reset_stick_to_the_client(void **state)
{
	struct rig *rig = *state;
	struct session *s = &rig->session;

	say(rig, 0, 10);
	shutdown(rig->client, SHUT_WR);
	assert_int_equal(early_read(s, MUCH), 0);
	assert_early(rig, 0, 10);
	assert_true(s->client.eof);
	assert_int_equal(s->client.error, 0);
}

static void
a_header_is_dropped(void **state)
{
	struct rig *rig = *state;
	struct session *s = &rig->session;

	say(rig, 0, 100);
	early_read(s, MUCH);
	early_drop(s, 0);
	assert_early(rig, 0, 100);
	early_drop(s, 30);
	assert_early(rig, 30, 70);
	say(rig, 100, 10);
	early_read(s, MUCH);
	assert_early(rig, 30, 80);
	early_drop(s, 80);
	assert_int_equal(s->early->len, 0);
	assert_null(s->early->data);
}

/* As RELAY does: what was held comes first, then what comes after. */
static void
the_relay_begins_with_it(void **state)
{
	struct rig *rig = *state;
	struct session *s = &rig->session;
	uint8_t data[MUCH];

	say(rig, 0, 3000);
	early_read(s, MUCH);
	early_drop(s, 1000);
	say(rig, 3000, 500);
	assert_int_equal(early_pass(s), 0);
	assert_non_null(s->early);
	assert_null(s->early->data);
	assert_int_equal(s->to_upstream.pending, 2000);
	assert_int_equal(s->to_upstream.bytes, 2000);
	assert_int_equal(relay_delivered(&s->to_upstream), 0);
	assert_true(relay_runnable(&s->to_upstream));
	relay_copy_flush(&s->to_upstream, rig->worker);
	assert_int_equal(recv(rig->upstream, data, sizeof(data), 0), 2000);
	assert_bytes(data, 1000, 2000);
	assert_int_equal(relay_delivered(&s->to_upstream), 2000);
	assert_null(s->to_upstream.spill);
	assert_true(s->client.readable);
}

static void
what_was_all_dropped_leaves_nothing_to_pass(void **state)
{
	struct rig *rig = *state;
	struct session *s = &rig->session;

	say(rig, 0, 100);
	early_read(s, MUCH);
	early_drop(s, 100);
	assert_int_equal(early_pass(s), 0);
	assert_null(s->to_upstream.spill);
	assert_int_equal(s->to_upstream.bytes, 0);
}

static const struct peer PROXY = { .family = AF_INET, .port = 1,
	.ip = { 10, 0, 0, 1 } };
static const struct peer CLIENT = { .family = AF_INET, .port = 2,
	.ip = { 192, 0, 2, 1 } };

static void
a_header_says_who_the_client_is(void **state)
{
	struct rig *rig = *state;
	struct session *s = &rig->session;
	struct proxyproto p = { .source = CLIENT, .destination = PROXY,
		.tlvs = (const uint8_t *)"\1\0\0", .tlvs_len = 3 };

	s->peer = PROXY;
	assert_null(early_via(s));
	assert_ptr_equal(early_socket(s), &s->peer);
	assert_int_equal(early_learn(s, &p), 0);
	assert_memory_equal(&s->peer, &CLIENT, sizeof(CLIENT));
	assert_memory_equal(early_via(s), &PROXY, sizeof(PROXY));
	assert_memory_equal(early_socket(s), &PROXY, sizeof(PROXY));
	assert_memory_equal(&s->early->destination, &PROXY, sizeof(PROXY));
	assert_int_equal(s->early->tlvs_len, 3);
	assert_int_equal(early_pass(s), 0);
	assert_null(s->early->tlvs);
	assert_non_null(early_via(s));
}

static void
a_header_that_says_nothing(void **state)
{
	struct rig *rig = *state;
	struct session *s = &rig->session;
	struct proxyproto p = { .local = true };

	s->peer = PROXY;
	assert_int_equal(early_learn(s, &p), 0);
	assert_true(s->early->local);
	assert_memory_equal(&s->peer, &PROXY, sizeof(PROXY));
	assert_null(early_via(s));
}

static void
no_memory_for_what_a_header_says(void **state)
{
	static const uint8_t paths[2 * PROXYPROTO_PATH];
	struct rig *rig = *state;
	struct session *s = &rig->session;
	struct proxyproto p = { .source = CLIENT, .paths = paths };

	s->peer = PROXY;
	assert_non_null(early_of(s));
	memory_is_short = true;
	assert_int_equal(early_learn(s, &p), -ENOMEM);
	assert_memory_equal(&s->peer, &PROXY, sizeof(PROXY));
	assert_null(early_via(s));
}

static void
short_memory_loses_nothing(void **state)
{
	struct rig *rig = *state;
	struct session *s = &rig->session;

	say(rig, 0, 10);
	memory_is_short = true;
	assert_int_equal(early_read(s, MUCH), -ENOMEM);
	assert_null(s->early);
	memory_is_short = false;
	assert_non_null(early_of(s));
	memory_is_short = true;
	assert_int_equal(early_read(s, MUCH), -ENOMEM);
	assert_true(s->client.readable);
	memory_is_short = false;
	assert_int_equal(early_read(s, MUCH), 0);
	say(rig, 10, FIRST);
	memory_is_short = true;
	assert_int_equal(early_read(s, MUCH), -ENOMEM);
	assert_int_equal(early_pass(s), -ENOMEM);
	assert_int_equal(s->to_upstream.bytes, 0);
	memory_is_short = false;
	assert_int_equal(early_read(s, MUCH), 0);
	assert_early(rig, 0, FIRST + 10);
	assert_int_equal(early_pass(s), 0);
	assert_int_equal(s->to_upstream.pending, FIRST + 10);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_make, rig_remove)
	const struct CMUnitTest tests[] = {
		TEST(nothing_said_takes_no_memory),
		TEST(what_comes_is_appended),
		TEST(no_more_than_wanted),
		TEST(fin_and_reset_stick_to_the_client),
		TEST(a_header_is_dropped),
		TEST(the_relay_begins_with_it),
		TEST(what_was_all_dropped_leaves_nothing_to_pass),
		TEST(a_header_says_who_the_client_is),
		TEST(a_header_that_says_nothing),
		TEST(no_memory_for_what_a_header_says),
		TEST(short_memory_loses_nothing),
	};

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
