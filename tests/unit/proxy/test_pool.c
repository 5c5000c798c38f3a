#include "pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static size_t
pick(struct pool *pool)
{
	const struct balance_ask ask = { 0 };
	size_t i;

	assert_int_equal(balance_pick(&pool->balance, &ask, &i),
	    BALANCE_PICKED);
	return i;
}

static struct endpoint_set *
make_set(size_t count)
{
	struct endpoint_set *set = endpoint_set_new(0, count);
	struct addr addr;

	assert_non_null(set);
	assert_int_equal(addr_from_ip(&addr, "192.0.2.1", 53), 0);
	for (size_t i = 0; i < count; i++) {
		set->endpoints[i].weight = 1;
		set->endpoints[i].server = server_state_new(&addr);
	}
	return set;
}

/* The first 'n' picks of a new pool as letters. */
static const char *
picks(struct endpoint_set *set, uint64_t random, size_t n)
{
	static char text[64];
	struct pool *pool = pool_new(endpoint_set_ref(set), random);

	assert_non_null(pool);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + pick(pool));
	text[n] = '\0';
	pool_unref(pool);
	return text;
}

static void
workers_begin_apart(void **state)
{
	struct endpoint_set *set = make_set(3);

	(void)state;
	assert_string_equal(picks(set, 0, 6), "abcabc");
	assert_string_equal(picks(set, 1, 6), "bcabca");
	assert_string_equal(picks(set, 2, 6), "cabcab");
	assert_string_equal(picks(set, 3, 6), "abcabc");
	assert_string_equal(picks(set, UINT64_MAX, 3), "abc"); /* 3 x n */
	endpoint_set_unref(set);
}

static void
weights_stay_exact(void **state)
{
	struct endpoint_set *set = make_set(2);
	unsigned heavy = 0;

	(void)state;
	set->endpoints[1].weight = 9;
	for (uint64_t random = 0; random < 4; random++) {
		const char *text = picks(set, random, 10);

		heavy = 0;
		for (size_t i = 0; i < 10; i++)
			heavy += text[i] == 'b';
		assert_int_equal(heavy, 9);
	}
	endpoint_set_unref(set);
}

static void
sets_of_none_and_one(void **state)
{
	struct endpoint_set *none = make_set(0), *one = make_set(1);
	struct pool *pool = pool_new(none, 12345);

	(void)state;
	assert_non_null(pool);
	assert_ptr_equal(pool->set, none);
	pool_unref(pool);
	assert_string_equal(picks(one, 12345, 3), "aaa");
	endpoint_set_unref(one);
}

static void
more_than_a_word_of_them(void **state)
{
	struct endpoint_set *set = make_set(130);
	struct pool *pool = pool_new(set, 129);

	(void)state;
	assert_int_equal(pick(pool), 129);
	assert_int_equal(pick(pool), 0);
	pool_unref(pool);
}

static void
holds_the_set_until_the_last(void **state)
{
	struct endpoint_set *set = make_set(2);
	struct pool *pool = pool_new(endpoint_set_ref(set), 0);

	(void)state;
	assert_int_equal(pool->refs, 1);
	assert_int_equal(set->refs, 2); /* ours, and what we gave */
	assert_ptr_equal(pool_ref(pool), pool);
	pool_unref(pool);
	assert_int_equal(set->refs, 2);
	pool_unref(pool);
	assert_int_equal(set->refs, 1);
	endpoint_set_unref(set);
	pool_unref(NULL);
}

/* A server outlives its set while a session holds it. */
static void
server_outlives_its_set(void **state)
{
	struct endpoint_set *set = make_set(2);
	struct server_state *server;
	struct addr addr;

	(void)state;
	assert_int_equal(addr_from_ip(&addr, "192.0.2.9", 53), 0);
	server = server_state_new(&addr);
	assert_non_null(server);
	assert_string_equal(server->text, "192.0.2.9:53");
	assert_true(addr_equal(&server->addr, &addr));
	server_state_unref(set->endpoints[0].server);
	set->endpoints[0].server = server_state_ref(server);
	assert_int_equal(server->refs, 2);
	pool_unref(pool_new(set, 1));
	assert_int_equal(server->refs, 1);
	server_state_unref(server);
	server_state_unref(NULL);
	endpoint_set_unref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_begin_apart),
		cmocka_unit_test(weights_stay_exact),
		cmocka_unit_test(sets_of_none_and_one),
		cmocka_unit_test(more_than_a_word_of_them),
		cmocka_unit_test(holds_the_set_until_the_last),
		cmocka_unit_test(server_outlives_its_set),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
