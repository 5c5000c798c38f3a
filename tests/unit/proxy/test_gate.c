#include "gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "worker-internal.h"

#define SHARE	25
#define QUIET_US 3000 /* after which small messages are forgotten */
#define TURNS	4

/* Two sessions that only note whose turn it was and with how much, and are
 * runnable for ever. */
struct rig {
	struct worker  worker;
	struct session first, second;
	struct relay  *turns[TURNS];
	size_t	       count;
};

static struct rig *rig;

static void
pass_time(uint64_t us)
{
	uint64_t until = clock_us() + us;

	while (clock_us() < until)
		continue;
}

static enum phase_answer
remember_turn(struct session *s)
{
	struct gate *g = &rig->worker.gate;

	if (!gate_lets(g, &s->to_upstream))
		return PHASE_WAIT;
	assert_true(rig->count < TURNS);
	pass_time(10);
	rig->turns[rig->count++] = &s->to_upstream;
	return PHASE_WAIT;
}

static uint64_t
never(const struct session *s)
{
	(void)s;
	return UINT64_MAX;
}

static const struct phase PHASE = { .name = "test", .run = remember_turn,
	.deadline = never };

static const struct listener_conf LISTENER;

static void
prepare(struct session *s)
{
	s->worker = &rig->worker;
	s->phase = &PHASE;
	s->listener = &LISTENER;
	s->relaying = true;
	s->client.readable = s->upstream.writable = true;
	relay_open(&s->to_upstream, s, &s->client, &s->upstream);
	relay_open(&s->to_client, s, &s->upstream, &s->client);
	s->to_upstream.bulk = true;
}

static int
setup(void **state)
{
	(void)state;
	rig = aligned_alloc(alignof(struct rig), sizeof(*rig));
	memset(rig, 0, sizeof(*rig));
	rig->worker.base = conn_base_new();
	TAILQ_INIT(&rig->worker.queue);
	assert_int_equal(gate_open(&rig->worker.gate, rig->worker.base), 0);
	prepare(&rig->first);
	prepare(&rig->second);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	gate_close(&rig->worker.gate);
	event_base_free(rig->worker.base);
	free(rig);
	return 0;
}

static void
small_message(void)
{
	struct relay small = { .from = &rig->first.client,
		.to = &rig->first.upstream };

	assert_true(gate_lets(&rig->worker.gate, &small));
}

static void
bulk_waits_for_its_turn(void **state)
{
	struct gate *g = &rig->worker.gate;

	(void)state;
	assert_false(gate_ready(g));
	session_advance(&rig->first);
	assert_int_equal(rig->count, 0);
	assert_true(gate_ready(g));
	gate_run(g, SHARE);
	assert_int_equal(rig->count, 1);
	assert_ptr_equal(rig->turns[0], &rig->first.to_upstream);
	assert_true(gate_ready(g)); /* more to do, and nobody to wait for */
}

static void
turns_go_round(void **state)
{
	struct gate *g = &rig->worker.gate;

	(void)state;
	session_advance(&rig->first);
	session_advance(&rig->second);
	for (int i = 0; i < TURNS; i++)
		gate_run(g, SHARE);
	for (int i = 0; i < TURNS; i++)
		assert_ptr_equal(rig->turns[i], i % 2 == 0 ?
		    &rig->first.to_upstream : &rig->second.to_upstream);
}

static void
one_that_cannot_move_waits_no_more(void **state)
{
	(void)state;
	session_advance(&rig->first);
	rig->first.upstream.writable = false;
	session_advance(&rig->first);
	assert_false(gate_ready(&rig->worker.gate));
}

static void
one_that_ends_waits_no_more(void **state)
{
	(void)state;
	session_advance(&rig->first);
	session_advance(&rig->second);
	relay_close(&rig->first.to_upstream, &rig->worker);
	gate_run(&rig->worker.gate, SHARE);
	assert_ptr_equal(rig->turns[0], &rig->second.to_upstream);
}

static void
small_messages_shut_the_gate(void **state)
{
	struct gate *g = &rig->worker.gate;

	(void)state;
	session_advance(&rig->first);
	gate_run(g, SHARE);
	small_message();
	gate_run(g, SHARE);
	assert_false(gate_ready(g));
	gate_run(g, SHARE);
	assert_int_equal(rig->count, 2);
	while (!gate_ready(g)) /* its timer is all there is */
		event_base_loop(rig->worker.base, EVLOOP_ONCE);
	gate_run(g, SHARE);
	assert_int_equal(rig->count, 3);
}

static void
a_share_of_all_leaves_it_open(void **state)
{
	struct gate *g = &rig->worker.gate;

	(void)state;
	session_advance(&rig->first);
	gate_run(g, 100);
	small_message();
	gate_run(g, 100);
	assert_true(gate_ready(g));
	small_message();
	gate_run(g, 50);
	assert_false(gate_ready(g));
}

static void
small_messages_are_forgotten(void **state)
{
	struct gate *g = &rig->worker.gate;

	(void)state;
	session_advance(&rig->first);
	gate_run(g, SHARE);
	small_message();
	gate_run(g, SHARE);
	while (!gate_ready(g))
		event_base_loop(rig->worker.base, EVLOOP_ONCE);
	pass_time(QUIET_US);
	gate_run(g, SHARE);
	assert_true(gate_ready(g));
}

static void
never_opened_is_closed(void **state)
{
	struct gate gate = { 0 };

	(void)state;
	gate_close(&gate);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bulk_waits_for_its_turn),
		TEST(turns_go_round),
		TEST(one_that_cannot_move_waits_no_more),
		TEST(one_that_ends_waits_no_more),
		TEST(small_messages_shut_the_gate),
		TEST(a_share_of_all_leaves_it_open),
		TEST(small_messages_are_forgotten),
		cmocka_unit_test(never_opened_is_closed),
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
