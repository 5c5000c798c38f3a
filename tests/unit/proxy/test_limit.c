#include "limit.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Two listeners that share the global limit. */
struct rig {
	struct shared	     shared;
	struct session_limit limits[2];
	struct listener_conf first, second;
};

static int
rig_make(void **state)
{
	struct rig *rig = aligned_alloc(alignof(struct rig), sizeof(*rig));

	if (rig == NULL)
		return 1;
	memset(rig, 0, sizeof(*rig));
	rig->shared.listeners = rig->limits;
	rig->second.index = 1;
	*state = rig;
	return 0;
}

static int
rig_remove(void **state)
{
	free(*state);
	return 0;
}

static void
assert_used(const struct rig *rig, uint64_t all, uint64_t first,
    uint64_t second)
{
	assert_int_equal(rig->shared.sessions.used, all);
	assert_int_equal(rig->limits[0].used, first);
	assert_int_equal(rig->limits[1].used, second);
}

static void
no_limit_counts_all_the_same(void **state)
{
	struct rig *rig = *state;

	assert_false(limit_held(&rig->shared, &rig->first));
	for (int i = 0; i < 1000; i++)
		assert_true(limit_take(&rig->shared, &rig->first));
	assert_true(limit_take(&rig->shared, &rig->second));
	assert_used(rig, 1001, 1000, 1);
	assert_true(limit_held(&rig->shared, &rig->first));
	limit_give(&rig->shared, &rig->second);
	assert_false(limit_held(&rig->shared, &rig->second));
	assert_used(rig, 1000, 1000, 0);
}

static void
full_listener_leaves_room_for_others(void **state)
{
	struct rig *rig = *state;

	rig->shared.sessions.max = 5;
	rig->limits[0].max = 2;
	assert_true(limit_take(&rig->shared, &rig->first));
	assert_true(limit_take(&rig->shared, &rig->first));
	for (int i = 0; i < 10; i++)
		assert_false(limit_take(&rig->shared, &rig->first));
	assert_used(rig, 2, 2, 0); /* what was refused took nothing */
	for (int i = 0; i < 3; i++)
		assert_true(limit_take(&rig->shared, &rig->second));
	assert_used(rig, 5, 2, 3);
}

static void
all_full_is_full_for_each(void **state)
{
	struct rig *rig = *state;

	rig->shared.sessions.max = 3;
	rig->limits[0].max = 2;
	for (int i = 0; i < 3; i++)
		assert_true(limit_take(&rig->shared, &rig->second));
	assert_false(limit_take(&rig->shared, &rig->first));
	assert_false(limit_take(&rig->shared, &rig->second));
	assert_used(rig, 3, 0, 3);
	limit_give(&rig->shared, &rig->second);
	assert_true(limit_take(&rig->shared, &rig->first));
	assert_used(rig, 3, 1, 2);
}

/* --- several threads */

#define THREADS 4
#define TRIES	20000
#define MOST	7

struct taker {
	struct rig	*rig;
	pthread_t	 thread;
	unsigned	 kept;
	_Atomic uint64_t *held;	   /* by all takers at this moment */
	_Atomic uint64_t *exceeded; /* how often that was more than MOST */
};

static void *
take_and_keep(void *arg)
{
	struct taker *t = arg;

	for (int i = 0; i < TRIES; i++)
		t->kept += limit_take(&t->rig->shared, &t->rig->first);
	return NULL;
}

static void *
take_and_give(void *arg)
{
	struct taker *t = arg;

	for (int i = 0; i < TRIES; i++) {
		if (!limit_take(&t->rig->shared, &t->rig->first))
			continue;
		if (atomic_fetch_add(t->held, 1) >= MOST)
			atomic_fetch_add(t->exceeded, 1);
		atomic_fetch_sub(t->held, 1);
		limit_give(&t->rig->shared, &t->rig->first);
	}
	return NULL;
}

static unsigned
takers_run(struct rig *rig, void *(*run)(void *))
{
	_Atomic uint64_t held = 0, exceeded = 0;
	struct taker takers[THREADS];
	unsigned kept = 0;

	for (int i = 0; i < THREADS; i++) {
		takers[i] = (struct taker){ .rig = rig, .held = &held,
			.exceeded = &exceeded };
		assert_int_equal(pthread_create(&takers[i].thread, NULL, run,
		    &takers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(takers[i].thread, NULL);
		kept += takers[i].kept;
	}
	assert_int_equal(exceeded, 0);
	return kept;
}

static void
exact_when_all_keep(void **state)
{
	struct rig *rig = *state;

	rig->shared.sessions.max = 12345;
	assert_int_equal(takers_run(rig, take_and_keep), 12345);
	assert_used(rig, 12345, 12345, 0);
	assert_false(limit_take(&rig->shared, &rig->first));
}

/* A few more than there is room for, so that they meet at the limit. */
static void
never_exceeded_when_all_hurry(void **state)
{
	struct rig *rig = *state;

	rig->limits[0].max = MOST;
	for (int i = 0; i < MOST - 2; i++)
		assert_true(limit_take(&rig->shared, &rig->first));
	rig->shared.sessions.max = MOST;
	takers_run(rig, take_and_give);
	assert_used(rig, MOST - 2, MOST - 2, 0);
}

/* --- session_rate */

#define BEGIN UINT64_C(1000000)

static unsigned
take_rate(struct rig *rig, const struct listener_conf *conf, uint64_t now)
{
	unsigned taken = 0;

	while (limit_rate_take(&rig->shared, conf, now))
		taken++;
	return taken;
}

/* A worker may take a place by one configuration and give it back when main has
 * begun another, or take one by the old one after that. */
static void
a_rate_that_becomes_another(void **state)
{
	struct rig *rig = *state;

	rig->first.session_rate = (struct rate_limit){ 1, 3600000 };
	assert_true(limit_rate_take(&rig->shared, &rig->first, BEGIN));
	rig->limits[0].full = 0;
	limit_rate_give(&rig->shared, &rig->first);
	rig->first.session_rate = (struct rate_limit){ 10, 1000 };
	assert_int_equal(take_rate(rig, &rig->first, BEGIN), 10);
	rig->limits[0].full = 0;
	rig->first.session_rate = (struct rate_limit){ 1, 3600000 };
	assert_true(limit_rate_take(&rig->shared, &rig->first, BEGIN));
	rig->first.session_rate = (struct rate_limit){ 10, 1000 };
	assert_int_equal(take_rate(rig, &rig->first, BEGIN), 0);
	assert_int_equal(take_rate(rig, &rig->first, BEGIN + 500), 5);
}

static void
a_rate_is_a_listeners(void **state)
{
	struct rig *rig = *state;

	rig->first.session_rate = (struct rate_limit){ 10, 1000 };
	rig->second.session_rate = (struct rate_limit){ 60, 60000 };
	assert_int_equal(take_rate(rig, &rig->first, BEGIN), 10);
	assert_int_equal(take_rate(rig, &rig->second, BEGIN), 60);
	assert_int_equal(take_rate(rig, &rig->first, BEGIN + 500), 5);
	assert_int_equal(take_rate(rig, &rig->second, BEGIN + 5000), 5);
	rig->first.session_rate.count = 0;
	assert_true(limit_rate_take(&rig->shared, &rig->first, BEGIN));
}

static void
a_place_not_used_is_there_again(void **state)
{
	struct rig *rig = *state;

	rig->first.session_rate = (struct rate_limit){ 3, 1000 };
	for (int i = 0; i < 1000; i++) {
		assert_true(limit_rate_take(&rig->shared, &rig->first, BEGIN));
		limit_rate_give(&rig->shared, &rig->first);
	}
	assert_int_equal(take_rate(rig, &rig->first, BEGIN), 3);
	limit_rate_give(&rig->shared, &rig->first);
	assert_int_equal(take_rate(rig, &rig->first, BEGIN), 1);
	rig->first.session_rate.count = 0;
	limit_rate_give(&rig->shared, &rig->first);
}

static void *
take_rate_and_give(void *arg)
{
	struct taker *t = arg;

	for (int i = 0; i < TRIES; i++) {
		if (!limit_rate_take(&t->rig->shared, &t->rig->first, BEGIN))
			continue;
		if (i % 2 == 0)
			limit_rate_give(&t->rig->shared, &t->rig->first);
		else
			t->kept++;
	}
	return NULL;
}

/* Some find nobody to accept and give back. */
static void
a_rate_is_exact(void **state)
{
	struct rig *rig = *state;
	unsigned taken;

	rig->first.session_rate = (struct rate_limit){ 4321, 1000 };
	taken = takers_run(rig, take_rate_and_give);
	assert_int_equal(taken + take_rate(rig, &rig->first, BEGIN), 4321);
}

/* 1,000, and a quarter of who may come in at all. */
static void
few_are_kept_waiting(void **state)
{
	static const struct {
		uint64_t all, first, most;
	} rows[] = {
		{ 0, 0, 1000 },
		{ 4000, 0, 1000 },
		{ 3996, 0, 999 },
		{ 4000, 40, 10 },
		{ 8, 40, 2 },
		{ 3, 0, 0 },
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig->shared.sessions.max = rows[i].all;
		rig->limits[0].max = rows[i].first;
		for (uint64_t n = 0; n < rows[i].most; n++)
			assert_true(limit_hold(&rig->shared, &rig->first));
		assert_false(limit_hold(&rig->shared, &rig->first));
		assert_int_equal(rig->shared.held, rows[i].most);
		for (uint64_t n = 0; n < rows[i].most; n++)
			limit_let_go(&rig->shared);
		assert_int_equal(rig->shared.held, 0);
	}
}

#define ON_RIG(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(no_limit_counts_all_the_same),
		ON_RIG(full_listener_leaves_room_for_others),
		ON_RIG(all_full_is_full_for_each),
		ON_RIG(a_rate_that_becomes_another),
		ON_RIG(a_rate_is_a_listeners),
		ON_RIG(a_place_not_used_is_there_again),
		ON_RIG(a_rate_is_exact),
		ON_RIG(few_are_kept_waiting),
		ON_RIG(exact_when_all_keep),
		ON_RIG(never_exceeded_when_all_hurry),
	};

	return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
