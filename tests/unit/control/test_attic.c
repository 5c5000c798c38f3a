#include "attic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A set of one server at that address; 'server' is it, if it was before. */
static struct endpoint_set *
set_of(const char *ip, struct server_state *server)
{
	struct endpoint_set *set = endpoint_set_new(0, 1);
	struct addr addr;

	assert_non_null(set);
	assert_int_equal(addr_from_ip(&addr, ip, 80), 0);
	set->endpoints[0].server = server != NULL ? server_state_ref(server) :
	    server_state_new(&addr);
	return set;
}

static void
who_left_is_found_until_it_is_back(void **state)
{
	struct endpoint_set *one = set_of("10.0.0.1", NULL), *back;
	struct endpoint_set *other = set_of("10.0.0.2", NULL);
	struct server_state *left = one->endpoints[0].server;
	struct attic attic;

	(void)state;
	attic_init(&attic);
	attic_follow(&attic, NULL, one);
	assert_null(attic_find(&attic, &left->addr));
	attic_follow(&attic, one, other);
	assert_ptr_equal(attic_find(&attic, &left->addr), left);
	attic_follow(&attic, other, other); /* not for long enough */
	assert_ptr_equal(attic_find(&attic, &left->addr), left);
	back = set_of("10.0.0.1", left);
	attic_follow(&attic, other, back);
	assert_null(attic_find(&attic, &left->addr));
	assert_non_null(attic_find(&attic, &other->endpoints[0].server->addr));
	attic_done(&attic);
	endpoint_set_unref(one);
	endpoint_set_unref(other);
	endpoint_set_unref(back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_left_is_found_until_it_is_back),
	};

	return cmocka_run_group_tests_name("attic", tests, NULL, NULL);
}
