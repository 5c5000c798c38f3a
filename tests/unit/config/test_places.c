/* Places: a name keeps its own while anybody uses it, and no two share one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/places.h"

#define ROOM 8

/* One letter a listener; its upstream has the same. */
static struct config *
config_of(const char *names)
{
	struct config_errors errors = { 0 };
	char text[1024] = "";
	struct config *config;

	for (; *names != '\0'; names++)
		sprintf(text + strlen(text), "[listener %c]\n"
		    "bind = 127.0.0.1:%d\n[upstream %c]\n"
		    "server = 127.0.0.1:9\n", *names, 1000 + *names, *names);
	config = config_load_text("test", text, strlen(text), &errors);
	config_errors_free(&errors);
	assert_non_null(config);
	return config;
}

static void
assert_places(const struct config *config, const char *places)
{
	for (size_t i = 0; i < config->nlisteners; i++) {
		size_t want = (size_t)(places[i] - '0');

		assert_int_equal(config->listeners[i].index, want);
		assert_int_equal(config->upstreams[i].index, want);
		assert_ptr_equal(config_upstream_at(config, want),
		    &config->upstreams[i]);
	}
}

static void
test_in_their_order(void **state)
{
	struct config *config = config_of("abc");

	(void)state;
	assert_places(config, "012");
	assert_int_equal(config_places(config, NULL, 0, ROOM), 0);
	assert_places(config, "012");
	assert_int_equal(config->listener_places, 3);
	assert_int_equal(config->upstream_places, 3);
	assert_null(config_upstream_at(config, 3));
	config_free(config);
}

static void
test_by_name(void **state)
{
	struct config *config = config_of("abc");

	(void)state;
	assert_ptr_equal(config_listener_named(config, "c"),
	    &config->listeners[2]);
	assert_ptr_equal(config_upstream_named(config, "b"),
	    &config->upstreams[1]);
	assert_null(config_listener_named(config, "ab"));
	assert_null(config_upstream_named(config, ""));
	config_free(config);
}

/* Of b, which is gone from the second, the place is not free while the first is
 * in use: sessions of b may live. */
static void
test_kept_by_name(void **state)
{
	struct config *first = config_of("abc"), *second = config_of("dca");
	struct config *third = config_of("ebd");
	const struct config *live[] = { first, second };

	(void)state;
	assert_int_equal(config_places(second, live, 1, ROOM), 0);
	assert_places(second, "320");
	assert_int_equal(second->listener_places, 4);
	assert_int_equal(config_places(third, live, 2, ROOM), 0);
	assert_places(third, "413");
	assert_int_equal(config_places(third, &live[1], 1, ROOM), 0);
	assert_places(third, "143");
	config_free(first);
	config_free(second);
	config_free(third);
}

static void
test_the_lowest_that_is_free(void **state)
{
	struct config *first = config_of("abcd"), *second = config_of("d");
	struct config *third = config_of("efdg");
	const struct config *live[] = { first, second };

	(void)state;
	assert_int_equal(config_places(second, live, 1, ROOM), 0);
	assert_int_equal(config_places(third, &live[1], 1, ROOM), 0);
	assert_places(third, "0132");
	assert_int_equal(third->listener_places, 4);
	config_free(first);
	config_free(second);
	config_free(third);
}

static void
test_no_room(void **state)
{
	struct config *first = config_of("abcdef"), *next = config_of("abg");
	const struct config *live[] = { first };

	(void)state;
	assert_int_equal(config_places(next, live, 1, 6), -E2BIG);
	assert_int_equal(config_places(next, live, 1, 7), 0);
	assert_places(next, "016");
	assert_int_equal(config_places(next, live, 0, 3), 0);
	assert_int_equal(config_places(next, live, 0, 2), -E2BIG);
	config_free(first);
	config_free(next);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_their_order),
		cmocka_unit_test(test_by_name),
		cmocka_unit_test(test_kept_by_name),
		cmocka_unit_test(test_the_lowest_that_is_free),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
