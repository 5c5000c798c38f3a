#include "doors.h"

#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "config/config.h"
#include "config/places.h"
#include "crew.h"
#include "servers.h"

/* The workers, and what is known of servers, as far as doors ask. */
static size_t up, known;
static int fails;
static char told[16];
static int said;

static void
hear(enum log_level level, const char *line, size_t len)
{
	(void)level, (void)line, (void)len;
	said++;
}

int
crew_listen(struct crew *crew, const struct listener_conf *l,
    enum listen_how how)
{
	size_t len = strlen(told);

	(void)crew;
	if (fails > 0 && fails-- > 0)
		return -ENOMEM;
	snprintf(told + len, sizeof(told) - len, "%c%c", l->name[0],
	    how == LISTEN_ON ? '+' : how == LISTEN_OFF ? '-' : '~');
	return 0;
}

size_t
servers_up(const struct servers *servers, size_t upstream, size_t *all)
{
	(void)servers, (void)upstream;
	*all = known;
	return up;
}

struct house {
	struct event_base *base;
	struct config	  *config;
	struct doors	  *doors;
};

static int
setup(void **state)
{
	static struct house house;
	static const char text[] = "[listener a]\nbind = 127.0.0.1:1\n"
	    "upstream = u\n[listener b]\nbind = 127.0.0.1:2\nupstream = v\n"
	    "[upstream u]\nhost = 127.0.0.1\nport = 3\n"
	    "on_no_server = unlisten\ncheck = tcp\n"
	    "[upstream v]\nhost = 127.0.0.1\nport = 4\n";
	struct config_errors errors = { 0 };

	house.base = event_base_new();
	house.config = config_load_text("test", text, strlen(text), &errors);
	if (house.config == NULL)
		print_error("%s\n", errors.lines[0]);
	config_errors_free(&errors);
	assert_non_null(house.config);
	house.doors = doors_new(house.base, house.config, NULL, NULL);
	assert_non_null(house.doors);
	up = known = 1;
	fails = 0;
	told[0] = '\0';
	*state = &house;
	return 0;
}

static int
teardown(void **state)
{
	struct house *house = *state;

	doors_free(house->doors);
	config_free(house->config);
	event_base_free(house->base);
	return 0;
}

static void
what_is_so_is_not_told(void **state)
{
	struct house *house = *state;

	doors_look(house->doors, 0);
	assert_string_equal(told, "");
	up = 0;
	doors_look(house->doors, 1);
	assert_string_equal(told, "");
	doors_look(house->doors, 0);
	doors_look(house->doors, 0);
	assert_string_equal(told, "a-");
	assert_false(doors_is_open(house->doors, 0));
	assert_true(doors_is_open(house->doors, 1));
	up = 1;
	doors_look(house->doors, 0);
	assert_string_equal(told, "a-a+");
	assert_int_equal(event_base_loop(house->base, EVLOOP_NONBLOCK), 1);
}

/* And nobody has to look for it. */
static void
what_could_not_be_told_is_told_later(void **state)
{
	struct house *house = *state;

	up = 0;
	fails = 2;
	doors_look(house->doors, 0);
	assert_true(doors_is_open(house->doors, 0));
	assert_int_equal(event_base_loop(house->base, EVLOOP_ONCE), 0);
	assert_string_equal(told, "");
	assert_int_equal(event_base_loop(house->base, EVLOOP_ONCE), 0);
	assert_string_equal(told, "a-");
	assert_false(doors_is_open(house->doors, 0));
	assert_int_equal(event_base_loop(house->base, EVLOOP_NONBLOCK), 1);
}

static void
what_is_so_by_then_is_not_told_later(void **state)
{
	struct house *house = *state;

	up = 0;
	fails = 1;
	doors_look(house->doors, 0);
	up = 1;
	assert_int_equal(event_base_loop(house->base, EVLOOP_ONCE), 0);
	assert_string_equal(told, "");
}

/* Whether servers are up or not; and who is there again finds it as it would be
 * anyway. */
static void
who_is_drained_refuses(void **state)
{
	struct house *house = *state;
	const struct listener_conf *a = &house->config->listeners[0];

	doors_drain(house->doors, a, true);
	doors_drain(house->doors, a, true);
	assert_string_equal(told, "a~");
	assert_true(doors_is_drained(house->doors, 0));
	assert_false(doors_is_drained(house->doors, 1));
	up = 0;
	doors_look(house->doors, 0);
	assert_string_equal(told, "a~");
	doors_drain(house->doors, a, false);
	assert_string_equal(told, "a~a-");
	assert_false(doors_is_drained(house->doors, 0));
}

/* What it was told before, its new ports do not know. */
static void
who_is_drained_stays_so(void **state)
{
	struct house *house = *state;

	doors_drain(house->doors, &house->config->listeners[0], true);
	fails = 1;
	doors_follow(house->doors, house->config);
	assert_string_equal(told, "a~");
	assert_int_equal(event_base_loop(house->base, EVLOOP_ONCE), 0);
	assert_string_equal(told, "a~a~");
	assert_int_equal(event_base_loop(house->base, EVLOOP_NONBLOCK), 1);
}

/* And who refuses already is told once more, which is no news. */
static void
a_new_port_is_told_once(void **state)
{
	struct house *house = *state;

	log_set_level(LOG_LEVEL_INFO);
	log_set_sink(hear);
	said = 0;
	up = 0;
	doors_look(house->doors, 0);
	doors_follow(house->doors, house->config);
	assert_string_equal(told, "a-a-");
	doors_look(house->doors, 0);
	assert_string_equal(told, "a-a-");
	assert_int_equal(said, 1);
	log_set_sink(NULL);
	log_set_level(LOG_LEVEL_ERROR);
}

/* Its upstream may be another one by now; but of one without servers nobody
 * knows anything yet. */
static void
another_configuration_is_looked_at(void **state)
{
	struct house *house = *state;

	up = known = 0;
	doors_follow(house->doors, house->config);
	assert_string_equal(told, "");
	known = 1;
	doors_follow(house->doors, house->config);
	assert_string_equal(told, "a-");
	assert_false(doors_is_open(house->doors, 0));
}

static struct config *
successor(const char *name, const struct config *before)
{
	const struct config *const live[] = { before };
	struct config_errors errors = { 0 };
	struct config *config;
	char text[256];

	snprintf(text, sizeof(text), "[listener %s]\nbind = 127.0.0.1:1\n"
	    "[listener b]\nbind = 127.0.0.1:2\nupstream = v\n"
	    "[upstream %s]\nhost = 127.0.0.1\nport = 3\n"
	    "[upstream v]\nhost = 127.0.0.1\nport = 4\n", name, name);
	config = config_load_text("test", text, strlen(text), &errors);
	config_errors_free(&errors);
	assert_non_null(config);
	assert_int_equal(config_places(config, live, 1, 8), 0);
	return config;
}

/* Whose place it was is of no matter. */
static void
another_listener_begins_open(void **state)
{
	struct house *house = *state;
	struct config *second = successor("z", house->config);
	struct config *third = successor("y", second);

	assert_int_equal(second->listeners[0].index, 2);
	assert_int_equal(third->listeners[0].index, 0);
	doors_drain(house->doors, &house->config->listeners[0], true);
	assert_int_equal(doors_grow(house->doors, second), 0);
	doors_follow(house->doors, second);
	doors_follow(house->doors, third);
	assert_false(doors_is_drained(house->doors, 0));
	assert_true(doors_is_open(house->doors, 0));
	assert_string_equal(told, "a~");
	doors_follow(house->doors, house->config);
	config_free(second);
	config_free(third);
}

#define IN_HOUSE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_HOUSE(what_is_so_is_not_told),
		IN_HOUSE(what_could_not_be_told_is_told_later),
		IN_HOUSE(what_is_so_by_then_is_not_told_later),
		IN_HOUSE(who_is_drained_refuses),
		IN_HOUSE(who_is_drained_stays_so),
		IN_HOUSE(a_new_port_is_told_once),
		IN_HOUSE(another_configuration_is_looked_at),
		IN_HOUSE(another_listener_begins_open),
	};
	int failed;

	log_set_level(LOG_LEVEL_ERROR);
	failed = cmocka_run_group_tests_name("doors", tests, NULL, NULL);
	libevent_global_shutdown();
	return failed;
}
