#include "refill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

#include "worker-internal.h"

#define BEGIN 1000000 /* ms; when each test does */
#define MIB   (1 << 20)

/* Sessions that may send 1 MiB a second to their servers. */
#define COUNT 3

struct rig {
	struct worker	  *worker; /* its time, and no more */
	struct event_base *base;
	struct refill	   refill;
	struct relay_queue full;
	struct session	   sessions[COUNT];
	struct meter	   meters[COUNT][2];
};

static int
setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->worker = aligned_alloc(alignof(struct worker),
	    sizeof(struct worker));
	rig->worker->now = BEGIN;
	rig->base = conn_base_new();
	TAILQ_INIT(&rig->full);
	assert_int_equal(refill_open(&rig->refill, rig->base, &rig->full), 0);
	for (int i = 0; i < COUNT; i++) {
		struct session *s = &rig->sessions[i];

		s->worker = rig->worker;
		s->meters = rig->meters[i];
		relay_open(&s->to_upstream, s, &s->client, &s->upstream);
		meter_init(&s->meters[0], MIB, BEGIN);
	}
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	refill_close(&rig->refill);
	event_base_free(rig->base);
	free(rig->worker);
	free(rig);
	return 0;
}

static void
run_out(struct rig *rig, int i)
{
	struct relay *r = &rig->sessions[i].to_upstream;
	struct meter *m = session_meter(r);

	meter_take(m, meter_room(m, rig->worker->now));
	m->busy = r->held = true;
	refill_add(&rig->refill, r);
}

/* As if the timer came up so much later. */
static void
tick(struct rig *rig, uint64_t ms)
{
	rig->worker->now += ms;
	event_del(&rig->refill.timer);
	event_active(&rig->refill.timer, EV_TIMEOUT, 1);
	event_base_loop(rig->base, EVLOOP_NONBLOCK);
}

static bool
goes_on(const struct rig *rig, int i)
{
	const struct relay *r = &rig->sessions[i].to_upstream;

	assert_int_equal(r->queue == &rig->full, !r->held);
	return r->queue == &rig->full;
}

static bool
is_running(const struct rig *rig)
{
	return event_pending(&rig->refill.timer, EV_TIMEOUT, NULL);
}

static void
who_ran_out_goes_on_when_there_is_some(void **state)
{
	struct rig *rig = *state;

	run_out(rig, 0);
	tick(rig, METER_WAIT_MS - 1);
	assert_false(goes_on(rig, 0));
	tick(rig, 1);
	assert_true(goes_on(rig, 0));
}

static void
each_waits_for_its_own(void **state)
{
	struct rig *rig = *state;

	run_out(rig, 0);
	rig->worker->now += 10;
	run_out(rig, 1);
	tick(rig, METER_WAIT_MS - 10);
	assert_true(goes_on(rig, 0));
	assert_false(goes_on(rig, 1));
	run_out(rig, 2);
	tick(rig, 10);
	assert_true(goes_on(rig, 1));
	assert_false(goes_on(rig, 2));
	tick(rig, METER_WAIT_MS);
	assert_true(goes_on(rig, 2));
}

static void
who_has_left_does_not_come_back(void **state)
{
	struct rig *rig = *state;

	run_out(rig, 0);
	relay_wait(&rig->sessions[0].to_upstream, NULL);
	tick(rig, 1000);
	assert_null(rig->sessions[0].to_upstream.queue);
}

static void
the_timer_runs_while_somebody_waits(void **state)
{
	struct rig *rig = *state;

	assert_false(is_running(rig));
	run_out(rig, 0);
	run_out(rig, 1);
	assert_true(is_running(rig));
	tick(rig, 1);
	assert_true(is_running(rig));
	tick(rig, METER_WAIT_MS);
	assert_true(goes_on(rig, 0) && goes_on(rig, 1));
	assert_false(is_running(rig));
}

/* libevent's clock, which may be a coarse one, goes on. */
static void
wait_for_a_later_time(void)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &begin);
	do {
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	} while (now.tv_sec == begin.tv_sec && now.tv_nsec == begin.tv_nsec);
}

/* Else many that come one after the other would keep all waiting. */
static void
who_comes_later_does_not_put_the_timer_off(void **state)
{
	struct rig *rig = *state;
	struct timeval first, later;

	run_out(rig, 0);
	assert_true(event_pending(&rig->refill.timer, EV_TIMEOUT, &first));
	for (int i = 1; i < COUNT; i++) {
		wait_for_a_later_time();
		run_out(rig, i);
	}
	assert_true(event_pending(&rig->refill.timer, EV_TIMEOUT, &later));
	assert_true(timercmp(&first, &later, ==));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_ran_out_goes_on_when_there_is_some),
		TEST(each_waits_for_its_own),
		TEST(who_has_left_does_not_come_back),
		TEST(the_timer_runs_while_somebody_waits),
		TEST(who_comes_later_does_not_put_the_timer_off),
	};

	return cmocka_run_group_tests_name("refill", tests, NULL, NULL);
}
