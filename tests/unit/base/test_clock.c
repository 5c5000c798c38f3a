#include "base/clock.h"
#include "base/counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static void
test_clock_goes_on(void **state)
{
	struct timespec wait = { 0, 20000000 };
	uint64_t before = clock_ms();

	(void)state;
	assert_true(before > 0);
	nanosleep(&wait, NULL);
	assert_true(clock_ms() >= before + 20);
	assert_in_range(clock_us() / 1000, before + 20, clock_ms());
}

static void
test_clock_text(void **state)
{
	char text[CLOCK_TEXT];

	(void)state;
	assert_string_equal(clock_text(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(clock_text(UINT64_C(1767323045678999999), text),
	    "2026-01-02T03:04:05.678Z");
	assert_string_equal(clock_text(UINT64_C(4102444799999000000), text),
	    "2099-12-31T23:59:59.999Z");
}

/* A moment of every day until 2553, as the C library has it. */
static void
test_clock_text_of_every_day(void **state)
{
	char text[CLOCK_TEXT], wanted[64];

	(void)state;
	for (time_t day = 0; day < 213000; day++) {
		time_t at = day * 86400 + day % 86400;
		struct tm tm;

		gmtime_r(&at, &tm);
		strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		assert_string_equal(clock_text((uint64_t)at * 1000000000, text),
		    wanted);
	}
}

static void
test_clock_wall(void **state)
{
	uint64_t now = (uint64_t)time(NULL);

	(void)state;
	assert_in_range(clock_wall() / 1000000000, now - 1, now + 5);
}

static void
test_counter(void **state)
{
	struct counter counter = { 0 };

	(void)state;
	counter_add(&counter, 3);
	counter_add(&counter, 4);
	assert_int_equal(counter_get(&counter), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_goes_on),
		cmocka_unit_test(test_clock_text),
		cmocka_unit_test(test_clock_text_of_every_day),
		cmocka_unit_test(test_clock_wall),
		cmocka_unit_test(test_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
