/* Tables that grow and never move. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rows.h"

struct row {
	char bytes[1000];
};

/* Touches the first and the last of them all. */
static void
test_rows_grow_where_they_are(void **state)
{
	struct row *rows = rows_new(sizeof(*rows), 3);

	(void)state;
	assert_non_null(rows);
	assert_int_equal(rows[2].bytes[999], 0);
	rows[2].bytes[999] = 7;
	assert_int_equal(rows_grow(rows, sizeof(*rows), ROWS_MOST), 0);
	assert_int_equal(rows[2].bytes[999], 7);
	assert_int_equal(rows[ROWS_MOST - 1].bytes[999], 0);
	rows[ROWS_MOST - 1].bytes[999] = 8;
	assert_int_equal(rows_grow(rows, sizeof(*rows), 1), 0);
	assert_int_equal(rows[ROWS_MOST - 1].bytes[999], 8);
	rows_free(rows, sizeof(*rows));
}

static void
test_too_many_rows(void **state)
{
	struct row *rows = rows_new(sizeof(*rows), 0);

	(void)state;
	assert_non_null(rows);
	assert_int_equal(rows_grow(rows, sizeof(*rows), ROWS_MOST + 1), -E2BIG);
	rows_free(rows, sizeof(*rows));
	assert_null(rows_new(sizeof(*rows), ROWS_MOST + 1));
	assert_null(rows_new(SIZE_MAX / ROWS_MOST / 2, 1));
	rows_free(NULL, sizeof(*rows));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_grow_where_they_are),
		cmocka_unit_test(test_too_many_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
