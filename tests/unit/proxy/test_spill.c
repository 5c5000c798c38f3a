#include "spill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t some[] = "some bytes that were read";

static void
holds_a_copy(void **state)
{
	struct spill_pool pool = { 0 };
	uint8_t data[sizeof(some)];
	struct spill *s;

	(void)state;
	memcpy(data, some, sizeof(some));
	s = spill_new(&pool, data, sizeof(data));
	assert_non_null(s);
	memset(data, 0, sizeof(data));
	assert_int_equal(s->start, 0);
	assert_int_equal(s->len, sizeof(some));
	assert_memory_equal(s->data, some, sizeof(some));
	spill_free(&pool, s);
	spill_pool_done(&pool);
}

static void
holds_the_most_and_nothing(void **state)
{
	struct spill_pool pool = { 0 };
	uint8_t *data = malloc(SPILL_SIZE);
	struct spill *s;

	(void)state;
	for (size_t i = 0; i < SPILL_SIZE; i++)
		data[i] = (uint8_t)(i * 7);
	s = spill_new(&pool, data, SPILL_SIZE);
	assert_int_equal(s->len, SPILL_SIZE);
	assert_memory_equal(s->data, data, SPILL_SIZE);
	spill_free(&pool, s);
	s = spill_new(&pool, data, 0);
	assert_int_equal(s->len, 0);
	spill_free(&pool, s);
	spill_pool_done(&pool);
	free(data);
}

/* Bulk that is copied where there is no pipe for it; that size is not kept. */
static void
holds_more_than_the_most_that_is_kept(void **state)
{
	struct spill_pool pool = { 0 };
	size_t size = 4 * SPILL_SIZE;
	uint8_t *data = malloc(size);
	struct spill *s, *usual;

	(void)state;
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
	usual = spill_new(&pool, some, 1);
	spill_free(&pool, usual);
	s = spill_new(&pool, data, size);
	assert_ptr_not_equal(s, usual);
	assert_int_equal(s->len, size);
	assert_memory_equal(s->data, data, size);
	spill_free(&pool, s);
	assert_int_equal(pool.count, 1);
	assert_ptr_equal(pool.free, usual);
	spill_pool_done(&pool);
	free(data);
}

static void
given_back_is_used_again(void **state)
{
	struct spill_pool pool = { 0 };
	struct spill *first, *second, *again;

	(void)state;
	first = spill_new(&pool, some, 3);
	second = spill_new(&pool, some, 4);
	assert_ptr_not_equal(first, second);
	assert_int_equal(pool.count, 0);
	first->start = 2; /* partly sent */
	first->len = 1;
	spill_free(&pool, first);
	assert_int_equal(pool.count, 1);

	again = spill_new(&pool, some + 5, 5);
	assert_ptr_equal(again, first);
	assert_int_equal(pool.count, 0);
	assert_int_equal(again->start, 0);
	assert_int_equal(again->len, 5);
	assert_memory_equal(again->data, some + 5, 5);
	spill_free(&pool, again);
	spill_free(&pool, second);
	spill_pool_done(&pool);
}

/* The free ones that are left when 'used' were in use and 'freed' came back. */
static unsigned
kept(size_t used, size_t freed)
{
	struct spill *spills[2 * SPILL_KEPT + 5];
	struct spill_pool pool = { 0 };
	unsigned count, length = 0;

	for (size_t i = 0; i < used; i++)
		spills[i] = spill_new(&pool, some, 1);
	for (size_t i = 0; i < freed; i++)
		spill_free(&pool, spills[i]);
	count = pool.count;
	for (struct spill *s = pool.free; s != NULL; s = s->next)
		length++;
	assert_int_equal(length, count);
	for (size_t i = freed; i < used; i++)
		spill_free(&pool, spills[i]);
	spill_pool_done(&pool);
	assert_int_equal(pool.count, 0);
	assert_null(pool.free);
	return count;
}

static void
keeps_a_few_while_it_is_busy(void **state)
{
	(void)state;
	assert_int_equal(kept(6, 2), 2);
	assert_int_equal(kept(6, 4), 3);
	assert_int_equal(kept(2 * SPILL_KEPT + 5, SPILL_KEPT + 5), SPILL_KEPT);
}

static void
keeps_one_when_all_came_back(void **state)
{
	(void)state;
	assert_int_equal(kept(1, 1), 1);
	assert_int_equal(kept(6, 6), 1);
	assert_int_equal(kept(2 * SPILL_KEPT + 5, 2 * SPILL_KEPT + 5), 1);
}

static void
none_and_empty_are_fine(void **state)
{
	struct spill_pool pool = { 0 };

	(void)state;
	spill_free(&pool, NULL);
	assert_int_equal(pool.count, 0);
	spill_pool_done(&pool);
	spill_free(&pool, spill_new(&pool, some, 1)); /* and after the end */
	assert_int_equal(pool.count, 1);
	spill_pool_done(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_a_copy),
		cmocka_unit_test(holds_the_most_and_nothing),
		cmocka_unit_test(holds_more_than_the_most_that_is_kept),
		cmocka_unit_test(given_back_is_used_again),
		cmocka_unit_test(keeps_a_few_while_it_is_busy),
		cmocka_unit_test(keeps_one_when_all_came_back),
		cmocka_unit_test(none_and_empty_are_fine),
	};

	return cmocka_run_group_tests_name("spill", tests, NULL, NULL);
}
