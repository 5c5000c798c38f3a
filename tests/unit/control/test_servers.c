/* What an operator says of servers, by name or address; and what changes it
 * makes. */
#include "servers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"

static char pg[] = "pg", db1[] = "db1", db2[] = "db2";
static struct server_conf lines[] = {
	{ .name = db1, .weight = 1 },
	{ .name = db2, .weight = 3 },
};
static struct upstream_conf upstreams[] = {
	{ .name = pg, .servers = lines, .nservers = 2 },
};
static const struct config config = { .upstreams = upstreams,
	.nupstreams = 1, .upstream_places = 1 };

static char said[LOG_LINE];

static void
hear(enum log_level level, const char *line, size_t len)
{
	(void)level;
	snprintf(said, sizeof(said), "%.*s", (int)len, line);
}

/* What was said, but for the time that depends on when. */
static const char *
heard(void)
{
	char *after = strstr(said, " after "), *rest;

	if (after != NULL && (rest = strstr(after, "s:")) != NULL)
		memmove(after, rest + 1, strlen(rest));
	return said;
}

/* db1 has two addresses, db2 one. */
static struct endpoint_set *
a_set(size_t count)
{
	struct endpoint_set *set = endpoint_set_new(0, count);

	assert_non_null(set);
	for (size_t i = 0; i < count; i++) {
		struct sockaddr_in in = { .sin_family = AF_INET,
			.sin_port = htons(5432),
			.sin_addr.s_addr = htonl(0x0a000001 + (uint32_t)i) };
		struct addr addr;

		addr_from_sockaddr(&addr, (struct sockaddr *)&in, sizeof(in));
		set->endpoints[i].server = server_state_new(&addr);
		set->endpoints[i].line = i / 2;
		assert_non_null(set->endpoints[i].server);
	}
	return set;
}

struct scene {
	struct event_base   *base;
	struct servers	    *servers;
	struct endpoint_set *set;
};

static void
scene_open(struct scene *scene)
{
	log_set_sink(hear);
	said[0] = '\0';
	scene->base = event_base_new();
	scene->servers = servers_new(scene->base, &config, NULL);
	scene->set = a_set(3);
	assert_non_null(scene->servers);
	assert_int_equal(servers_follow(scene->servers,
	    config.upstreams, scene->set), 0);
}

static void
scene_close(struct scene *scene)
{
	servers_free(scene->servers);
	endpoint_set_unref(scene->set);
	event_base_free(scene->base);
	log_set_sink(NULL);
}

static struct server *
nth(const struct scene *scene, size_t n)
{
	return servers_find(scene->servers, 0,
	    scene->set->endpoints[n].server);
}

static unsigned
out(const struct scene *scene, size_t n)
{
	return scene->set->endpoints[n].server->out;
}

static void
assert_outs(const struct scene *scene, unsigned a, unsigned b, unsigned c)
{
	assert_int_equal(out(scene, 0), a);
	assert_int_equal(out(scene, 1), b);
	assert_int_equal(out(scene, 2), c);
}

static int
say(const struct scene *scene, const char *name, unsigned word)
{
	return servers_set_out(scene->servers, &upstreams[0], name, word,
	    "uid 0");
}

static size_t
noted(const struct scene *scene)
{
	const struct change *c;
	size_t count = 0;

	TAILQ_FOREACH(c, servers_changes(scene->servers), link)
		count++;
	return count;
}

static void
a_change_is_one_line(void **state)
{
	struct scene scene;

	(void)state;
	scene_open(&scene);
	servers_change(nth(&scene, 0), SERVER_FAILING, 0,
	    "connection refused (check tcp, 3 in a row)");
	assert_string_equal(heard(), "upstream pg: server db1 (10.0.0.1:5432) is "
	    "down: connection refused (check tcp, 3 in a row); 2 of 3 are up");
	said[0] = '\0';
	servers_change(nth(&scene, 0), SERVER_FAILING, 0, "again");
	assert_string_equal(said, "");
	servers_change(nth(&scene, 0), 0, SERVER_FAILING, "it answers");
	assert_string_equal(heard(), "upstream pg: server db1 (10.0.0.1:5432) is "
	    "up: it answers; 3 of 3 are up");
	assert_int_equal(nth(&scene, 0)->changes, 2);
	assert_true(nth(&scene, 0)->state->up_since > 0);
	scene_close(&scene);
}

static void
whoever_has_two_reasons_needs_both_gone(void **state)
{
	struct scene scene;

	(void)state;
	scene_open(&scene);
	servers_change(nth(&scene, 2), SERVER_FAILING, 0, "it refuses");
	assert_int_equal(say(&scene, "db2", SERVER_DRAINING), 0);
	assert_outs(&scene, 0, 0, SERVER_FAILING | SERVER_DRAINING);
	servers_change(nth(&scene, 2), 0, SERVER_FAILING, "it answers");
	assert_string_equal(heard(), "upstream pg: server db2 (10.0.0.3:5432) "
	    "stays out (drain): it answers, but still: by uid 0; 2 of "
	    "3 are up");
	assert_int_equal(nth(&scene, 2)->changes, 1);
	assert_int_equal(nth(&scene, 2)->state->up_since, 0);
	assert_int_equal(say(&scene, "db2", 0), 0);
	assert_outs(&scene, 0, 0, 0);
	assert_int_equal(nth(&scene, 2)->changes, 2);
	scene_close(&scene);
}

static void
a_name_is_all_its_addresses(void **state)
{
	struct scene scene;

	(void)state;
	scene_open(&scene);
	assert_int_equal(say(&scene, "db1", SERVER_DISABLED), 0);
	assert_outs(&scene, SERVER_DISABLED, SERVER_DISABLED, 0);
	assert_int_equal(say(&scene, "10.0.0.2:5432", 0), 0);
	assert_outs(&scene, SERVER_DISABLED, 0, 0);
	assert_int_equal(noted(&scene), 2);
	assert_int_equal(say(&scene, "db1", SERVER_DRAINING), 0);
	assert_outs(&scene, SERVER_DRAINING, SERVER_DRAINING, 0);
	assert_int_equal(noted(&scene), 1);
	assert_int_equal(say(&scene, "db1", 0), 0);
	assert_outs(&scene, 0, 0, 0);
	assert_int_equal(noted(&scene), 0);
	assert_int_equal(say(&scene, "db3", 0), -ENOENT);
	assert_int_equal(say(&scene, "10.0.0.9:5432", 0), -ENOENT);
	scene_close(&scene);
}

/* As it is when a name is looked up again. */
/* Names may give the same address: it is the server of both. */
static void
the_last_word_counts_whatever_the_name(void **state)
{
	struct endpoint_set *same;
	struct scene scene;

	(void)state;
	scene_open(&scene);
	same = a_set(3);
	server_state_unref(same->endpoints[2].server);
	same->endpoints[2].server =
	    server_state_ref(same->endpoints[0].server);
	endpoint_set_unref(scene.set);
	scene.set = same;
	assert_int_equal(servers_follow(scene.servers,
	    config.upstreams, same), 0);
	assert_int_equal(say(&scene, "db2", SERVER_DISABLED), 0);
	assert_outs(&scene, SERVER_DISABLED, 0, SERVER_DISABLED);
	assert_int_equal(say(&scene, "db1", 0), 0);
	assert_outs(&scene, 0, 0, 0);
	assert_int_equal(noted(&scene), 0);
	assert_int_equal(say(&scene, "db2", SERVER_DRAINING), 0);
	same = a_set(1); /* away, and again */
	assert_int_equal(servers_follow(scene.servers,
	    config.upstreams, same), 0);
	endpoint_set_unref(same);
	assert_int_equal(servers_follow(scene.servers,
	    config.upstreams, scene.set), 0);
	assert_outs(&scene, SERVER_DRAINING, 0, SERVER_DRAINING);
	scene_close(&scene);
}

static void
what_was_said_holds_for_who_comes_later(void **state)
{
	struct endpoint_set *again;
	char why[SERVERS_WHY];
	struct scene scene;

	(void)state;
	scene_open(&scene);
	assert_int_equal(say(&scene, "db1", SERVER_DRAINING), 0);
	assert_int_equal(say(&scene, "10.0.0.3:5432", SERVER_DISABLED), 0);
	again = a_set(3);
	assert_int_equal(servers_follow(scene.servers,
	    config.upstreams, again), 0);
	assert_null(nth(&scene, 0));
	endpoint_set_unref(scene.set);
	scene.set = again;
	assert_outs(&scene, SERVER_DRAINING, SERVER_DRAINING,
	    SERVER_DISABLED);
	assert_string_equal(servers_why(nth(&scene, 0), why), "by uid 0");
	scene_close(&scene);
}

static void
each_reason_is_told_while_it_holds(void **state)
{
	char why[SERVERS_WHY];
	struct scene scene;
	struct server *s;

	(void)state;
	scene_open(&scene);
	s = nth(&scene, 2);
	servers_change(s, SERVER_FAILING, 0, "it is mute (check tcp)");
	assert_int_equal(say(&scene, "db2", SERVER_DISABLED), 0);
	assert_string_equal(servers_why(s, why),
	    "by uid 0; it is mute (check tcp)");
	assert_int_equal(say(&scene, "db2", 0), 0);
	assert_string_equal(servers_why(s, why), "it is mute (check tcp)");
	assert_string_equal(heard(), "upstream pg: server db2 (10.0.0.3:5432) "
	    "stays out (failing): by uid 0, but still: it is mute (check tcp); "
	    "2 of 3 are up");
	servers_change(s, 0, SERVER_FAILING, "it answers (check tcp)");
	assert_string_equal(servers_why(s, why), "it answers (check tcp)");
	scene_close(&scene);
}

static void
what_was_taken_back_is_no_reason(void **state)
{
	char why[SERVERS_WHY];
	struct scene scene;

	(void)state;
	scene_open(&scene);
	assert_int_equal(say(&scene, "db2", SERVER_DRAINING), 0);
	assert_int_equal(say(&scene, "db2", 0), 0);
	assert_string_equal(servers_why(nth(&scene, 2), why), "");
	scene_close(&scene);
}

static void
weights_are_kept_until_they_are_taken_back(void **state)
{
	struct server_state *s;
	struct scene scene;

	(void)state;
	scene_open(&scene);
	s = scene.set->endpoints[2].server;
	assert_int_equal(servers_weight(scene.servers, &upstreams[0],
	    &lines[1], s, 3), 3);
	assert_int_equal(servers_set_weight(scene.servers, &upstreams[0],
	    "db2", 7, "uid 0"), 0);
	assert_int_equal(servers_weight(scene.servers, &upstreams[0],
	    &lines[1], s, 3), 7);
	assert_int_equal(servers_set_weight(scene.servers, &upstreams[0],
	    s->text, 0, "uid 0"), 0);
	assert_int_equal(servers_weight(scene.servers, &upstreams[0],
	    &lines[1], s, 3), 3);
	assert_int_equal(servers_set_weight(scene.servers, &upstreams[0],
	    "db2", 0, "uid 0"), 0);
	assert_int_equal(noted(&scene), 0);
	scene_close(&scene);
}

static void
refuse(const struct scene *scene, size_t n, unsigned times)
{
	while (times-- > 0)
		server_state_fail(scene->set->endpoints[n].server,
		    -ECONNREFUSED);
	eject_look(scene->servers);
}

static void
set_ejection(uint64_t after, uint64_t time, uint64_t percent)
{
	upstreams[0].eject_after = after;
	upstreams[0].eject_time = time;
	upstreams[0].eject_max_percent = percent;
}

/* Names may give each other's addresses. */
static void
what_was_said_of_a_name_goes_with_it(void **state)
{
	struct endpoint_set *set;
	struct scene scene;

	(void)state;
	scene_open(&scene);
	assert_int_equal(servers_set_out(scene.servers, config.upstreams,
	    "db1", SERVER_DRAINING, "me"), 0);
	assert_outs(&scene, SERVER_DRAINING, SERVER_DRAINING, 0);
	set = endpoint_set_new(0, 3);
	for (size_t i = 0; i < 3; i++) {
		set->endpoints[i] = scene.set->endpoints[i];
		server_state_ref(set->endpoints[i].server);
		set->endpoints[i].line = i == 0;
	}
	assert_int_equal(servers_follow(scene.servers, config.upstreams, set),
	    0);
	assert_outs(&scene, 0, SERVER_DRAINING, SERVER_DRAINING);
	endpoint_set_unref(set);
	scene_close(&scene);
}

static void
so_many_failures_in_a_row_eject(void **state)
{
	struct scene scene;

	(void)state;
	scene_open(&scene);
	refuse(&scene, 0, 5);
	assert_outs(&scene, 0, 0, 0); /* eject_after is off */
	server_state_join(scene.set->endpoints[0].server);
	set_ejection(5, 20, 50);
	refuse(&scene, 0, 4);
	server_state_join(scene.set->endpoints[0].server);
	refuse(&scene, 0, 4);
	server_state_fail(scene.set->endpoints[0].server, -EADDRNOTAVAIL);
	eject_look(scene.servers);
	assert_outs(&scene, 0, 0, 0);
	refuse(&scene, 0, 1);
	assert_outs(&scene, SERVER_EJECTED, 0, 0);
	assert_string_equal(heard(), "upstream pg: server db1 (10.0.0.1:5432) "
	    "is ejected: 5 connects failed in a row (eject_after), the last: "
	    "connection refused; for 20ms; 2 of 3 are up");
	/* half of three is one */
	refuse(&scene, 1, 50);
	assert_outs(&scene, SERVER_EJECTED, 0, 0);
	event_base_loop(scene.base, EVLOOP_ONCE);
	assert_outs(&scene, 0, 0, 0);
	assert_string_equal(heard(), "upstream pg: server db1 (10.0.0.1:5432) "
	    "is up: 20ms are over (eject_time); 3 of 3 are up");
	assert_int_equal(scene.set->endpoints[0].server->row, 0);
	eject_look(scene.servers);
	assert_outs(&scene, 0, SERVER_EJECTED, 0);
	set_ejection(0, 0, 0);
	scene_close(&scene);
}

/* Longer each time, but not for one that was in for as long as it was out. */
static void
a_while_without_ejection_begins_anew(void **state)
{
	const struct timeval pause = { .tv_usec = 60000 };
	struct scene scene;

	(void)state;
	scene_open(&scene);
	set_ejection(1, 20, 50);
	refuse(&scene, 0, 1);
	event_base_loop(scene.base, EVLOOP_ONCE);
	refuse(&scene, 0, 1);
	assert_non_null(strstr(heard(), "; for 40ms;"));
	event_base_loop(scene.base, EVLOOP_ONCE);
	assert_outs(&scene, 0, 0, 0);
	event_base_loopexit(scene.base, &pause);
	event_base_dispatch(scene.base);
	refuse(&scene, 0, 1);
	assert_non_null(strstr(heard(), "; for 20ms;"));
	set_ejection(0, 0, 0);
	scene_close(&scene);
}

/* What was found out of a server is over once it has been away. */
static void
who_comes_back_has_failed_in_no_row(void **state)
{
	struct endpoint_set *none = endpoint_set_new(0, 0);
	struct scene scene;

	(void)state;
	scene_open(&scene);
	scene.set->endpoints[0].server->row = 7;
	assert_int_equal(servers_follow(scene.servers,
	    config.upstreams, none), 0);
	assert_int_equal(servers_follow(scene.servers,
	    config.upstreams, scene.set), 0);
	assert_int_equal(scene.set->endpoints[0].server->row, 0);
	endpoint_set_unref(none);
	scene_close(&scene);
}

static void
the_last_one_stays_and_all_come_back_for_none(void **state)
{
	struct scene scene;

	(void)state;
	scene_open(&scene);
	set_ejection(1, 60000, 100);
	refuse(&scene, 0, 1);
	refuse(&scene, 1, 1);
	refuse(&scene, 2, 1);
	assert_outs(&scene, SERVER_EJECTED, SERVER_EJECTED, 0);
	servers_change(nth(&scene, 2), SERVER_FAILING, 0, "it refuses");
	assert_outs(&scene, 0, 0, SERVER_FAILING);
	refuse(&scene, 2, 9);
	assert_outs(&scene, 0, 0, SERVER_FAILING);
	set_ejection(0, 0, 0);
	scene_close(&scene);
}

static void
an_operator_ends_it(void **state)
{
	struct scene scene;

	(void)state;
	scene_open(&scene);
	set_ejection(1, 60000, 100);
	refuse(&scene, 0, 1);
	assert_int_equal(say(&scene, "db1", 0), 0);
	assert_outs(&scene, 0, 0, 0);
	eject_look(scene.servers);
	assert_outs(&scene, 0, 0, 0);
	assert_int_equal(nth(&scene, 0)->eject.count, 1);
	refuse(&scene, 0, 1);
	assert_int_equal(nth(&scene, 0)->eject.length, 120000);
	set_ejection(0, 0, 0);
	scene_close(&scene);
}

static void
how_many_and_for_how_long(void **state)
{
	(void)state;
	assert_true(eject_may(2, 0, 2, 50));
	assert_false(eject_may(2, 1, 1, 100));
	assert_false(eject_may(1, 0, 1, 100));
	assert_true(eject_may(4, 1, 3, 50));
	assert_false(eject_may(4, 2, 2, 50));
	assert_false(eject_may(10, 0, 10, 9));
	assert_true(eject_may(10, 0, 10, 10));
	assert_int_equal(eject_length(10, 1), 10);
	assert_int_equal(eject_length(10, 2), 20);
	assert_int_equal(eject_length(10, 5), 160);
	assert_int_equal(eject_length(10, 500), 160);
}

static void
states_in_words(void **state)
{
	char text[SERVERS_STATE];

	(void)state;
	assert_string_equal(servers_state(0, text), "up");
	assert_string_equal(servers_state(SERVER_EJECTED, text), "ejected");
	assert_string_equal(servers_state(SERVER_FAILING | SERVER_DRAINING,
	    text), "drain+failing");
	assert_string_equal(servers_state(SERVER_FAILING | SERVER_EJECTED |
	    SERVER_DISABLED | SERVER_DRAINING, text),
	    "down+drain+failing+ejected");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_one_line),
		cmocka_unit_test(whoever_has_two_reasons_needs_both_gone),
		cmocka_unit_test(a_name_is_all_its_addresses),
		cmocka_unit_test(the_last_word_counts_whatever_the_name),
		cmocka_unit_test(what_was_said_holds_for_who_comes_later),
		cmocka_unit_test(each_reason_is_told_while_it_holds),
		cmocka_unit_test(what_was_taken_back_is_no_reason),
		cmocka_unit_test(weights_are_kept_until_they_are_taken_back),
		cmocka_unit_test(what_was_said_of_a_name_goes_with_it),
		cmocka_unit_test(so_many_failures_in_a_row_eject),
		cmocka_unit_test(a_while_without_ejection_begins_anew),
		cmocka_unit_test(who_comes_back_has_failed_in_no_row),
		cmocka_unit_test(the_last_one_stays_and_all_come_back_for_none),
		cmocka_unit_test(an_operator_ends_it),
		cmocka_unit_test(how_many_and_for_how_long),
		cmocka_unit_test(states_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
