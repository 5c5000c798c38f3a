#include "support.h"

/* One upstream with such a line, behind a line of [global] or without. */
static const char *
text_of(const char *global, const char *upstream)
{
	static char text[1024];

	snprintf(text, sizeof(text), "[global]\n%s\n[listener]\nbind = :1\n"
	    "[upstream]\n%s\n", global, upstream);
	return text;
}

static void
services(void **state)
{
	struct config *config = load_right(text_of("",
	    "server = srv:_pg._tcp.db.test backup\n"
	    "server = srv:_pg._tcp.two.test name=two"));
	const struct server_conf *servers = config->upstreams[0].servers;

	(void)state;
	assert_int_equal(config->upstreams[0].nservers, 2);
	assert_true(servers[0].srv && servers[1].srv);
	assert_string_equal(servers[0].host, "_pg._tcp.db.test");
	assert_string_equal(servers[0].name, "srv:_pg._tcp.db.test");
	assert_int_equal(servers[0].port, 0);
	assert_true(servers[0].backup);
	assert_string_equal(servers[1].name, "two");
	config_free(config);
}

static void
wrong_services(void **state)
{
	static const char *const rows[][2] = {
		{ "srv:", "server 'srv:' needs a name behind 'srv:', as in "
		    "srv:_postgres._tcp.db.internal" },
		{ "srv:10.0.0.1", "server 'srv:10.0.0.1' needs a name behind "
		    "'srv:', as in srv:_postgres._tcp.db.internal" },
		{ "srv:a..b", "server 'srv:a..b' needs a name behind 'srv:', "
		    "as in srv:_postgres._tcp.db.internal" },
		{ "srv:_pg._tcp.a:5432", "server 'srv:_pg._tcp.a:5432' takes "
		    "no port: the SRV records have it" },
		{ "srv:_pg._tcp.a weight=2", "server: weight= is for the SRV "
		    "records of 'srv:_pg._tcp.a' to say" },
	};
	char line[128], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(line, sizeof(line), "server = %s", rows[i][0]);
		snprintf(expected, sizeof(expected), "t:6: %s\n", rows[i][1]);
		assert_errors(text_of("", line), expected);
	}
	assert_errors(text_of("", "server = srv:_a._tcp.b\n"
	    "server = srv:_A._tcp.B"), "t:7: server 'srv:_A._tcp.B' is that of "
	    "line 6 again\n");
}

static void
name_servers(void **state)
{
	static const char *const expected[] = { "192.0.2.1:53",
		"192.0.2.2:5353", "[2001:db8::1]:53", "[2001:db8::2]:54" };
	struct config *config = load_right(text_of("dns_server = 192.0.2.1\n"
	    "dns_server = 192.0.2.2:5353\ndns_server = 2001:db8::1\n"
	    "dns_server = [2001:db8::2]:54", "server = a.test:1"));
	char text[ADDR_TEXT];

	(void)state;
	assert_int_equal(config->global.ndns_servers, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(addr_text(&config->global.dns_servers[i],
		    text), expected[i]);
	config_free(config);
}

static void
wrong_name_servers(void **state)
{
	(void)state;
	assert_errors(text_of("dns_server = ns.test", "server = a.test:1"),
	    "t:2: dns_server 'ns.test' must be a numeric address, as in "
	    "192.0.2.53 or 192.0.2.53:5353\n");
	assert_errors(text_of("dns_server = 192.0.2.1:0",
	    "server = a.test:1"),
	    "t:2: dns_server '192.0.2.1:0' needs a port from 1 to 65535\n");
	assert_errors(text_of("dns_server = unix:/a", "server = a.test:1"),
	    "t:2: dns_server 'unix:/a' must be a numeric address, as in "
	    "192.0.2.53 or 192.0.2.53:5353\n");
}

static void
bounds_of_ttl(void **state)
{
	struct config *config = load_right(text_of("", "server = a.test:1"));

	(void)state;
	assert_int_equal(config->upstreams[0].dns_ttl_min, 1000);
	assert_int_equal(config->upstreams[0].dns_ttl_max, 3600000);
	config_free(config);
	assert_errors(text_of("", "server = a.test:1\ndns_ttl_min = 2m\n"
	    "dns_ttl_max = 1m"), "t:8: dns_ttl_max of [upstream default] is "
	    "less than its dns_ttl_min\n");
	assert_errors(text_of("", "server = a.test:1\ndns_ttl_min = 2h"),
	    "t:7: dns_ttl_max of [upstream default] is less than its "
	    "dns_ttl_min\n");
}

/* Where there is no c-ares, that is said of all of it. */
static void
without_c_ares(void **state)
{
	(void)state;
	assert_errors(text_of("dns_server = 192.0.2.1", "server = a.test:1"),
	    "t:2: dns_server needs c-ares, and this build has none "
	    "(sluice -V)\n");
	assert_errors(text_of("", "server = srv:_a._tcp.b"),
	    "t:6: server 'srv:_a._tcp.b' needs c-ares, and this build has "
	    "none (sluice -V)\n");
}

int
main(void)
{
	static const struct CMUnitTest with[] = {
		cmocka_unit_test(services),
		cmocka_unit_test(wrong_services),
		cmocka_unit_test(name_servers),
		cmocka_unit_test(wrong_name_servers),
		cmocka_unit_test(bounds_of_ttl),
	};
	static const struct CMUnitTest without[] = {
		cmocka_unit_test(without_c_ares),
		cmocka_unit_test(bounds_of_ttl),
	};

	if (SLUICE_CARES)
		return cmocka_run_group_tests_name("dns", with, NULL, NULL);
	return cmocka_run_group_tests_name("dns", without, NULL, NULL);
}
