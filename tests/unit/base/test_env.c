#include "base/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define NAME "SLUICE_TEST_ENV"

static void
assert_is(const char *text, uint64_t expected)
{
	uint64_t number = 7;

	setenv(NAME, text, 1);
	assert_true(env_number(NAME, &number));
	assert_int_equal(number, expected);
}

static void
assert_is_none(const char *text)
{
	uint64_t number = 7;

	setenv(NAME, text, 1);
	assert_false(env_number(NAME, &number));
	assert_int_equal(number, 7);
}

static void
test_a_number_is_read(void **state)
{
	(void)state;
	assert_is("0", 0);
	assert_is("3", 3);
	assert_is("007", 7);
	assert_is("30000000", 30000000);
	assert_is("18446744073709551615", UINT64_MAX);
}

static void
test_what_is_no_number_is_none(void **state)
{
	static const char *const texts[] = { "", " 3", "3 ", "+3", "-3", "0x3",
		"3s", "three", "18446744073709551616" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_is_none(texts[i]);
}

static void
test_what_is_not_there_is_none(void **state)
{
	uint64_t number = 7;

	(void)state;
	unsetenv(NAME);
	assert_false(env_number(NAME, &number));
	assert_int_equal(number, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_number_is_read),
		cmocka_unit_test(test_what_is_no_number_is_none),
		cmocka_unit_test(test_what_is_not_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
