#include "proxy/endpoint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct server_state *
server_at(const char *ip)
{
	struct server_state *server;
	struct addr addr;

	assert_int_equal(addr_from_ip(&addr, ip, 80), 0);
	server = server_state_new(&addr);
	assert_non_null(server);
	return server;
}

/* Who comes between the look and the place finds none, and takes none. */
static void
never_more_than_there_is_room_for(void **state)
{
	struct server_state *server = server_at("10.0.0.1");

	(void)state;
	assert_true(server_state_take(server, 2));
	assert_true(server_state_take(server, 2));
	assert_false(server_state_take(server, 2));
	assert_int_equal(server->taken, 2);
	server_state_give(server);
	assert_true(server_state_take(server, 2));
	assert_true(server_state_take(server, 0)); /* no limit */
	assert_int_equal(server->taken, 3);
	server_state_unref(server);
}

static void
a_success_ends_the_row(void **state)
{
	struct server_state *server = server_at("10.0.0.1");

	(void)state;
	server_state_fail(server, -ECONNREFUSED);
	server_state_fail(server, -ETIMEDOUT);
	assert_int_equal(server->row, 2);
	server_state_join(server);
	assert_int_equal(server->row, 0);
	assert_int_equal(server->failures, 2);
	assert_int_equal(server->last_error, -ETIMEDOUT);
	server_state_unref(server);
}

/* It is a failure, but none of the server's. */
static void
what_we_lack_is_not_in_the_row(void **state)
{
	struct server_state *server = server_at("10.0.0.1");

	(void)state;
	server_state_fail(server, -EADDRNOTAVAIL);
	server_state_fail(server, -EAFNOSUPPORT);
	assert_int_equal(server->failures, 2);
	assert_int_equal(server->row, 0);
	server_state_unref(server);
}

static void
sessions_are_counted(void **state)
{
	struct server_state *server = server_at("10.0.0.1");

	(void)state;
	server_state_join(server);
	server_state_join(server);
	server_state_leave(server, 5, 7);
	assert_int_equal(server->sessions, 1);
	assert_int_equal(server->connects, 2);
	assert_int_equal(server->bytes_to_upstream, 5);
	assert_int_equal(server->bytes_to_client, 7);
	server_state_unref(server);
}

static struct endpoint_set *
set_of(struct server_state *one, struct server_state *other, uint32_t weight)
{
	struct endpoint_set *set = endpoint_set_new(0, other == NULL ? 1 : 2);

	assert_non_null(set);
	set->endpoints[0].server = server_state_ref(one);
	set->endpoints[0].weight = weight;
	if (other != NULL)
		set->endpoints[1].server = server_state_ref(other);
	return set;
}

static void
who_joins_or_leaves_is_a_move(void **state)
{
	struct server_state *a = server_at("10.0.0.1");
	struct server_state *b = server_at("10.0.0.2");
	struct endpoint_set *both = set_of(a, b, 1), *one = set_of(a, NULL, 1);
	struct endpoint_set *heavy = set_of(a, NULL, 9);
	struct endpoint_set *other = set_of(b, NULL, 1);

	(void)state;
	assert_true(endpoint_set_moved(one, both));
	assert_true(endpoint_set_moved(both, one));
	assert_true(endpoint_set_moved(one, other));
	assert_false(endpoint_set_moved(one, heavy));
	assert_false(endpoint_set_moved(both, both));
	endpoint_set_unref(both);
	endpoint_set_unref(one);
	endpoint_set_unref(heavy);
	endpoint_set_unref(other);
	server_state_unref(a);
	server_state_unref(b);
}

static void
two_names_may_give_one_server(void **state)
{
	struct server_state *a = server_at("10.0.0.1");
	struct server_state *b = server_at("10.0.0.2");
	struct endpoint_set *once = set_of(a, b, 1), *twice = set_of(a, a, 1);

	(void)state;
	assert_true(endpoint_set_is_first(once, 0));
	assert_true(endpoint_set_is_first(once, 1));
	assert_true(endpoint_set_is_first(twice, 0));
	assert_false(endpoint_set_is_first(twice, 1));
	endpoint_set_unref(once);
	endpoint_set_unref(twice);
	server_state_unref(a);
	server_state_unref(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_more_than_there_is_room_for),
		cmocka_unit_test(a_success_ends_the_row),
		cmocka_unit_test(what_we_lack_is_not_in_the_row),
		cmocka_unit_test(sessions_are_counted),
		cmocka_unit_test(who_joins_or_leaves_is_a_move),
		cmocka_unit_test(two_names_may_give_one_server),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
