#include "acl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prefix_map.h"
#include "proxy/closerecord.h"

/* deny 10.0.0.1 (line 3), allow 10.0.0.0/8, deny with a list of two ranges. */
static struct access_rule rules[] = {
	{ .text = "10.0.0.1", .place = "proxy.ini:3" },
	{ .allow = true, .text = "10.0.0.0/8", .place = "proxy.ini:4" },
	{ .text = "file:list", .place = "proxy.ini:5" },
};
static const struct access_range ranges[] = { { 0, 0 }, { 1, 0 }, { 2, 1 },
	{ 2, 12 } };
static const char *const prefixes[] = { "10.0.0.1", "10.0.0.0/8",
	"192.0.2.0/24", "2001:db8::/32" };

static int
setup(void **state)
{
	struct access_conf *access = calloc(1, sizeof(*access));
	static max_align_t memory[128];
	struct prefix_entry entries[4];

	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(prefix_parse(&entries[i].prefix, prefixes[i]),
		    0);
		entries[i].value = i;
	}
	assert_true(prefix_map_size(entries, 4) <= sizeof(memory));
	access->map = prefix_map_build(memory, entries, 4);
	access->rules = rules;
	access->nrules = 3;
	access->ranges = ranges;
	access->nranges = 4;
	*state = access;
	return 0;
}

static int
teardown(void **state)
{
	free(*state);
	return 0;
}

static struct peer
peer_of(const char *ip)
{
	struct addr addr;
	struct peer peer;

	assert_int_equal(addr_from_ip(&addr, ip, 5050), 0);
	peer_from_sockaddr(&peer, &addr.sa);
	return peer;
}

static bool
allows(const struct access_conf *access, const char *ip)
{
	struct peer peer = peer_of(ip);

	return acl_allows(access, &peer);
}

static void
no_rules_let_everybody_in(void **state)
{
	static const struct access_conf none;

	(void)state;
	assert_true(allows(&none, "10.0.0.1"));
	assert_true(allows(&none, "::1"));
}

static void
the_first_range_decides(void **state)
{
	const struct access_conf *access = *state;

	assert_false(allows(access, "10.0.0.1"));
	assert_true(allows(access, "10.0.0.2"));
	assert_false(allows(access, "192.0.2.9"));
	assert_false(allows(access, "2001:db8::1"));
}

static void
the_rest_is_who_is_in_none(void **state)
{
	struct access_conf *access = *state;

	access->rest = true;
	assert_true(allows(access, "192.0.3.1"));
	assert_false(allows(access, "10.0.0.1"));
	access->rest = false;
	assert_false(allows(access, "192.0.3.1"));
	assert_true(allows(access, "10.0.0.2"));
}

/* The words by which the rule is found again; those of a list have its line,
 * also the first. */
static void
says_which_rule(void **state)
{
	static const struct {
		const char *ip, *words;
	} rows[] = {
		{ "10.0.0.1", "denied by deny 10.0.0.1 (proxy.ini:3)" },
		{ "192.0.2.1", "denied by deny file:list line 1 "
		    "(proxy.ini:5)" },
		{ "2001:db8::1", "denied by deny file:list line 12 "
		    "(proxy.ini:5)" },
	};
	char text[ACL_TEXT];
	struct ending ending;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer peer = peer_of(rows[i].ip);

		acl_explain(*state, &peer, &ending, text);
		assert_string_equal(ending.detail, rows[i].words);
		assert_null(ending.rule);
		assert_int_equal(ending.by, BY_PROXY);
		assert_int_equal(ending.how, HOW_LIMIT);
	}
}

static void
says_that_there_is_none(void **state)
{
	struct peer peer = peer_of("192.0.3.1");
	char text[ACL_TEXT];
	struct ending ending;

	acl_explain(*state, &peer, &ending, text);
	assert_string_equal(ending.detail, "denied: no allow has 192.0.3.1");
	assert_string_equal(ending.rule, "allow");
	assert_int_equal(ending.how, HOW_LIMIT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_rules_let_everybody_in),
		TEST(the_first_range_decides),
		TEST(the_rest_is_who_is_in_none),
		TEST(says_which_rule),
		TEST(says_that_there_is_none),
	};

	return cmocka_run_group_tests_name("acl", tests, NULL, NULL);
}
