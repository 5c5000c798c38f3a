#include "doubt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Three directions whose near sides gave less than was asked for. */
#define COUNT 3

struct rig {
	struct event_base *base;
	struct doubts	   doubts;
	struct relay_queue asked;
	struct conn	   conns[COUNT];
	struct relay	   relays[COUNT];
};

static int
setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->base = conn_base_new();
	TAILQ_INIT(&rig->asked);
	assert_int_equal(doubts_open(&rig->doubts, rig->base, &rig->asked), 0);
	for (int i = 0; i < COUNT; i++) {
		relay_open(&rig->relays[i], NULL, &rig->conns[i], NULL);
		rig->conns[i].heard = true;
	}
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	doubts_close(&rig->doubts);
	event_base_free(rig->base);
	free(rig);
	return 0;
}

static void
doubt(struct rig *rig, int i)
{
	conn_doubt(&rig->conns[i]);
	rig->relays[i].doubted = rig->doubts.now;
	doubts_add(&rig->doubts, &rig->relays[i]);
}

/* As if the timer came up. */
static void
tick(struct rig *rig)
{
	event_del(&rig->doubts.timer);
	event_active(&rig->doubts.timer, EV_TIMEOUT, 1);
	event_base_loop(rig->base, EVLOOP_NONBLOCK);
}

static bool
is_asked(const struct rig *rig, int i)
{
	return rig->relays[i].queue == &rig->asked;
}

static void
who_stays_silent_is_asked(void **state)
{
	struct rig *rig = *state;

	doubt(rig, 0);
	assert_false(rig->conns[0].readable);
	tick(rig);
	assert_false(is_asked(rig, 0));
	tick(rig);
	assert_true(is_asked(rig, 0));
	assert_true(rig->conns[0].readable && rig->conns[0].heard);
}

static void
who_speaks_is_not_asked(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 300; i++) { /* more than a byte counts */
		conn_hear(&rig->conns[0], EV_READ);
		doubt(rig, 0);
		tick(rig);
		assert_false(is_asked(rig, 0));
	}
	tick(rig);
	assert_true(is_asked(rig, 0));
}

static void
each_is_asked_in_its_time(void **state)
{
	struct rig *rig = *state;

	doubt(rig, 0);
	doubt(rig, 1);
	tick(rig);
	doubt(rig, 1);
	doubt(rig, 2);
	tick(rig);
	assert_true(is_asked(rig, 0));
	assert_false(is_asked(rig, 1) || is_asked(rig, 2));
	tick(rig);
	assert_true(is_asked(rig, 1) && is_asked(rig, 2));
}

static void
one_that_left_is_not_asked(void **state)
{
	struct rig *rig = *state;

	doubt(rig, 0);
	relay_wait(&rig->relays[0], NULL);
	tick(rig);
	tick(rig);
	assert_false(is_asked(rig, 0));
}

static void
the_timer_runs_while_there_are_doubts(void **state)
{
	struct rig *rig = *state;

	assert_false(event_pending(&rig->doubts.timer, EV_TIMEOUT, NULL));
	doubt(rig, 0);
	while (!is_asked(rig, 0))
		event_base_loop(rig->base, EVLOOP_ONCE);
	assert_false(event_pending(&rig->doubts.timer, EV_TIMEOUT, NULL));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_stays_silent_is_asked),
		TEST(who_speaks_is_not_asked),
		TEST(each_is_asked_in_its_time),
		TEST(one_that_left_is_not_asked),
		TEST(the_timer_runs_while_there_are_doubts),
	};

	return cmocka_run_group_tests_name("doubt", tests, NULL, NULL);
}
