#include "session_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char pg[] = "pg", web[] = "web", db[] = "db";

static struct listener_conf listeners[] = { { .name = pg }, { .name = web } };
static struct upstream_conf upstreams[] = { { .name = db } };
static const struct config config = { .listeners = listeners, .nlisteners = 2,
	.upstreams = upstreams, .nupstreams = 1 };
static const struct config *const configs[] = { &config, NULL };

static void
take(struct session_query *q, const char *name, const char *value)
{
	char why[SESSION_QUERY_WHY];

	if (session_query_set(q, configs, name, value, why) != NULL)
		fail_msg("%s", why);
}

static void
assert_wrong(const char *name, const char *value, const char *wanted)
{
	char why[SESSION_QUERY_WHY];
	struct session_query q;

	session_query_init(&q);
	assert_string_equal(session_query_set(&q, configs, name, value, why),
	    wanted);
}

static void
nothing_asked_is_all(void **state)
{
	const struct visit_filter none = { 0 };
	struct session_query q;

	(void)state;
	session_query_init(&q);
	assert_memory_equal(&q.filter, &none, sizeof(none));
	assert_false(q.filters);
	assert_int_equal(q.limit, SIZE_MAX);
	assert_int_equal(q.below, 0);
}

static void
every_parameter(void **state)
{
	struct session_query q;

	(void)state;
	session_query_init(&q);
	take(&q, "limit", "1000");
	take(&q, "after", "3-77");
	take(&q, "format", "json");
	assert_false(q.filters); /* so far it leaves nobody out */
	assert_int_equal(q.limit, 1000);
	assert_int_equal(q.worker, 3);
	assert_int_equal(q.below, 77);

	take(&q, "listener", "web");
	take(&q, "upstream", "db");
	take(&q, "server", "[2001:db8::1]:5432");
	take(&q, "client", "192.0.2.0/24");
	take(&q, "min_age", "5m");
	take(&q, "id", "5f2a-1-42");
	assert_true(q.filters);
	assert_string_equal(q.filter.listener, "web");
	assert_string_equal(q.filter.upstream, "db");
	assert_string_equal(q.filter.server, "[2001:db8::1]:5432");
	assert_int_equal(q.filter.client.family, AF_INET);
	assert_int_equal(q.filter.client.bits, 24);
	assert_int_equal(q.filter.min_age_ms, 300000);
	assert_int_equal(q.filter.id, UINT64_C(0x5f2a) << 48 |
	    UINT64_C(1) << 36 | 42);
}

static void
each_filter_alone_is_one(void **state)
{
	static const char *const filters[][2] = { { "listener", "pg" },
		{ "upstream", "db" }, { "server", "x" }, { "client", "unix" },
		{ "min_age", "0" }, { "id", "0000-0-1" } };

	(void)state;
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		struct session_query q;

		session_query_init(&q);
		take(&q, filters[i][0], filters[i][1]);
		assert_true(q.filters);
	}
}

static void
what_is_wrong_is_said(void **state)
{
	(void)state;
	assert_wrong("listner", "pg",
	    "there is no parameter 'listner'; did you mean listener?");
	assert_wrong("\n", "pg", "there is no parameter '\\n'; there are "
	    "listener, upstream, server, client, min_age, id, limit, after "
	    "and format");
	assert_wrong("listener", "wep",
	    "listener 'wep' is not in the configuration; did you mean web?");
	assert_wrong("upstream", "nothing",
	    "upstream 'nothing' is not in the configuration, nor did it leave "
	    "sessions");
	assert_wrong("client", "192.0.2.1:80", "client '192.0.2.1:80' has to "
	    "be an address or a range as 192.0.2.0/24, without a port, or "
	    "'unix'");
	assert_wrong("min_age", "5", "min_age: 5 what? write 5s or 5ms");
	assert_wrong("limit", "0", "limit '0' has to be 1 or more");
	assert_wrong("limit", "x", "limit: 'x' is not a whole number");
	assert_wrong("format", "xml", "format 'xml' has to be json or text");
	assert_wrong("id", "", "id '' is empty");
}

/* Zero means "any" in a filter, and must not come in as an id. */
static void
no_id_means_everybody(void **state)
{
	static const char *const ids[] = { "0000-0-0", "0", "-1", "5f2a-1",
		"5f2a-1-", "5f2a-1-42 ", "5f2a-01-42" };

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		char why[SESSION_QUERY_WHY];
		struct session_query q;

		session_query_init(&q);
		if (session_query_set(&q, configs, "id", ids[i], why) == NULL)
			fail_msg("'%s' was taken", ids[i]);
	}
}

static void
cursor_is_read_again(void **state)
{
	static const char *const wrong[] = { "0", "0-", "-1", "0-0", "0-01",
		"00-1", "0-1 ", "0-1-1", " 0-1", "99999-1",
		"0-99999999999999999999999" };
	char text[SESSION_CURSOR], why[SESSION_QUERY_WHY];
	struct session_query q;

	(void)state;
	session_query_init(&q);
	take(&q, "after", session_cursor(511, UINT64_MAX, text));
	assert_int_equal(q.worker, 511);
	assert_int_equal(q.below, UINT64_MAX);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (session_query_set(&q, configs, "after", wrong[i], why) ==
		    NULL)
			fail_msg("'%s' was taken", wrong[i]);
}

/* Longer than what is kept of it. */
static void
long_values_are_cut_or_refused(void **state)
{
	char value[1000], why[SESSION_QUERY_WHY];
	struct session_query q;

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (const char *const *name = (const char *const[]){ "listener",
	    "upstream", "server", "client", "min_age", "id", "limit", "after",
	    "format", value, NULL }; *name != NULL; name++) {
		session_query_init(&q);
		if (session_query_set(&q, configs, *name, value, why) == NULL)
			fail_msg("%s took it", *name);
		assert_true(strlen(why) < SESSION_QUERY_WHY);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_asked_is_all),
		cmocka_unit_test(every_parameter),
		cmocka_unit_test(each_filter_alone_is_one),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(no_id_means_everybody),
		cmocka_unit_test(cursor_is_read_again),
		cmocka_unit_test(long_values_are_cut_or_refused),
	};

	return cmocka_run_group_tests_name("session_query", tests, NULL, NULL);
}
