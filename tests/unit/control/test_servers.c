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
	.nupstreams = 1 };

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
	struct servers	    *servers;
	struct endpoint_set *set;
};

static void
scene_open(struct scene *scene)
{
	log_set_sink(hear);
	said[0] = '\0';
	scene->servers = servers_new(NULL, &config);
	scene->set = a_set(3);
	assert_non_null(scene->servers);
	assert_int_equal(servers_follow(scene->servers, scene->set), 0);
}

static void
scene_close(struct scene *scene)
{
	servers_free(scene->servers);
	endpoint_set_unref(scene->set);
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
	    "stays out (drain): it answers; 2 of 3 are up");
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
static void
what_was_said_holds_for_who_comes_later(void **state)
{
	struct endpoint_set *again;
	struct scene scene;

	(void)state;
	scene_open(&scene);
	assert_int_equal(say(&scene, "db1", SERVER_DRAINING), 0);
	assert_int_equal(say(&scene, "10.0.0.3:5432", SERVER_DISABLED), 0);
	again = a_set(3);
	assert_int_equal(servers_follow(scene.servers, again), 0);
	assert_null(nth(&scene, 0));
	endpoint_set_unref(scene.set);
	scene.set = again;
	assert_outs(&scene, SERVER_DRAINING, SERVER_DRAINING,
	    SERVER_DISABLED);
	assert_string_equal(nth(&scene, 0)->cause, "by uid 0");
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
		cmocka_unit_test(what_was_said_holds_for_who_comes_later),
		cmocka_unit_test(weights_are_kept_until_they_are_taken_back),
		cmocka_unit_test(states_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
