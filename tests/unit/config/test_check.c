#include "support.h"

#include <arpa/inet.h>
#include <ifaddrs.h>

#define L(name) "[listener " name "]\nbind = :0\n"
#define U(name) "[upstream " name "]\nhost = h\nport = 1\n"

static const char *
upstream_of(const char *text, size_t listener)
{
	static char name[64];
	struct config *config = load_right(text);

	snprintf(name, sizeof(name), "%s",
	    config->listeners[listener].upstream->name);
	assert_string_equal(config->listeners[listener].upstream_name, name);
	config_free(config);
	return name;
}

static void
test_upstream_is_found(void **state)
{
	(void)state;
	assert_string_equal(upstream_of(L("a") U("x"), 0), "x");
	assert_string_equal(upstream_of(L("a") U("x") U("a"), 0), "a");
	assert_string_equal(upstream_of(L("a") "upstream = x\n" U("x") U("a"),
	    0), "x");
	assert_string_equal(upstream_of("[listener]\nbind = :0\nupstream = "
	    "default\n" U("x") "[upstream]\nhost = h\nport = 1\n", 0),
	    "default");
}

static void
test_upstream_is_not_found(void **state)
{
	(void)state;
	assert_errors(L("a") L("b") "upstream = dc\n" U("db") U("web") L("c")
	    "upstream = nothing\n",
	    "t:1: [listener a] could use several upstreams: say which with "
	    "'upstream = NAME'\n"
	    "t:5: there is no [upstream dc]; did you mean 'db'?\n"
	    "t:14: there is no [upstream nothing]\n");
	assert_errors(L("a"),
	    "t:1: [listener a] has nowhere to forward to: there is no "
	    "[upstream]\n");
	assert_errors(L("a") U("b") "[defaults]\nupstream = c\n",
	    "t:7: there is no [upstream c]\n");
}

static void
test_unused_upstream_is_fine(void **state)
{
	(void)state;
	config_free(load_right(L("a") U("a") U("unused")));
}

static void
test_host_or_server(void **state)
{
	(void)state;
	assert_errors(L("a") "[upstream a]\nhost = h\nport = 1\n"
	    "server = h:1\n[upstream b]\nserver = h:1\nport = 1\n"
	    "[upstream c]\nport = 1\n[upstream d]\nhost = h\n[upstream e]\n"
	    "connect_timeout = 1s\n",
	    "t:6: [upstream a] has server here and host at line 4: write one "
	    "or the other\n"
	    "t:8: [upstream b] has server here and port at line 9: write one "
	    "or the other\n"
	    "t:11: [upstream c] has a port but no host\n"
	    "t:13: [upstream d] has a host but no port: "
	    "add 'port = NUMBER'\n"
	    "t:14: [upstream e] has neither host nor server\n");
}

/* A value that was wrong was there: it is not said to be missing as well. */
static void
test_wrong_is_not_missing(void **state)
{
	(void)state;
	assert_errors("[listener]\nbind = 1\n[upstream]\nhost = [\nport = x\n",
	    "t:2: bind '1' needs a colon: write ':1'\n"
	    "t:4: host '[' is neither an address nor a host name\n"
	    "t:5: port must be a number from 1 to 65535, not 'x'\n");
	assert_errors("[listener]\nbind = :0\n[upstream]\nserver = x\n",
	    "t:4: server 'x' needs a port behind it, as in "
	    "db1.internal:5432\n");
}

static void
test_servers_twice(void **state)
{
	(void)state;
	assert_errors(L("a") "[upstream]\nserver = h:1\nserver = h:2\n"
	    "server = H:1 name=x\nserver = 10.0.0.1:1 name=y\n"
	    "server = [::ffff:10.0.0.1]:1\nserver = h:3 name=y\n"
	    "server = unix:/a\nserver = unix:/a backup\n",
	    "t:6: server 'x' is that of line 4 again\n"
	    "t:8: server '[::ffff:10.0.0.1]:1' is that of line 7 again\n"
	    "t:9: server 'y' is that of line 7 again\n"
	    "t:11: server 'unix:/a' is that of line 10 again\n");
}

static void
assert_clash(const char *one, const char *other, bool clash)
{
	char text[512], expected[512] = "";

	snprintf(text, sizeof(text), "[listener a]\nbind = %s\n[listener b]\n"
	    "bind = %s\n" U("x"), one, other);
	if (clash)
		snprintf(expected, sizeof(expected), "t:4: bind '%s' overlaps "
		    "with '%s' at line 2\n", other, one);
	assert_errors(text, expected);
}

static void
assert_clash_both_ways(const char *one, const char *other, bool clash)
{
	assert_clash(one, other, clash);
	assert_clash(other, one, clash);
}

static void
test_binds_that_clash(void **state)
{
	(void)state;
	assert_clash(":80", ":80", true);
	assert_clash("unix:/a", "unix:/a", true);
	assert_clash("systemd:a", "systemd:a", true);
	assert_clash_both_ways(":80", "0.0.0.0:80", true);
	assert_clash_both_ways(":80", "[::]:80", true);
	assert_clash_both_ways("127.0.0.1:80", "[::ffff:127.0.0.1]:80", true);
	assert_clash_both_ways("127.0.0.1:80-90", "127.0.0.1:90-100", true);
	assert_clash_both_ways(":1-1024", "0.0.0.0:1000", true);
}

static void
test_binds_that_do_not(void **state)
{
	(void)state;
	assert_clash(":0", ":0", false);
	assert_clash_both_ways(":80", ":81", false);
	assert_clash_both_ways("0.0.0.0:80", "[::]:80", false);
	assert_clash_both_ways(":80", "127.0.0.1:80", false);
	assert_clash_both_ways("127.0.0.1:80", "127.0.0.2:80", false);
	assert_clash_both_ways("127.0.0.1:80-89", "127.0.0.1:90-100", false);
	assert_clash_both_ways("unix:/a", "unix:/b", false);
	assert_clash_both_ways("unix:/a", ":80", false);
	assert_clash_both_ways("systemd:a", "systemd:b", false);
	assert_clash_both_ways("systemd:a", "unix:/a", false);
	assert_clash_both_ways("systemd:a", ":0", false);
}

static void
test_bind_twice_in_a_listener_and_admin(void **state)
{
	(void)state;
	assert_errors("[listener]\nbind = :80\nbind = :80\n"
	    "bind = 127.0.0.1:81\n[global]\nadmin = 127.0.0.1:81\n" U("x"),
	    "t:3: bind ':80' overlaps with ':80' at line 2\n"
	    "t:4: bind '127.0.0.1:81' overlaps with '127.0.0.1:81' at line "
	    "6\n");
}

static void
assert_own(const char *bind, const char *server, bool own)
{
	char text[512], expected[512] = "";

	snprintf(text, sizeof(text), "[listener a]\nbind = %s\n[upstream]\n"
	    "server = %s\n", bind, server);
	if (own)
		snprintf(expected, sizeof(expected), "t:4: '%s' is where "
		    "[listener a] listens: that would forward to itself\n",
		    server);
	assert_errors(text, expected);
}

static void
test_forward_to_oneself(void **state)
{
	(void)state;
	assert_own("127.0.0.1:80", "127.0.0.1:80", true);
	assert_own("127.0.0.1:80", "127.0.0.1:81", false);
	assert_own("127.0.0.1:80", "127.0.0.2:80", false);
	assert_own("127.0.0.1:80-90", "127.0.0.1:90", true);
	assert_own("127.0.0.1:80-90", "127.0.0.1:91", false);
	assert_own(":80", "127.0.0.1:80", true);
	assert_own(":80", "127.9.9.9:80", true);
	assert_own(":80", "[::1]:80", true);
	assert_own("0.0.0.0:80", "127.0.0.1:80", true);
	assert_own("0.0.0.0:80", "[::1]:80", false);
	assert_own("[::]:80", "[::1]:80", true);
	assert_own("[::]:80", "127.0.0.1:80", false);
	assert_own("127.0.0.1:80", "0.0.0.0:80", true);
	assert_own("[::1]:80", "[::]:80", true);
	assert_own(":80", "192.0.2.1:80", false);
	assert_own(":80", "name:80", false);
	assert_own("unix:/a", "unix:/a", true);
	assert_own("unix:/a", "unix:/b", false);
	assert_own("unix:/a", "127.0.0.1:80", false);
	assert_own("systemd:a", "127.0.0.1:80", false);
	assert_own(":0", "127.0.0.1:80", false);
}

static void
test_forward_to_oneself_by_host(void **state)
{
	(void)state;
	assert_errors("[listener a]\nbind = :80\n[upstream]\nport = 80\n"
	    "host = ::1\n", "t:5: '[::1]:80' is where [listener a] listens: "
	    "that would forward to itself\n");
}

/* Every address of this machine is behind a wildcard. */
static void
test_own_listener_knows_the_interfaces(void **state)
{
	struct config *config = load_right("[listener w]\nbind = :4242\n"
	    U("x"));
	struct ifaddrs *list, *i;
	struct addr addr;
	unsigned seen = 0;

	(void)state;
	assert_int_equal(getifaddrs(&list), 0);
	for (i = list; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL || (i->ifa_addr->sa_family != AF_INET &&
		    i->ifa_addr->sa_family != AF_INET6))
			continue;
		addr_from_sockaddr(&addr, i->ifa_addr,
		    i->ifa_addr->sa_family == AF_INET ?
			sizeof(struct sockaddr_in) :
			sizeof(struct sockaddr_in6));
		addr_set_port(&addr, 4242);
		assert_ptr_equal(config_own_listener(config, &addr),
		    &config->listeners[0]);
		addr_set_port(&addr, 4243);
		assert_null(config_own_listener(config, &addr));
		seen++;
	}
	freeifaddrs(list);
	assert_true(seen > 0);
	config_free(config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_upstream_is_found),
		cmocka_unit_test(test_upstream_is_not_found),
		cmocka_unit_test(test_unused_upstream_is_fine),
		cmocka_unit_test(test_host_or_server),
		cmocka_unit_test(test_wrong_is_not_missing),
		cmocka_unit_test(test_servers_twice),
		cmocka_unit_test(test_binds_that_clash),
		cmocka_unit_test(test_binds_that_do_not),
		cmocka_unit_test(test_bind_twice_in_a_listener_and_admin),
		cmocka_unit_test(test_forward_to_oneself),
		cmocka_unit_test(test_forward_to_oneself_by_host),
		cmocka_unit_test(test_own_listener_knows_the_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
