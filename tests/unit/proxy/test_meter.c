#include "meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)

#define BEGIN 1000000 /* ms; when each test does */

static const uint64_t RATES[] = { KIB, 16 * KIB, 64 * KIB, MIB, 100 * MIB,
	1024 * MIB, 102400 * MIB };
#define COUNT (sizeof(RATES) / sizeof(RATES[0]))

static struct meter
new_meter(uint64_t rate)
{
	struct meter m;

	meter_init(&m, rate, BEGIN);
	return m;
}

static uint64_t
burst(uint64_t rate)
{
	uint64_t bytes = rate * METER_BURST_MS / 1000;

	return bytes > 2 * METER_LEAST ? bytes : 2 * METER_LEAST;
}

/* What goes at once: as a pump takes it, piece by piece. */
static uint64_t
take_all(struct meter *m, uint64_t now, size_t piece)
{
	uint64_t sum = 0;
	size_t n;

	while ((n = meter_room(m, now)) > 0) {
		n = n < piece ? n : piece;
		meter_take(m, n);
		sum += n;
	}
	m->busy = true;
	return sum;
}

/* What goes in so many ms, looking every 'step'. */
static uint64_t
take_for(struct meter *m, uint64_t ms, uint64_t step, size_t piece)
{
	uint64_t sum = 0;

	for (uint64_t now = BEGIN; now <= BEGIN + ms; now += step)
		if (now == BEGIN || meter_is_full(m, now))
			sum += take_all(m, now, piece);
	return sum;
}

static void
no_limit_is_none(void **state)
{
	struct meter m = new_meter(0);

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_true(meter_room(&m, BEGIN) == SIZE_MAX);
		meter_take(&m, SIZE_MAX);
	}
}

/* Half a year of it is no number that fits, and no less than a second. */
static void
a_long_silence_is_one(void **state)
{
	const uint64_t rate = UINT64_C(1) << 30;
	struct meter m = new_meter(rate);

	(void)state;
	take_all(&m, BEGIN, SIZE_MAX);
	m.busy = false;
	assert_int_equal(take_all(&m, BEGIN + (UINT64_C(1) << 34), SIZE_MAX),
	    burst(rate));
}

static void
the_rate_is_held(void **state)
{
	static const uint64_t steps[] = { 1, 10, 14, 37, 99 };

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		for (size_t k = 0; k < 5; k++) {
			struct meter m = new_meter(RATES[i]);
			uint64_t sum = take_for(&m, 10000, steps[k], SIZE_MAX);
			uint64_t most = 10 * RATES[i] + burst(RATES[i]);

			assert_true(sum <= most);
			assert_true(sum >= most - RATES[i] / 5 - METER_LEAST);
		}
	}
}

static void
pieces_do_not_matter(void **state)
{
	struct meter whole = new_meter(MIB), torn = new_meter(MIB);

	(void)state;
	assert_int_equal(take_for(&whole, 5000, 10, SIZE_MAX),
	    take_for(&torn, 5000, 10, 777));
}

static void
silence_saves_up_a_little(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		struct meter m = new_meter(RATES[i]);

		assert_int_equal(meter_room(&m, BEGIN), burst(RATES[i]));
		take_all(&m, BEGIN, SIZE_MAX);
		m.busy = false;
		assert_int_equal(meter_room(&m, BEGIN + 3600000),
		    burst(RATES[i]));
	}
}

/* The time of who was made to wait counts, but not without an end. */
static void
a_late_turn_loses_nothing(void **state)
{
	struct meter m = new_meter(MIB);

	(void)state;
	take_all(&m, BEGIN, SIZE_MAX);
	assert_int_equal(meter_room(&m, BEGIN + METER_LATE_MS),
	    MIB * METER_LATE_MS / 1000);
	assert_int_equal(meter_room(&m, BEGIN + 10 * METER_LATE_MS),
	    MIB * METER_LATE_MS / 1000);
}

/* What was saved while it waited is not lost when it then has nothing to do. */
static void
credit_is_never_taken_back(void **state)
{
	struct meter m = new_meter(1000000);

	(void)state;
	take_all(&m, BEGIN, SIZE_MAX);
	meter_room(&m, BEGIN + 90);
	m.busy = false;
	assert_int_equal(meter_room(&m, BEGIN + 91), 90000);
}

static void
who_has_run_out_waits_for_some_ms(void **state)
{
	struct meter m = new_meter(MIB);

	(void)state;
	take_all(&m, BEGIN, SIZE_MAX);
	for (uint64_t ms = 1; ms < METER_WAIT_MS; ms++)
		assert_false(meter_is_full(&m, BEGIN + ms));
	assert_true(meter_is_full(&m, BEGIN + METER_WAIT_MS));
}

/* 15 ms of it are 15 bytes. */
static void
a_slow_one_waits_for_what_is_worth_it(void **state)
{
	struct meter m = new_meter(KIB);

	(void)state;
	take_all(&m, BEGIN, SIZE_MAX);
	assert_false(meter_is_full(&m, BEGIN + 100));
	assert_int_equal(meter_room(&m, BEGIN + 100), 0);
	assert_true(meter_is_full(&m, BEGIN + 250));
	assert_int_equal(meter_room(&m, BEGIN + 250), METER_LEAST);
}

/* As if it had been asked for in time. */
static void
what_was_not_asked_for_is_owed(void **state)
{
	struct meter m = new_meter(MIB), none = new_meter(0);

	(void)state;
	meter_owe(&none, MIB);
	assert_true(meter_room(&none, BEGIN) == SIZE_MAX);
	meter_owe(&m, burst(MIB) - 1000);
	assert_int_equal(meter_room(&m, BEGIN), 1000);
	meter_owe(&m, 1000 + MIB / 2);
	assert_int_equal(meter_room(&m, BEGIN + 500), 0);
	assert_false(meter_is_full(&m, BEGIN + 500));
	assert_true(meter_is_full(&m, BEGIN + 500 + METER_WAIT_MS));
	for (size_t i = 0; i < COUNT; i++) {
		size_t late = 32 * KIB;
		uint64_t sum;

		m = new_meter(RATES[i]);
		meter_owe(&m, late);
		sum = late + take_for(&m, 60000, 10, SIZE_MAX);
		assert_true(sum <= 60 * RATES[i] + burst(RATES[i]));
		assert_true(sum >= 59 * RATES[i]);
	}
}

/* A worker may see an earlier time than another. */
static void
time_that_goes_back_gives_nothing(void **state)
{
	struct meter m = new_meter(MIB);

	(void)state;
	take_all(&m, BEGIN, SIZE_MAX);
	assert_int_equal(meter_room(&m, BEGIN - 1), 0);
	assert_false(meter_is_full(&m, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limit_is_none),
		cmocka_unit_test(a_long_silence_is_one),
		cmocka_unit_test(the_rate_is_held),
		cmocka_unit_test(pieces_do_not_matter),
		cmocka_unit_test(silence_saves_up_a_little),
		cmocka_unit_test(a_late_turn_loses_nothing),
		cmocka_unit_test(credit_is_never_taken_back),
		cmocka_unit_test(who_has_run_out_waits_for_some_ms),
		cmocka_unit_test(a_slow_one_waits_for_what_is_worth_it),
		cmocka_unit_test(what_was_not_asked_for_is_owed),
		cmocka_unit_test(time_that_goes_back_gives_nothing),
	};

	return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
