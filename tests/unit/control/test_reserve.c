/* What libevent gets when there is no memory. */
#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool broke;

static void *
short_malloc(size_t size)
{
	return broke ? NULL : malloc(size);
}

static void *
short_realloc(void *old, size_t size)
{
	return broke ? NULL : realloc(old, size);
}

#define malloc	short_malloc
#define realloc short_realloc
#include "reserve.c"
#undef malloc
#undef realloc

static int
reserve_make(void **state)
{
	(void)state;
	broke = false;
	memset(&reserve, 0, sizeof(reserve));
	free(blocks);
	assert_int_equal(reserve_init(), 0);
	return 0;
}

static void
memory_comes_from_malloc_while_there_is_some(void **state)
{
	void *p;

	(void)state;
	reserve_open();
	p = reserve_malloc(10);
	assert_non_null(p);
	assert_false(reserve_has(p));
	p = reserve_realloc(p, 100000);
	assert_false(reserve_has(p));
	reserve_free(p);
	assert_false(reserve_is_needed());
	assert_int_equal(reserve_failures(), 0);
}

static void
a_thread_that_did_not_open_it_gets_none(void **state)
{
	(void)state;
	broke = true;
	assert_null(reserve_malloc(10));
	assert_null(reserve_realloc(NULL, 10));
	assert_int_equal(reserve_failures(), 0);
}

static void
small_ones_come_from_the_reserve(void **state)
{
	char *p, *q;

	(void)state;
	reserve_open();
	broke = true;
	p = reserve_malloc(BLOCK_SIZE);
	q = reserve_malloc(1);
	assert_true(reserve_has(p));
	assert_true(reserve_has(q));
	assert_ptr_not_equal(p, q);
	assert_true(reserve_is_needed());
	memset(p, 'p', BLOCK_SIZE);
	reserve_free(q);
	assert_true(reserve_is_needed());
	reserve_free(p);
	assert_false(reserve_is_needed());
	assert_int_equal(reserve_failures(), 0);
}

static void
large_ones_fail_and_are_counted(void **state)
{
	(void)state;
	reserve_open();
	broke = true;
	assert_null(reserve_malloc(BLOCK_SIZE + 1));
	assert_int_equal(reserve_failures(), 1);
	assert_false(reserve_is_needed());
}

static void
it_ends(void **state)
{
	static void *all[BLOCKS];

	(void)state;
	reserve_open();
	broke = true;
	for (size_t i = 0; i < BLOCKS; i++) {
		all[i] = reserve_malloc(BLOCK_SIZE);
		assert_non_null(all[i]);
	}
	assert_null(reserve_malloc(1));
	assert_int_equal(reserve_failures(), 1);
	reserve_free(all[7]);
	assert_ptr_equal(reserve_malloc(1), all[7]);
	for (size_t i = 0; i < BLOCKS; i++)
		reserve_free(all[i]);
	assert_false(reserve_is_needed());
}

static void
what_grows_takes_its_bytes_along(void **state)
{
	char *p = NULL;

	(void)state;
	reserve_open();
	p = reserve_realloc(p, 4);
	strcpy(p, "abc");
	broke = true;
	p = reserve_realloc(p, 500); /* into the reserve */
	assert_true(reserve_has(p));
	assert_string_equal(p, "abc");
	assert_ptr_equal(reserve_realloc(p, 600), p);
	assert_null(reserve_realloc(p, 5000)); /* and is still there */
	assert_string_equal(p, "abc");
	broke = false;
	p = reserve_realloc(p, 5000); /* and out of it */
	assert_false(reserve_has(p));
	assert_string_equal(p, "abc");
	assert_false(reserve_is_needed());
	broke = true;
	p = reserve_realloc(p, 100); /* shrinks into it */
	assert_true(reserve_has(p));
	assert_string_equal(p, "abc");
	reserve_free(p);
}

/* As libevent does with what grows with its descriptors. */
static void
what_is_kept_for_good_does_not_count_when_there_is_memory(void **state)
{
	void *kept;

	(void)state;
	reserve_open();
	broke = true;
	kept = reserve_malloc(10);
	assert_true(reserve_is_needed());
	broke = false;
	assert_false(reserve_is_needed());
	assert_true(reserve_has(kept));
	broke = true;
	assert_true(reserve_is_needed());
	reserve_free(kept);
	assert_false(reserve_is_needed());
}

#define FRESH(f) cmocka_unit_test_setup(f, reserve_make)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(memory_comes_from_malloc_while_there_is_some),
		FRESH(a_thread_that_did_not_open_it_gets_none),
		FRESH(small_ones_come_from_the_reserve),
		FRESH(large_ones_fail_and_are_counted),
		FRESH(it_ends),
		FRESH(what_grows_takes_its_bytes_along),
		FRESH(what_is_kept_for_good_does_not_count_when_there_is_memory),
	};

	return cmocka_run_group_tests_name("reserve", tests, NULL, NULL);
}
