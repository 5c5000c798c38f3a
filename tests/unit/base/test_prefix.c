#include "base/prefix.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct peer
peer(const char *ip)
{
	struct addr addr;
	struct peer p = { .family = AF_UNIX };

	if (*ip == '\0')
		return p;
	assert_int_equal(addr_from_ip(&addr, ip, 5050), 0);
	peer_from_sockaddr(&p, &addr.sa);
	return p;
}

static void
has_what_it_should(void **state)
{
	static const struct {
		const char *prefix, *ip;
		bool	    has;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.0", false },
		{ "192.0.2.1/32", "192.0.2.1", true },
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.1.2.3/8", "10.9.9.9", true }, /* the host is ignored */
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.64/31", "192.0.2.65", true },
		{ "192.0.2.64/31", "192.0.2.66", false },
		{ "0.0.0.0/0", "203.0.113.7", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "192.0.2.1", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
		{ "2001:db8::1", "2001:db8::1", true },
		{ "2001:db8::1", "2001:db8::2", false },
		{ "::ffff:192.0.2.1", "192.0.2.1", true },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
		{ "::ffff:10.0.0.0/104", "11.1.2.3", false },
		{ "unix", "", true },
		{ "unix", "192.0.2.1", false },
		{ "0.0.0.0/0", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer p = peer(rows[i].ip);
		struct prefix prefix;

		assert_int_equal(prefix_parse(&prefix, rows[i].prefix), 0);
		if (prefix_has(&prefix, &p) != rows[i].has)
			fail_msg("%s in %s", rows[i].ip, rows[i].prefix);
	}
}

/* As it is shown and compared. */
static void
the_host_is_zeroed(void **state)
{
	static const uint8_t wanted[16] = { 10, 0x80 };
	struct prefix prefix;

	(void)state;
	assert_int_equal(prefix_parse(&prefix, "10.255.255.255/9"), 0);
	assert_int_equal(prefix.bits, 9);
	assert_memory_equal(prefix.ip, wanted, sizeof(wanted));
}

/* One byte more than fits, and the end. */
static void
too_long_by_one(void **state)
{
	char text[ADDR_TEXT + 1];
	struct prefix prefix;

	(void)state;
	memset(text, '1', ADDR_TEXT);
	text[ADDR_TEXT] = '\0';
	assert_int_equal(prefix_parse(&prefix, text), -EINVAL);
}

static void
zeroed_has_everybody(void **state)
{
	static const char *const ips[] = { "192.0.2.1", "2001:db8::1", "" };
	const struct prefix zero = { 0 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct peer p = peer(ips[i]);

		assert_true(prefix_has(&zero, &p));
	}
}

static void
nonsense_is_refused(void **state)
{
	static const char *const texts[] = { "", "/", "/8", "10.0.0.0/",
		"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/8/8",
		"10.0.0", "::/129", "::ffff:10.0.0.0/8", "unix/8", "localhost",
		"[::1]", "10.0.0.1:80", " 10.0.0.1",
		"1111111111111111111111111111111111111111111111111111111111"
		"1111111111111111111111111111111111111111111111111111111111"
		"1111111111111111111111111111111111111111111111111111111111" };
	struct prefix prefix;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (prefix_parse(&prefix, texts[i]) != -EINVAL)
			fail_msg("'%s' was taken", texts[i]);
}

static bool
covers(const char *wide, const char *narrow)
{
	struct prefix w = { 0 }, n = { 0 };

	assert_true(*wide == '\0' || prefix_parse(&w, wide) == 0);
	assert_true(*narrow == '\0' || prefix_parse(&n, narrow) == 0);
	return prefix_covers(&w, &n);
}

static void
covers_what_is_no_wider(void **state)
{
	(void)state;
	assert_true(covers("10.0.0.0/8", "10.9.0.0/16"));
	assert_true(covers("10.0.0.0/8", "10.0.0.0/8"));
	assert_false(covers("10.9.0.0/16", "10.0.0.0/8"));
	assert_false(covers("10.0.0.0/8", "11.0.0.0/16"));
	assert_false(covers("0.0.0.0/0", "::1"));
	assert_true(covers("", "unix"));
	assert_true(covers("", ""));
	assert_false(covers("unix", ""));
	assert_false(covers("::/0", ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_what_it_should),
		cmocka_unit_test(the_host_is_zeroed),
		cmocka_unit_test(too_long_by_one),
		cmocka_unit_test(zeroed_has_everybody),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(covers_what_is_no_wider),
	};

	return cmocka_run_group_tests_name("prefix", tests, NULL, NULL);
}
