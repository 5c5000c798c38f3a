/* Options of listening: their values, and what they can be used with. */
#include "support.h"

static const char WRONG_MODE[] = "must be an octal mode from 0001 to 0777, as "
    "in 0660, not";

static struct config *
load_listener(const char *lines)
{
	char text[512];

	snprintf(text, sizeof(text), "[listener]\nbind = :1\nbind = unix:/a\n"
	    "%s\n[upstream]\nhost = h\nport = 1\n", lines);
	return load_right(text);
}

static void
assert_mode(const char *text, unsigned expected)
{
	char line[64];
	struct config *config;

	snprintf(line, sizeof(line), "socket_mode = %s", text);
	config = load_listener(line);
	assert_int_equal(config->listeners[0].socket_mode, expected);
	config_free(config);
}

static void
test_modes(void **state)
{
	static const char *const wrong[] = { "0", "000", "0888", "1777", "07777",
		"00660", "rw", "-1", "0x1ff", "66O" };
	char line[64], expected[128];

	(void)state;
	assert_mode("0660", 0660);
	assert_mode("660", 0660);
	assert_mode("0777", 0777);
	assert_mode("2", 02);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(line, sizeof(line), "socket_mode = %s", wrong[i]);
		snprintf(expected, sizeof(expected), "socket_mode %s '%s'",
		    WRONG_MODE, wrong[i]);
		assert_line("listener", line, expected);
	}
}

static void
assert_owner(const char *text, const char *user, const char *group)
{
	char line[64];
	struct config *config;
	const struct owner_conf *owner;

	snprintf(line, sizeof(line), "socket_owner = %s", text);
	config = load_listener(line);
	owner = &config->listeners[0].socket_owner;
	assert_string_equal(owner->user != NULL ? owner->user : "-", user);
	assert_string_equal(owner->group != NULL ? owner->group : "-", group);
	config_free(config);
}

static void
test_owners(void **state)
{
	(void)state;
	assert_owner("www", "www", "-");
	assert_owner("www:web", "www", "web");
	assert_owner(":web", "-", "web");
	assert_owner("1000:1001", "1000", "1001");
	assert_line("listener", "socket_owner = www:", "socket_owner must be "
	    "USER, USER:GROUP or :GROUP, not 'www:'");
	assert_line("listener", "socket_owner = :", "socket_owner must be "
	    "USER, USER:GROUP or :GROUP, not ':'");
	assert_line("listener", "socket_owner = a:b:c", "socket_owner must be "
	    "USER, USER:GROUP or :GROUP, not 'a:b:c'");
}

static void
test_interfaces(void **state)
{
	static const char *const wrong[] = { "a b", "..", ".", "eth0:1", "a/b",
		"abcdefghijklmnop" };
	char line[64], expected[160];

	(void)state;
	assert_line("listener", "interface = abcdefghijklmno", "");
	assert_line("listener", "interface = br-1.7@x", "");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(line, sizeof(line), "interface = %s", wrong[i]);
		snprintf(expected, sizeof(expected), "interface must be the "
		    "name of a network interface, as in eth0, not '%s'",
		    wrong[i]);
		assert_line("listener", line, expected);
	}
}

static void
test_several_interfaces(void **state)
{
	(void)state;
	assert_line("listener", "interface = lo,eth0", "interface is one, not "
	    "'lo,eth0': write a listener for each");
	assert_line("listener", "interface = *", "interface is one by its "
	    "name, not '*': leave it out for all");
}

static void
test_defer_accept(void **state)
{
	(void)state;
	assert_line("listener", "defer_accept = off", "");
	assert_line("listener", "defer_accept = 5s", "");
	assert_line("listener", "defer_accept = 500ms", "defer_accept must be "
	    "off or whole seconds from 1s to 10m, not '500ms'");
	assert_line("listener", "defer_accept = on", "defer_accept: 'on' is "
	    "not in whole seconds: write 5s or 1m");
	assert_line("listener", "defer_accept = 5", "defer_accept: 5 what? "
	    "write 5s");
}

static void
test_bandwidth(void **state)
{
	struct config *config = load_listener("bandwidth_to_client = 1M\n");

	(void)state;
	assert_int_equal(config->listeners[0].bandwidth_to_client, 1 << 20);
	assert_int_equal(config->listeners[0].bandwidth_to_upstream, 0);
	config_free(config);
	assert_line("listener", "bandwidth_to_client = 100G", "");
	assert_line("listener", "bandwidth_to_client = 1000",
	    "bandwidth_to_client must be off or a size from 1k to 100G, not "
	    "'1000'");
}

static void
test_source_client(void **state)
{
	struct config *config = load_right("[upstream]\nhost = h\nport = 1\n"
	    "source = client\n[listener]\nbind = :1\n");

	(void)state;
	assert_true(config->upstreams[0].source_client);
	assert_int_equal(config->upstreams[0].nsources, 0);
	config_free(config);
	assert_errors("[listener]\nbind = :1\n[upstream]\nhost = h\nport = 1\n"
	    "source = 10.0.0.1\nsource = client\n",
	    "t:7: source = client is the only one, or none\n");
	assert_errors("[listener]\nbind = :1\n[upstream]\nhost = h\nport = 1\n"
	    "source = client\nsource = 10.0.0.1\n",
	    "t:7: source '10.0.0.1' cannot be used beside 'client'\n");
}

/* What no bind of the listener can have, each on its own line. */
static void
test_no_bind_that_fits(void **state)
{
	(void)state;
	assert_errors("[listener]\nbind = unix:/a\ninterface = lo\n"
	    "freebind = on\ntransparent = on\nfast_open = on\n"
	    "defer_accept = 1s\nmptcp = on\n[upstream]\nhost = h\nport = 1\n",
	    "t:3: interface needs a bind to ADDR:PORT, and [listener default] "
	    "has none\n"
	    "t:4: freebind needs a bind to ADDR:PORT, and [listener default] "
	    "has none\n"
	    "t:5: transparent needs a bind to ADDR:PORT, and [listener "
	    "default] has none\n"
	    "t:6: fast_open needs a bind to ADDR:PORT, and [listener default] "
	    "has none\n"
	    "t:7: defer_accept needs a bind to ADDR:PORT, and [listener "
	    "default] has none\n"
	    "t:8: mptcp needs a bind to ADDR:PORT, and [listener default] has "
	    "none\n");
	assert_errors("[listener]\nbind = :1\nbind = unix:@a\n"
	    "socket_mode = 0600\nsocket_owner = a\n"
	    "[upstream]\nhost = h\nport = 1\n",
	    "t:4: socket_mode needs a bind to unix:PATH, and [listener "
	    "default] has none\n"
	    "t:5: socket_owner needs a bind to unix:PATH, and [listener "
	    "default] has none\n");
	assert_errors("[listener]\nbind = unix:/a\nfreebind = off\n"
	    "defer_accept = off\nmptcp = no\n"
	    "[upstream]\nhost = h\nport = 1\n", "");
}

/* Those of [defaults] are for those they fit. */
static void
test_defaults_that_do_not_fit(void **state)
{
	struct config *config = load_right("[defaults]\nfreebind = on\n"
	    "interface = lo\nsocket_mode = 0600\nsocket_owner = a:b\n"
	    "[listener a]\nbind = unix:/a\n[listener b]\nbind = :1\n"
	    "[upstream]\nhost = h\nport = 1\n");
	const struct listener_conf *a = &config->listeners[0], *b = a + 1;

	(void)state;
	assert_true(a->socket_mode == 0600 && a->socket_owner.group != NULL);
	assert_true(!a->freebind && a->interface == NULL);
	assert_true(b->freebind && b->interface != NULL);
	assert_true(b->socket_mode == 0 && b->socket_owner.user == NULL);
	config_free(config);
}

/* The kernel lets a port be bound once for each interface. */
static void
test_interfaces_and_overlaps(void **state)
{
	(void)state;
	assert_errors("[listener a]\nbind = :1\ninterface = eth0\n"
	    "[listener b]\nbind = :1\ninterface = eth1\n"
	    "[upstream]\nhost = h\nport = 1\n", "");
	assert_errors("[listener a]\nbind = :1\ninterface = eth0\n"
	    "[listener b]\nbind = :1\ninterface = eth0\n"
	    "[upstream]\nhost = h\nport = 1\n",
	    "t:5: bind ':1' overlaps with ':1' at line 2\n");
	assert_errors("[listener a]\nbind = :1\ninterface = eth0\n"
	    "[listener b]\nbind = :1\n[upstream]\nhost = h\nport = 1\n",
	    "t:5: bind ':1' overlaps with ':1' at line 2\n");
}

/* What we send to an address of ours comes in by the loopback. */
static void
test_interfaces_and_loops(void **state)
{
	(void)state;
	assert_errors("[listener]\nbind = :80\ninterface = eth0\n"
	    "[upstream]\nserver = 127.0.0.1:80\n", "");
	assert_errors("[listener]\nbind = :80\ninterface = lo\n"
	    "[upstream]\nserver = 127.0.0.1:80\n",
	    "t:5: '127.0.0.1:80' is where [listener default] listens: that "
	    "would forward to itself\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_several_interfaces),
		cmocka_unit_test(test_defer_accept),
		cmocka_unit_test(test_bandwidth),
		cmocka_unit_test(test_source_client),
		cmocka_unit_test(test_no_bind_that_fits),
		cmocka_unit_test(test_defaults_that_do_not_fit),
		cmocka_unit_test(test_interfaces_and_overlaps),
		cmocka_unit_test(test_interfaces_and_loops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
