#include "freshness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW UINT64_C(5000000)

static struct freshness
fresh(uint64_t min, uint64_t max)
{
	return (struct freshness){ .ttl_min = min, .ttl_max = max };
}

static void
a_ttl_has_bounds(void **state)
{
	static const struct {
		bool	 has_ttl;
		uint32_t ttl;
		uint64_t left;
	} rows[] = {
		{ true, 0, 5000 }, { true, 4, 5000 }, { true, 5, 5000 },
		{ true, 7, 7000 }, { true, 60, 60000 }, { true, 61, 60000 },
		{ true, UINT32_MAX, 60000 }, { false, 0, 30000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct freshness f = fresh(5000, 60000);

		assert_false(freshness_is_settled(&f));
		freshness_ask(&f, NOW);
		freshness_good(&f, NOW, rows[i].has_ttl, rows[i].ttl);
		assert_int_equal(freshness_left(&f, NOW), rows[i].left);
		assert_int_equal(f.ttl, rows[i].left);
		assert_true(freshness_is_settled(&f));
		assert_int_equal(freshness_left(&f, NOW + 4000),
		    rows[i].left - 4000);
		assert_int_equal(freshness_left(&f, NOW + 99999), 0);
	}
}

static void
no_sooner_than_a_second(void **state)
{
	struct freshness f = fresh(0, 60000);

	(void)state;
	freshness_ask(&f, NOW);
	freshness_good(&f, NOW, true, 0);
	assert_int_equal(freshness_left(&f, NOW), 1000);
}

static void
failures_back_off(void **state)
{
	static const uint64_t waits[] = { 1, 2, 4, 8, 16, 30, 30, 30 };
	struct freshness f = fresh(1000, 60000);
	uint64_t now = NOW;

	(void)state;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		freshness_ask(&f, now);
		assert_false(freshness_bad(&f, now)); /* it never gave any */
		assert_true(freshness_is_settled(&f));
		assert_int_equal(freshness_left(&f, now), waits[i] * 1000);
		now += waits[i] * 1000;
	}
	freshness_good(&f, now, true, 5);
	assert_int_equal(freshness_left(&f, now), 5000);
	freshness_bad(&f, now);
	assert_int_equal(freshness_left(&f, now), 1000);
}

/* Counted from the first failure, not from the last answer. */
static void
an_answer_is_good_for_an_hour_more(void **state)
{
	struct freshness f = fresh(1000, 1000 * 86400);
	uint64_t failed = NOW + UINT64_C(86400000);

	(void)state;
	freshness_good(&f, NOW, true, 86400);
	assert_true(freshness_bad(&f, failed));
	assert_true(freshness_bad(&f, failed + FRESHNESS_STALE_MS - 1));
	assert_false(freshness_bad(&f, failed + FRESHNESS_STALE_MS));
	freshness_good(&f, failed + FRESHNESS_STALE_MS, true, 1);
	assert_true(freshness_bad(&f, failed + FRESHNESS_STALE_MS + 1));
}

static void
who_hurries_waits_for_a_second(void **state)
{
	struct freshness f = fresh(1000, 1000 * 86400);

	(void)state;
	freshness_ask(&f, NOW);
	freshness_good(&f, NOW + 20, true, 3600);
	assert_true(freshness_hurry(&f, NOW + 300));
	assert_int_equal(freshness_left(&f, NOW + 300), 700);
	assert_false(freshness_hurry(&f, NOW + 400));
	assert_false(freshness_hurry(&f, NOW + 5000));
	assert_int_equal(freshness_left(&f, NOW + 5000), 0);
	freshness_ask(&f, NOW + 5000);
	freshness_bad(&f, NOW + 5000);
	assert_false(freshness_hurry(&f, NOW + 5001));
	assert_int_equal(freshness_left(&f, NOW + 5001), 999);
	freshness_forget(&f);
	assert_true(freshness_hurry(&f, NOW + 5001));
	assert_int_equal(freshness_left(&f, NOW + 5001), 999);
}

static void
half_an_answer(void **state)
{
	struct freshness f = fresh(1000, 3600000);
	uint64_t now = NOW;

	(void)state;
	freshness_good(&f, now, true, 3600);
	assert_true(freshness_half(&f, now, true, 3600));
	assert_int_equal(freshness_left(&f, now), 1000);
	assert_true(freshness_half(&f, now += 1000, true, 3600));
	assert_int_equal(freshness_left(&f, now), 2000);
	for (int i = 0; i < 8; i++)
		assert_true(freshness_half(&f, now += 2000, true, 3600));
	assert_int_equal(freshness_left(&f, now), 30000);
	assert_true(freshness_half(&f, now, true, 5));
	assert_int_equal(freshness_left(&f, now), 5000);
	assert_true(freshness_half(&f, NOW + FRESHNESS_STALE_MS - 1, true, 5));
	assert_false(freshness_half(&f, NOW + FRESHNESS_STALE_MS, true, 5));
	freshness_good(&f, now, true, 3600);
	assert_int_equal(freshness_left(&f, now), 3600000);
	assert_false(freshness_bad(&f, now) && f.half_since > 0);
	assert_true(freshness_half(&f, now += 5000, true, 3600));
	assert_false(freshness_half(&f, now + FRESHNESS_STALE_MS - 5000, true,
	    3600));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ttl_has_bounds),
		cmocka_unit_test(no_sooner_than_a_second),
		cmocka_unit_test(failures_back_off),
		cmocka_unit_test(an_answer_is_good_for_an_hour_more),
		cmocka_unit_test(who_hurries_waits_for_a_second),
		cmocka_unit_test(half_an_answer),
	};

	return cmocka_run_group_tests_name("freshness", tests, NULL, NULL);
}
