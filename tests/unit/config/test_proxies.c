#include "support.h"

#define L(keys) "[listener a]\nbind = :0\n" keys "[upstream]\nserver = h:1\n"

static bool
believes(const struct listener_conf *listener, const char *ip)
{
	struct addr addr;
	struct peer peer;

	assert_int_equal(addr_from_ip(&addr, ip, 1), 0);
	peer_from_sockaddr(&peer, &addr.sa);
	return prefix_map_find(listener->proxy_map, &peer) != PREFIX_MAP_NONE;
}

static void
nobody_sends_headers(void **state)
{
	struct config *config = load_right(L(""));

	(void)state;
	assert_int_equal(config->listeners->accept_proxy, ACCEPT_PROXY_OFF);
	assert_null(config->listeners->proxy_map);
	assert_int_equal(config->upstreams->send_proxy, SEND_PROXY_OFF);
	config_free(config);
}

static void
those_of_the_list_are_believed(void **state)
{
	struct config *config = load_right(L("accept_proxy = require\n"
	    "accept_proxy_from = 10.0.0.0/8\naccept_proxy_from = ::1\n"
	    "accept_proxy_from = unix\n"));
	const struct listener_conf *listener = config->listeners;

	(void)state;
	assert_int_equal(listener->accept_proxy, ACCEPT_PROXY_REQUIRE);
	assert_true(believes(listener, "10.1.2.3"));
	assert_true(believes(listener, "::1"));
	assert_false(believes(listener, "11.0.0.1"));
	assert_false(believes(listener, "::2"));
	assert_int_not_equal(prefix_map_find(listener->proxy_map,
	    &(struct peer){ .family = AF_UNIX }), PREFIX_MAP_NONE);
	config_free(config);
}

static void
a_list_of_the_defaults_is_replaced(void **state)
{
	struct config *config = load_right("[defaults]\n"
	    "accept_proxy_from = 10.0.0.0/8\naccept_proxy = optional\n"
	    L("accept_proxy_from = ::1\n"));

	(void)state;
	assert_int_equal(config->listeners->accept_proxy,
	    ACCEPT_PROXY_OPTIONAL);
	assert_true(believes(config->listeners, "::1"));
	assert_false(believes(config->listeners, "10.1.2.3"));
	config_free(config);
}

static void
what_is_wrong(void **state)
{
	(void)state;
	assert_line("listener", "accept_proxy = on", "accept_proxy must be "
	    "off, require or optional, not 'on'");
	assert_line("listener", "accept_proxy_from = lb1", "accept_proxy_from "
	    "'lb1' is a name: addresses only, no names");
	assert_line("listener", "accept_proxy_from = 10.0.0.0/33",
	    "accept_proxy_from '10.0.0.0/33' has more bits than an address: "
	    "at most /32");
	assert_line("listener", "accept_proxy_from = all",
	    "accept_proxy_from 'all' is no range: write 0.0.0.0/0 and ::/0");
	assert_line("listener", "accept_proxy_from = 10.0.0.1/8",
	    "accept_proxy_from '10.0.0.1/8' has bits behind its range: write "
	    "10.0.0.0/8 or 10.0.0.1");
	assert_line("upstream", "send_proxy = on", "send_proxy must be off, "
	    "v1 or v2, not 'on'");
	assert_line("listener", "greeting_timeout = off",
	    "greeting_timeout: 'off' is not a duration: write 200ms, 5s, "
	    "10m, 24h or 7d");
}

static void
optional_needs_a_list(void **state)
{
	(void)state;
	assert_errors(L("accept_proxy = optional\n"), "t:3: accept_proxy "
	    "optional would believe whoever sends a header: name the proxies "
	    "in front, as 'accept_proxy_from = 10.0.0.0/8'\n");
	assert_errors(L("accept_proxy = optional\naccept_proxy_from = x\n"),
	    "t:4: accept_proxy_from 'x' is a name: addresses only, no "
	    "names\n");
}

/* Every address of a family is no list of proxies. */
static void
optional_needs_fewer_than_all(void **state)
{
	static const char error[] = "accept_proxy optional would believe "
	    "whoever sends a header: name the proxies in front, as "
	    "'accept_proxy_from = 10.0.0.0/8'";
	char expected[512];

	(void)state;
	snprintf(expected, sizeof(expected), "t:4: %s\nt:6: %s\n", error,
	    error);
	assert_errors(L("accept_proxy = optional\n"
	    "accept_proxy_from = 0.0.0.0/0\naccept_proxy_from = unix\n"
	    "accept_proxy_from = ::/0\n"), expected);
	assert_errors(L("accept_proxy = require\n"
	    "accept_proxy_from = ::/0\n"), "");
	assert_errors(L("accept_proxy = optional\n"
	    "accept_proxy_from = unix\n"), "");
}

/* Who forgets to turn it on would wonder why nobody is believed. */
static void
a_list_is_for_who_accepts_headers(void **state)
{
	(void)state;
	assert_errors(L("accept_proxy_from = 10.0.0.0/8\n"),
	    "t:3: accept_proxy_from is not looked at without 'accept_proxy = "
	    "require' or 'optional'\n");
	assert_errors(L("accept_proxy_from = 10.0.0.0/8\n"
	    "accept_proxy = off\n"), "");
	assert_errors("[defaults]\naccept_proxy_from = 10.0.0.0/8\n" L(""),
	    "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_sends_headers),
		cmocka_unit_test(those_of_the_list_are_believed),
		cmocka_unit_test(a_list_of_the_defaults_is_replaced),
		cmocka_unit_test(what_is_wrong),
		cmocka_unit_test(optional_needs_a_list),
		cmocka_unit_test(a_list_is_for_who_accepts_headers),
		cmocka_unit_test(optional_needs_fewer_than_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
