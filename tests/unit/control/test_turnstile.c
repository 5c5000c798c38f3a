#include "turnstile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Others of this machine may have it for a moment; who never leaves would keep
 * everybody waiting. */
static void
who_leaves_lets_the_next_one_in(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		int fd = turnstile_enter();

		assert_true(fd >= 0);
		turnstile_leave(fd);
	}
	turnstile_leave(-1); /* who was not let in */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_leaves_lets_the_next_one_in),
	};

	return cmocka_run_group_tests_name("turnstile", tests, NULL, NULL);
}
