/* So many answers in a row, and how long until the next is asked for. */
#include "verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* '+' and '-' are answers; what comes out has 'U' and 'D' where it changed. */
static void
assert_course(const char *answers, const char *wanted, uint64_t rise,
    uint64_t fall)
{
	struct verdict v = { 0 };
	char course[64] = "";

	for (size_t i = 0; answers[i] != '\0'; i++) {
		bool changed = verdict_take(&v, answers[i] == '+', rise, fall);

		course[i] = !changed ? '.' : v.down ? 'D' : 'U';
		course[i + 1] = '\0';
	}
	assert_string_equal(course, wanted);
}

static void
the_first_decides(void **state)
{
	(void)state;
	assert_course("-", "D", 2, 3);
	assert_course("+-", "..", 2, 3);
}

static void
so_many_in_a_row(void **state)
{
	(void)state;
	assert_course("+---", "...D", 2, 3);
	assert_course("+--+--+---", ".........D", 2, 3);
	assert_course("-++", "D.U", 2, 3);
	assert_course("-+-+-++", "D.....U", 2, 3);
	assert_course("-++---++---", "D.U..D.U..D", 2, 3);
	assert_course("+-+-+-", ".DUDUD", 1, 1);
	assert_course("-+++++-----", "D....U....D", 5, 5);
}

static void
it_is_asked_at_its_interval_give_or_take(void **state)
{
	struct verdict v = { 0 };
	uint64_t least = UINT64_MAX, most = 0, sum = 0;

	(void)state;
	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t wait = verdict_wait(&v, 2000, i * 7919);

		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
		sum += wait;
	}
	assert_int_equal(least, 1800);
	assert_int_equal(most, 2200);
	assert_in_range(sum / 10000, 1990, 2010);
}

static void
it_is_asked_faster_while_it_may_change(void **state)
{
	struct verdict v = { 0 };

	(void)state;
	verdict_take(&v, true, 2, 3);
	assert_in_range(verdict_wait(&v, 2000, 17), 1800, 2200);
	verdict_take(&v, false, 2, 3);
	assert_in_range(verdict_wait(&v, 2000, 17), 450, 550);
	verdict_take(&v, false, 2, 3);
	verdict_take(&v, false, 2, 3);
	assert_true(v.down);
	assert_in_range(verdict_wait(&v, 2000, 17), 1800, 2200);
	assert_in_range(verdict_wait(&v, 1, 17), 0, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_decides),
		cmocka_unit_test(so_many_in_a_row),
		cmocka_unit_test(it_is_asked_at_its_interval_give_or_take),
		cmocka_unit_test(it_is_asked_faster_while_it_may_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
