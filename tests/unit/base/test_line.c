#include "base/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* Zeroed, and written to its end, which the address sanitizer checks. */
static void
test_whole_lines_of_its_own(void **state)
{
	(void)state;
	for (size_t size = 0; size < 5 * LINE; size++) {
		size_t whole = size == 0 ? LINE :
		    (size + LINE - 1) / LINE * LINE;
		unsigned char *p = line_alloc(size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % LINE, 0);
		for (size_t i = 0; i < whole; i++) {
			assert_int_equal(p[i], 0);
			p[i] = 1;
		}
		free(p);
	}
}

static void
test_more_than_there_is(void **state)
{
	(void)state;
	assert_null(line_alloc(SIZE_MAX));
	assert_null(line_alloc(SIZE_MAX - LINE + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_lines_of_its_own),
		cmocka_unit_test(test_more_than_there_is),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
