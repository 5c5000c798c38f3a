#include "base/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void
assert_text(const struct addr *addr, const char *expected)
{
	char text[ADDR_TEXT];

	assert_string_equal(addr_text(addr, text), expected);
}

static void
test_ip_is_read_and_written(void **state)
{
	static const char *const pairs[][2] = {
		{ "127.0.0.1", "127.0.0.1:80" },
		{ "255.255.255.255", "255.255.255.255:80" },
		{ "::", "[::]:80" },
		{ "::1", "[::1]:80" },
		{ "2001:DB8:0:0::1", "[2001:db8::1]:80" },
		{ "::ffff:1.2.3.4", "1.2.3.4:80" },
		{ "fe80::1%1", "[fe80::1%1]:80" },
		{ "fe80::1%lo", "[fe80::1%1]:80" },
	};
	struct addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(addr_from_ip(&addr, pairs[i][0], 80), 0);
		assert_text(&addr, pairs[i][1]);
		assert_int_equal(addr_port(&addr), 80);
	}
}

static void
test_what_is_no_ip_is_refused(void **state)
{
	static const char *const wrong[] = { "", "localhost", "1.2.3", "127.1",
		"1.2.3.4.5", "256.1.1.1", "0x7f000001", "01.2.3.4", "1.2.3.4 ",
		" 1.2.3.4", "[::1]", ":::", "1:2:3", "::g", "fe80::1%", "fe80::1%0",
		"fe80::1%nosuchif", "::1%lo", "1.2.3.4%lo", "%lo",
		"fe80::1%99999999999",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa%lo" };
	struct addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(addr_from_ip(&addr, wrong[i], 1), -EINVAL);
}

static void
test_longest_scope_fits(void **state)
{
	struct addr addr;
	char text[ADDR_TEXT];

	(void)state;
	assert_int_equal(addr_from_ip(&addr,
	    "fe80:1111:2222:3333:4444:5555:6666:7777%4294967295", 65535), 0);
	assert_string_equal(addr_text(&addr, text),
	    "[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535");
}

static void
test_path_lengths(void **state)
{
	char path[200];
	struct addr addr;

	(void)state;
	assert_int_equal(addr_from_path(&addr, ""), -EINVAL);
	memset(path, 'p', sizeof(path));
	path[107] = '\0';
	assert_int_equal(addr_from_path(&addr, path), 0);
	assert_int_equal(addr.len, sizeof(struct sockaddr_un));
	memset(path, 'p', sizeof(path));
	path[108] = '\0';
	assert_int_equal(addr_from_path(&addr, path), -ENAMETOOLONG);
}

static void
test_path_text(void **state)
{
	struct addr addr;

	(void)state;
	assert_int_equal(addr_from_path(&addr, "/run/db.sock"), 0);
	assert_text(&addr, "unix:/run/db.sock");
	assert_int_equal(addr_port(&addr), 0);
	addr_set_port(&addr, 80);
	assert_text(&addr, "unix:/run/db.sock");
	assert_int_equal(addr_from_path(&addr, "/tmp/\xc3\xa4"), 0);
	assert_text(&addr, "unix:/tmp/\xc3\xa4");
	assert_int_equal(addr_from_path(&addr, "/tmp/\n\xff"), 0);
	assert_text(&addr, "unix:/tmp/\\n\\xff");
}

static void
test_abstract_path(void **state)
{
	struct addr addr;

	(void)state;
	assert_int_equal(addr_from_path(&addr, "@db"), 0);
	assert_int_equal(addr.un.sun_path[0], 0);
	assert_int_equal(addr.len, offsetof(struct sockaddr_un, sun_path) + 3);
	assert_text(&addr, "unix:@db");
}

/* Every length that a kernel may give, of each family, stays in bounds. */
static void
test_any_sockaddr_is_harmless(void **state)
{
	static const sa_family_t families[] = { AF_UNSPEC, AF_INET, AF_INET6,
		AF_UNIX, AF_NETLINK };
	struct sockaddr_storage storage;
	char text[ADDR_TEXT];
	struct addr addr;

	(void)state;
	for (size_t f = 0; f < 5; f++) {
		for (socklen_t len = 0; len <= sizeof(storage); len++) {
			memset(&storage, 0xff, sizeof(storage));
			storage.ss_family = families[f];
			addr_from_sockaddr(&addr, (struct sockaddr *)&storage,
			    len);
			assert_true(strlen(addr_text(&addr, text)) <
			    ADDR_TEXT);
			assert_true(addr_equal(&addr, &addr));
		}
	}
}

static void
test_unnamed_and_counted_paths(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX,
		.sun_path = "/run/x" };
	struct addr with_nul, without, named;

	(void)state;
	addr_from_sockaddr(&without, (struct sockaddr *)&un,
	    offsetof(struct sockaddr_un, sun_path) + 6);
	addr_from_sockaddr(&with_nul, (struct sockaddr *)&un,
	    offsetof(struct sockaddr_un, sun_path) + 7);
	addr_from_path(&named, "/run/x");
	assert_true(addr_equal(&without, &with_nul));
	assert_true(addr_equal(&without, &named));
	addr_from_sockaddr(&without, (struct sockaddr *)&un,
	    sizeof(sa_family_t));
	assert_text(&without, "unix:");
	assert_false(addr_equal(&without, &named));
}

static void
test_equal(void **state)
{
	struct addr a, b;

	(void)state;
	addr_from_ip(&a, "10.0.0.1", 80);
	addr_from_ip(&b, "10.0.0.1", 80);
	assert_true(addr_equal(&a, &b));
	addr_set_port(&b, 81);
	assert_false(addr_equal(&a, &b));
	addr_from_ip(&b, "::ffff:10.0.0.1", 80);
	assert_true(addr_equal(&a, &b));
	addr_from_ip(&b, "::", 80);
	assert_false(addr_equal(&a, &b));
	addr_from_ip(&a, "fe80::1%1", 80);
	addr_from_ip(&b, "fe80::1%2", 80);
	assert_false(addr_equal(&a, &b));
}

static void
test_any(void **state)
{
	struct addr addr;

	(void)state;
	addr_from_ip(&addr, "0.0.0.0", 80);
	assert_true(addr_is_any(&addr));
	addr_from_ip(&addr, "::", 0);
	assert_true(addr_is_any(&addr));
	addr_from_ip(&addr, "0.0.0.1", 80);
	assert_false(addr_is_any(&addr));
	addr_from_path(&addr, "@");
	assert_false(addr_is_any(&addr));
}

static bool
is_loopback(const char *ip)
{
	struct addr addr;

	assert_int_equal(addr_from_ip(&addr, ip, 80), 0);
	return addr_is_loopback(&addr);
}

static void
loopback_is_a_network(void **state)
{
	struct addr addr;

	(void)state;
	assert_true(is_loopback("127.0.0.1"));
	assert_true(is_loopback("127.255.255.254"));
	assert_true(is_loopback("::ffff:127.0.0.1"));
	assert_true(is_loopback("::1"));
	assert_false(is_loopback("126.0.0.1"));
	assert_false(is_loopback("128.0.0.1"));
	assert_false(is_loopback("::"));
	assert_false(is_loopback("::2"));
	addr_from_path(&addr, "@");
	assert_false(addr_is_loopback(&addr));
}

static void
assert_peer(const char *ip, const char *expected)
{
	char text[ADDR_TEXT], alone[ADDR_TEXT];
	struct addr addr;
	struct peer peer;

	assert_int_equal(addr_from_ip(&addr, ip, 4242), 0);
	peer_from_sockaddr(&peer, &addr.sa);
	assert_string_equal(peer_text(&peer, text), expected);
	assert_string_equal(peer_ip_text(&peer, alone), ip);
}

static void
test_peer(void **state)
{
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6,
		.sin6_port = 0x3412 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[ADDR_TEXT];
	struct peer peer;

	(void)state;
	assert_peer("192.0.2.1", "192.0.2.1:4242");
	assert_peer("2001:db8::7", "[2001:db8::7]:4242");
	assert_peer("fe80::7%3", "[fe80::7%3]:4242");
	memcpy(&mapped.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x09",
	    16);
	peer_from_sockaddr(&peer, (struct sockaddr *)&mapped);
	assert_int_equal(peer.family, AF_INET);
	assert_string_equal(peer_text(&peer, text), "10.0.0.9:4660");
	peer_from_sockaddr(&peer, (struct sockaddr *)&un);
	assert_string_equal(peer_text(&peer, text), "unix:");
	assert_string_equal(peer_ip_text(&peer, text), "unix");
	assert_true(sizeof(peer) <= 24);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip_is_read_and_written),
		cmocka_unit_test(test_what_is_no_ip_is_refused),
		cmocka_unit_test(test_longest_scope_fits),
		cmocka_unit_test(test_path_lengths),
		cmocka_unit_test(test_path_text),
		cmocka_unit_test(test_abstract_path),
		cmocka_unit_test(test_any_sockaddr_is_harmless),
		cmocka_unit_test(test_unnamed_and_counted_paths),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_any),
		cmocka_unit_test(loopback_is_a_network),
		cmocka_unit_test(test_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
