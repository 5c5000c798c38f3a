#include "support.h"

#include "config/route.h"

#define HEAD  "[listener]\nbind = :1\nupstream = main\n"
#define U(name) "[upstream " name "]\nhost = h\nport = 1\n"
#define TAIL  U("main") U("a") U("b")

static const struct routes *
routes_of(const struct config *config)
{
	return &config->listeners[0].routes;
}

static struct client_hello
hello(const char *sni, const char *alpn)
{
	struct client_hello h = { 0 };

	strcpy(h.sni, sni);
	h.named = client_hello_is_name(sni, strlen(sni));
	h.alpn_len = (uint16_t)strlen(alpn);
	memcpy(h.alpn, alpn, h.alpn_len);
	return h;
}

static size_t
found(const struct config *config, const char *sni, const char *alpn)
{
	struct client_hello h = hello(sni, alpn);

	return routes_by_hello(routes_of(config), &h);
}

static size_t
client(const struct config *config, const char *ip)
{
	struct peer peer = { .family = AF_UNIX };
	struct addr addr;

	if (*ip != '\0') {
		assert_int_equal(addr_from_ip(&addr, ip, 5050), 0);
		peer_from_sockaddr(&peer, &addr.sa);
	}
	return routes_by_client(routes_of(config), &peer);
}

static void
nothing_is_matched_by_no_rules(void **state)
{
	struct config *config = load_right(HEAD TAIL);

	(void)state;
	assert_int_equal(routes_of(config)->count, 0);
	assert_int_equal(client(config, "192.0.2.1"), 0);
	config_free(config);
}

static void
rules_match(void **state)
{
	struct config *config = load_right(HEAD
	    "route = sni DB.Example -> a\n"
	    "route = client 10.0.0.0/8 -> b\n"
	    "route = sni *.example.com -> b\n"
	    "route = alpn h2 -> b\n"
	    "route = client unix -> a\n" TAIL);

	(void)state;
	assert_int_equal(routes_of(config)->count, 5);
	assert_int_equal(routes_of(config)->first_hello, 0);
	assert_string_equal(routes_of(config)->rules[0].text, "db.example");
	assert_string_equal(routes_of(config)->rules[0].upstream->name, "a");
	assert_int_equal(found(config, "db.example", ""), 0);
	assert_int_equal(found(config, "xdb.example", ""), 5);
	assert_int_equal(found(config, "db.example.com", ""), 2);
	assert_int_equal(found(config, "a.db.example.com", ""), 5);
	assert_int_equal(found(config, "example.com", ""), 5);
	assert_int_equal(found(config, "*.example.com", ""), 5);
	assert_int_equal(found(config, ".example.com", ""), 5);
	assert_int_equal(found(config, "", ""), 5);
	assert_int_equal(found(config, "other.example", "\002h2"), 3);
	assert_int_equal(found(config, "db.example", "\002h2"), 0);
	assert_int_equal(found(config, "", "\010http/1.1\002h2"), 3);
	assert_int_equal(found(config, "", "\002H2\001h\003h2c"), 5);
	/* each kind has names of its own */
	assert_int_equal(found(config, "h2", "\012db.example"), 5);
	assert_int_equal(client(config, "10.1.2.3"), 1);
	assert_int_equal(client(config, "11.1.2.3"), 5);
	assert_int_equal(client(config, ""), 4);
	config_free(config);
}

static void
the_first_of_the_file_wins(void **state)
{
	struct config *config = load_right(HEAD
	    "route = client 192.0.2.7 -> a\n"
	    "route = alpn h2 -> a\n"
	    "route = sni db.example.com -> a\n"
	    "route = sni *.example.com -> b\n"
	    "route = client 192.0.2.0/24 -> b\n"
	    "route = alpn http/1.1 -> a\n" TAIL);

	(void)state;
	assert_int_equal(routes_of(config)->first_hello, 1);
	assert_int_equal(found(config, "db.example.com", ""), 2);
	assert_int_equal(found(config, "x.example.com", ""), 3);
	assert_int_equal(found(config, "x.example.com", "\002h2"), 1);
	assert_int_equal(found(config, "x.example.com", "\010http/1.1"), 3);
	assert_int_equal(found(config, "", "\010http/1.1\002h2"), 1);
	assert_int_equal(client(config, "192.0.2.7"), 0);
	assert_int_equal(client(config, "192.0.2.8"), 4);
	config_free(config);
}

/* Whatever place of the table it falls on, and however far behind the end of a
 * rule's text its own is. */
static void
a_protocol_with_a_nul_is_another(void **state)
{
	struct config *config = load_right(HEAD
	    "route = alpn h2 -> a\n" TAIL);
	struct client_hello h = { 0 };

	(void)state;
	for (unsigned len = 3; len < 255; len++) {
		memcpy(h.alpn, (char[]){ (char)len, 'h', '2', '\0' }, 4);
		h.alpn_len = (uint16_t)(1 + len);
		assert_int_equal(routes_by_hello(routes_of(config), &h), 1);
	}
	config_free(config);
}

/* Whatever places of the table its beginnings fall on. */
static void
the_beginning_of_a_name_is_another(void **state)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz0123456789-"
	    "abcdefghijklmnopqrstuvwxy.abcdefghijklmnopqrstuvwxyz0123456789-"
	    "abcdefghijklmnopqrstuvwxyz";
	char text[512], part[sizeof(name)];
	struct config *config;

	(void)state;
	snprintf(text, sizeof(text), HEAD "route = sni %s -> a\n" TAIL, name);
	config = load_right(text);
	assert_int_equal(found(config, name, ""), 0);
	for (size_t len = 1; len < sizeof(name) - 1; len++) {
		snprintf(part, len + 1, "%s", name);
		assert_int_equal(found(config, part, ""), 1);
	}
	config_free(config);
}

/* However many rules there are, what is in none of them is missed. */
static void
any_number_has_an_end(void **state)
{
	char text[4096];

	(void)state;
	for (size_t count = 1; count <= 40; count++) {
		struct config *config;
		char *end = stpcpy(text, HEAD);

		for (size_t i = 0; i < count; i++)
			end += sprintf(end, "route = sni host%02zu -> a\n", i);
		strcpy(end, TAIL);
		config = load_right(text);
		assert_int_equal(found(config, "host00", ""), 0);
		assert_int_equal(found(config, "nohost", ""), count);
		config_free(config);
	}
}

/* Wherever in the table the protocol of that name would be: now and then where
 * the name is. */
static void
a_protocol_is_no_name(void **state)
{
	char text[256], name[16];

	(void)state;
	for (size_t i = 10; i < 100; i++) {
		struct config *config;

		snprintf(text, sizeof(text), HEAD
		    "route = sni name%zu.example -> a\n" TAIL, i);
		snprintf(name, sizeof(name), "\016name%zu.example", i);
		config = load_right(text);
		assert_int_equal(found(config, name + 1, ""), 0);
		assert_int_equal(found(config, "", name), 1);
		config_free(config);
	}
}

static void
addresses_alone_hear_nobody(void **state)
{
	struct config *config = load_right(HEAD
	    "route = client 10.0.0.0/8 -> a\n"
	    "route = client ::/0 -> b\n" TAIL);

	(void)state;
	assert_int_equal(routes_of(config)->first_hello, 2);
	config_free(config);
}

static void
what_is_wrong_is_said(void **state)
{
	(void)state;
	assert_errors(HEAD
	    "route = sni db.example.com -> c\n"
	    "route = sni db.example.org -> mian\n"
	    "route = snii db -> a\n"
	    "route = path / -> a\n"
	    "route = sni db a\n"
	    "route = sni db ->\n"
	    "route = sni\n"
	    "route = sni db -> a b\n"
	    "route = client 10.0.0.0/33 -> a\n"
	    "route = client db.example -> a\n"
	    "route = sni 192.0.2.1 -> a\n"
	    "route = sni ::1 -> a\n"
	    "route = sni db.example. -> a\n"
	    "route = sni db.example:443 -> a\n"
	    "route = sni a.*.example -> a\n"
	    "route = sni * -> a\n"
	    "route = sni b\303\274cher.example -> a\n"
	    "route = sni a..b -> a\n"
	    "route = sni db.example->a\n"
	    "route = sni db.example ->a\n"
	    "route = alpn h2,http/1.1 -> a\n"
	    "route = sni a.example,b.example -> a\n" TAIL,
	    "t:4: there is no [upstream c]\n"
	    "t:5: there is no [upstream mian]; did you mean 'main'?\n"
	    "t:6: route: unknown 'snii'; did you mean 'sni'?\n"
	    "t:7: route: unknown 'path'; there are sni, alpn and client\n"
	    "t:8: route must be sni HOST -> UPSTREAM, alpn NAME -> UPSTREAM "
	    "or client CIDR -> UPSTREAM, not 'sni db a'\n"
	    "t:9: route must be sni HOST -> UPSTREAM, alpn NAME -> UPSTREAM "
	    "or client CIDR -> UPSTREAM, not 'sni db ->'\n"
	    "t:10: route must be sni HOST -> UPSTREAM, alpn NAME -> UPSTREAM "
	    "or client CIDR -> UPSTREAM, not 'sni'\n"
	    "t:11: route must be sni HOST -> UPSTREAM, alpn NAME -> UPSTREAM "
	    "or client CIDR -> UPSTREAM, not 'sni db -> a b'\n"
	    "t:12: route: client '10.0.0.0/33' has more bits than an "
	    "address: at most /32\n"
	    "t:13: route: client 'db.example' is a name: addresses only, no "
	    "names\n"
	    "t:14: route: sni '192.0.2.1' is an address, and clients send "
	    "only names: route by its bind\n"
	    "t:15: route: sni '::1' is an address, and clients send only "
	    "names: route by its bind\n"
	    "t:16: route: sni 'db.example.' must be written without the dot "
	    "at its end, as clients send it\n"
	    "t:17: route: sni 'db.example:443' must be a name without a "
	    "port\n"
	    "t:18: route: sni 'a.*.example' has a '*' that is not its first "
	    "label, as in *.example.com\n"
	    "t:19: route: sni '*' is every name: for all others write "
	    "upstream = NAME\n"
	    "t:20: route: sni 'b\303\274cher.example' is not what clients "
	    "send: write the name as xn--...\n"
	    "t:21: route: sni 'a..b' is not a host name\n"
	    "t:22: route needs blanks around '->', not 'sni db.example->a'\n"
	    "t:23: route needs blanks around '->', not 'sni db.example "
	    "->a'\n"
	    "t:24: route: alpn 'h2,http/1.1' has a comma: one a line, with "
	    "the key again each time\n"
	    "t:25: route: sni 'a.example,b.example' has a comma: one a line, "
	    "with the key again each time\n");
}

static void
rules_that_are_never_taken(void **state)
{
	(void)state;
	assert_errors(HEAD
	    "route = sni *.example.com -> a\n"
	    "route = sni db.example.com -> b\n"
	    "route = sni db.example -> b\n"
	    "route = sni DB.EXAMPLE -> a\n"
	    "route = alpn h2 -> a\n"
	    "route = alpn H2 -> a\n"
	    "route = alpn h2 -> a\n"
	    "route = client 10.0.0.0/16 -> a\n"
	    "route = client 10.0.0.0/8 -> a\n"
	    "route = client 10.9.0.1 -> a\n"
	    "route = client unix -> a\n"
	    "route = client unix -> a\n"
	    "route = client ::/0 -> a\n"
	    "route = client 0.0.0.0/0 -> a\n" TAIL,
	    "t:5: route 'sni db.example.com' is never taken: 'sni "
	    "*.example.com' at line 4 comes first\n"
	    "t:7: route 'sni db.example' is never taken: 'sni db.example' at "
	    "line 6 comes first\n"
	    "t:10: route 'alpn h2' is never taken: 'alpn h2' at line 8 comes "
	    "first\n"
	    "t:13: route 'client 10.9.0.1' is never taken: 'client "
	    "10.0.0.0/8' at line 12 comes first\n"
	    "t:15: route 'client unix' is never taken: 'client unix' at line "
	    "14 comes first\n");
}

/* As one after the other would be asked. */
static void
thousands_are_found(void **state)
{
	enum { RULES = 3000 };
	char *text = calloc(1, 64 * RULES), *end = text, name[64];
	struct config *config;

	(void)state;
	end = stpcpy(end, HEAD);
	for (int i = 0; i < RULES; i++)
		end += sprintf(end, "route = sni %sh%d.example -> %s\n",
		    i % 10 == 9 ? "*." : "", i, i % 2 == 0 ? "a" : "b");
	strcpy(end, TAIL);
	config = load_right(text);
	for (int i = 0; i < RULES; i++) {
		sprintf(name, "%sh%d.example", i % 10 == 9 ? "x." : "", i);
		assert_int_equal(found(config, name, ""), i);
	}
	assert_int_equal(found(config, "h3000.example", ""), RULES);
	config_free(config);
	free(text);
}

static void
rules_are_printed_as_they_are_read(void **state)
{
	static const char rules[] = "route = sni db.example -> a ; line 4\n"
	    "route = alpn http/1.1 -> b ; line 5\n"
	    "route = client 10.0.0.0/8 -> main ; line 6\n"
	    "peek_timeout = 200ms ; line 7\n";
	struct config *config = load_right(HEAD
	    "route = sni\tDB.example   ->  a\n"
	    "route = alpn http/1.1 -> b\n"
	    "route = client 10.0.0.0/8 -> main\n"
	    "peek_timeout = 200ms\n" TAIL);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	config_print(out, config, 0);
	fclose(out);
	assert_non_null(strstr(text, rules));
	assert_int_equal(config->listeners[0].peek_timeout, 200);
	free(text);
	config_free(config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_matched_by_no_rules),
		cmocka_unit_test(rules_match),
		cmocka_unit_test(the_first_of_the_file_wins),
		cmocka_unit_test(a_protocol_with_a_nul_is_another),
		cmocka_unit_test(the_beginning_of_a_name_is_another),
		cmocka_unit_test(any_number_has_an_end),
		cmocka_unit_test(a_protocol_is_no_name),
		cmocka_unit_test(addresses_alone_hear_nobody),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(rules_that_are_never_taken),
		cmocka_unit_test(thousands_are_found),
		cmocka_unit_test(rules_are_printed_as_they_are_read),
	};

	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
