/* allow and deny: from lines to who may come in. */
#include "support.h"

#include "base/prefix_map.h"

#include <unistd.h>

#define LISTENER(lines) "[listener]\nbind = :1\n" lines \
	"[upstream]\nhost = h\nport = 1\n"

/* Which rule holds for the client, from 1; 0: none. */
static size_t
rule_of(const struct access_conf *access, const char *ip)
{
	struct addr addr;
	struct peer peer = { .family = AF_UNIX };
	uint32_t found;

	if (*ip != '\0') {
		assert_int_equal(addr_from_ip(&addr, ip, 0), 0);
		peer_from_sockaddr(&peer, &addr.sa);
	}
	found = prefix_map_find(access->map, &peer);
	return found == PREFIX_MAP_NONE ? 0 : access->ranges[found].rule + 1u;
}

static void
both_keys_are_one_list(void **state)
{
	struct config *config = load_right(LISTENER("deny = 10.0.0.1\n"
	    "allow = 10.0.0.0/8\ndeny = unix\ndeny = 2001:db8::/32\n"));
	const struct access_conf *access = &config->listeners[0].access;

	(void)state;
	assert_int_equal(access->nrules, 4);
	assert_int_equal(access->nranges, 4);
	assert_false(access->rest);
	assert_false(access->rules[0].allow);
	assert_true(access->rules[1].allow);
	assert_string_equal(access->rules[1].text, "10.0.0.0/8");
	assert_int_equal(access->rules[1].origin.line, 4);
	assert_int_equal(rule_of(access, "10.0.0.1"), 1);
	assert_int_equal(rule_of(access, "10.0.0.2"), 2);
	assert_int_equal(rule_of(access, ""), 3);
	assert_int_equal(rule_of(access, "2001:db8::1"), 4);
	assert_int_equal(rule_of(access, "192.0.2.1"), 0);
	config_free(config);
}

static void
the_rest_depends_on_allow(void **state)
{
	struct config *config;

	(void)state;
	config = load_right(LISTENER("deny = 10.0.0.1\n"));
	assert_true(config->listeners[0].access.rest);
	config_free(config);
	config = load_right(LISTENER(""));
	assert_null(config->listeners[0].access.map);
	config_free(config);
}

/* Either key in a listener replaces both of [defaults]; listeners that take
 * those have one list. */
static void
defaults_are_replaced(void **state)
{
	struct config *config = load_right("[defaults]\nallow = 10.0.0.1\n"
	    "deny = 10.0.0.2\n[listener a]\nbind = :1\n[listener b]\n"
	    "bind = :2\ndeny = unix\n[listener c]\nbind = :3\n"
	    "[upstream]\nhost = h\nport = 1\n");
	const struct listener_conf *l = config->listeners;

	(void)state;
	assert_int_equal(l[0].access.nrules, 2);
	assert_int_equal(l[0].access.rules[1].origin.kind, ORIGIN_DEFAULTS);
	assert_int_equal(l[1].access.nrules, 1);
	assert_string_equal(l[1].access.rules[0].text, "unix");
	assert_true(l[1].access.rest);
	assert_ptr_equal(l[2].access.map, l[0].access.map);
	assert_ptr_not_equal(l[1].access.map, l[0].access.map);
	config_free(config);
}

static void
wrong_lines(void **state)
{
	(void)state;
	assert_line("listener", "deny = /etc/list", "deny '/etc/list': write "
	    "file: before a path");
	assert_line("listener", "deny = file:",
	    "deny needs a path behind file:");
	assert_line("listener", "deny = file:/etc/passwd",
	    "file: is for files");
	assert_line("listener", "allow =", "allow needs a value");
	assert_line("listener", "deny_action = hang",
	    "deny_action must be reset, close or drop, not 'hang'");
	assert_errors("[global]\nallow = all\n" REST, "t:2: 'allow' belongs in "
	    "[listener] or [defaults], not in [global]\n");
}

/* Each as 'deny' has it; it says what was meant. */
static void
what_is_no_range(void **state)
{
	static const struct {
		const char *text, *wrong;
	} rows[] = {
		{ "10.0.0.1/8", "has bits behind its range: write 10.0.0.0/8 "
		    "or 10.0.0.1" },
		{ "2001:db8::1/32", "has bits behind its range: write "
		    "2001:db8::/32 or 2001:db8::1" },
		{ "::ffff:10.0.0.1/104", "has bits behind its range: write "
		    "10.0.0.0/8 or 10.0.0.1" },
		{ "0.0.0.0", "is no client's: everybody is 'all'" },
		{ "::", "is no client's: everybody is 'all'" },
		{ "any", "is no range: write all" },
		{ "ALL", "is no range: write all" },
		{ "*", "is no range: write all" },
		{ "10.0.0.0/33", "has more bits than an address: at most /32" },
		{ "::/129", "has more bits than an address: at most /128" },
		{ "::ffff:10.0.0.0/8", "has fewer bits than ::ffff: at least "
		    "/96" },
		{ "10.0.0.0/255.0.0.0", "has a mask: write /8" },
		{ "10.0.0.1/255.255.255.255", "has a mask: write /32" },
		{ "10.0.0.0/0.0.0.255", "needs a number of bits behind '/', "
		    "as in 10.0.0.0/8" },
		{ "10.0.0.0/", "needs a number of bits behind '/', as in "
		    "10.0.0.0/8" },
		{ "[::1]", "is written without brackets" },
		{ "[2001:db8::]/32", "is written without brackets" },
		{ "10.0.0.1, 10.0.0.2", "is more than one: write one a line" },
		{ "10.0.0.1 10.0.0.2", "is more than one: write one a line" },
		{ "10.0.0.1-10.0.0.9", "is no range: no FIRST-LAST; write "
		    "ranges as ADDR/BITS" },
		{ "10.0.0.1:80", "has a port: addresses only" },
		{ "example.com", "is a name: addresses only, no names" },
		{ "10.0.0", "is neither an address nor a range as in "
		    "10.0.0.0/8" },
		{ "h/8", "is neither an address nor a range as in "
		    "10.0.0.0/8" },
	};
	char line[96], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(line, sizeof(line), "deny = %s", rows[i].text);
		snprintf(expected, sizeof(expected), "deny '%s' %s",
		    rows[i].text, rows[i].wrong);
		assert_line("listener", line, expected);
	}
	assert_line("listener", "deny = 10.0.0.1/32", "");
	assert_line("listener", "deny = 0.0.0.0/0", "");
	assert_line("listener", "deny = unix", "");
}

/* What an earlier line of the other key has, whole. */
static void
lines_that_are_never_taken(void **state)
{
	(void)state;
	assert_errors(LISTENER("allow = 127.0.0.0/8\n"
	    "deny = 127.9.0.0/16\nallow = 127.9.1.1\ndeny = 126.0.0.0/7\n"
	    "deny = unix\nallow = all\ndeny = ::1\n"),
	    "t:4: deny 127.9.0.0/16 is never taken: allow 127.0.0.0/8 at line "
	    "3 comes first\n"
	    "t:9: deny ::1 is never taken: allow all at line 8 comes first\n");
	assert_errors(LISTENER("deny = all\nallow = 1.2.3.4\n"
	    "allow = unix\n"),
	    "t:4: allow 1.2.3.4 is never taken: deny all at line 3 comes "
	    "first\n"
	    "t:5: allow unix is never taken: deny all at line 3 comes "
	    "first\n");
	assert_errors(LISTENER("deny = 10.0.0.0/8\ndeny = 10.1.0.0/16\n"
	    "allow = 0.0.0.0/0\nallow = all\n"), "");
	assert_errors("[defaults]\ndeny = all\nallow = ::1\n"
	    "[listener a]\nbind = :1\n[listener b]\nbind = :2\n"
	    "[upstream]\nhost = h\nport = 1\n",
	    "t:3: allow ::1 is never taken: deny all at line 2 comes "
	    "first\n");
}

static void
rates(void **state)
{
	static const char form[] = "must be off or a number from 1 to 1000000 "
	    "in a second, a minute or an hour, as in 100/s, 600/m or 10/h, not";
	static const char *const wrong[] = { "/s", "100/", "100/d",
		"100 / s", "1.5/s", "0/s", "1000001/s", "-1/s", "100/s/s",
		"100/ms", "11111111111111111111111111111111111/s",
		"1000001" };
	char line[96], expected[256];
	struct config *config = load_right(LISTENER("session_rate = 600/m\n"
	    "session_rate_per_client = 10/h\n"));
	const struct listener_conf *l = &config->listeners[0];

	(void)state;
	assert_int_equal(l->session_rate.count, 600);
	assert_int_equal(l->session_rate.per, 60000);
	assert_int_equal(l->session_rate_per_client.count, 10);
	assert_int_equal(l->session_rate_per_client.per, 3600000);
	assert_int_equal(l->client_ipv6_prefix, 128);
	config_free(config);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(line, sizeof(line), "session_rate = %s", wrong[i]);
		snprintf(expected, sizeof(expected), "session_rate %s '%s'",
		    form, wrong[i]);
		assert_line("listener", line, expected);
	}
	assert_line("listener", "session_rate = off", "");
	assert_line("listener", "session_rate = 0", "");
	assert_line("listener", "session_rate = 100", "session_rate: 100 "
	    "what? write 100/s");
	assert_line("listener", "client_ipv6_prefix = 129",
	    "client_ipv6_prefix must be a number from 1 to 128, not '129'");
	assert_line("listener", "client_ipv6_prefix = 0",
	    "client_ipv6_prefix must be a number from 1 to 128, not '0'");
}

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* The lowest descriptor that nobody has. */
static int
next_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

/* A relative path starts at the folder of the file that the line stands in;
 * --set replaces both keys; and the line of a range is known. */
static void
files(void **state)
{
	char dir[] = "/tmp/test_access_XXXXXX", ini[64], list[64], sub[64];
	static const char *const sets[] = { "listener.b.deny=10.9.0.0/16",
		NULL };
	struct config_errors errors;
	struct config_source source = { .path = ini, .sets = sets };
	struct config *config;
	const struct access_conf *a;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(ini, sizeof(ini), "%s/main.ini", dir);
	snprintf(list, sizeof(list), "%s/list", dir);
	snprintf(sub, sizeof(sub), "%s/more.ini", dir);
	write_file(ini, "[global]\ninclude = more.ini\n" LISTENER(
	    "deny = file:list\nallow = 10.0.0.0/8\n"));
	write_file(sub, "[listener b]\nbind = :2\nallow = file:list\n");
	write_file(list, "# a list\n10.1.0.0/16 # one\n\n10.2.0.0/16");
	fd = next_fd();
	config = config_load(&source, &errors);
	assert_non_null(config);
	assert_int_equal(next_fd(), fd);
	a = &config->listeners[0].access;
	assert_int_equal(a->nrules, 2);
	assert_int_equal(a->nranges, 3);
	assert_int_equal(a->ranges[1].line, 4);
	assert_int_equal(rule_of(a, "10.2.3.4"), 1);
	assert_int_equal(rule_of(a, "10.3.3.4"), 2);
	a = &config->listeners[1].access;
	assert_int_equal(a->nrules, 1);
	assert_false(a->rules[0].allow);
	assert_int_equal(rule_of(a, "10.9.3.4"), 1);
	config_free(config);
	config_errors_free(&errors);
	unlink(ini);
	unlink(sub);
	unlink(list);
	assert_int_equal(rmdir(dir), 0);
}

/* Who has forgotten the rest of it is told; [defaults] is for those it fits. */
static void
an_action_is_for_who_is_denied(void **state)
{
	struct config *config;

	(void)state;
	assert_errors(LISTENER("deny_action = drop\n"), "t:3: deny_action is "
	    "for clients that allow and deny keep out, and [listener default] "
	    "has neither\n");
	assert_errors(LISTENER("deny_action = reset\n"), "");
	assert_errors(LISTENER("deny_action = drop\nallow = 10.0.0.0/8\n"),
	    "");
	config = load_right("[defaults]\ndeny_action = close\n"
	    "[listener a]\nbind = :2\ndeny = 10.0.0.0/8\n" LISTENER(""));
	assert_int_equal(config->listeners[0].deny_action, DENY_CLOSE);
	assert_int_equal(config->listeners[1].deny_action, DENY_RESET);
	config_free(config);
}

/* Nobody is in an allow of nothing; a line of a list may be never taken. */
static void
empty_files(void **state)
{
	char dir[] = "/tmp/test_access_XXXXXX", ini[64], list[64], error[256];
	struct config_source source = { .path = ini };

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(ini, sizeof(ini), "%s/main.ini", dir);
	snprintf(list, sizeof(list), "%s/list", dir);
	write_file(list, "# nothing\n\n");
	write_file(ini, LISTENER("deny = file:list\n"));
	assert_source_errors(&source, "");
	write_file(ini, LISTENER("allow = file:list\n"));
	snprintf(error, sizeof(error), "%s:3: allow 'file:list': has no "
	    "ranges: nobody could come in\n", ini);
	assert_source_errors(&source, error);
	write_file(list, "10.0.0.1/8\n");
	snprintf(error, sizeof(error), "%s:1: '10.0.0.1/8' has bits behind "
	    "its range: write 10.0.0.0/8 or 10.0.0.1\n", list);
	assert_source_errors(&source, error);
	write_file(list, "0.0.0.0/0\n10.0.0.0/8\n");
	write_file(ini, LISTENER("allow = file:list\ndeny = 10.0.0.1\n"
	    "allow = file:list\n"));
	assert_source_errors(&source, "");
	unlink(ini);
	unlink(list);
	assert_int_equal(rmdir(dir), 0);
}

/* What is given at places that differ in one thing is never taken for one list:
 * line 3 of a file, line 3 of another one, and the third --set. */
static void
lists_of_other_places_are_others(void **state)
{
	char dir[] = "/tmp/test_access_XXXXXX", ini[64], sub[64];
	static const char *const sets[] = { "global.workers=1",
		"global.workers=2", "listener.c.deny=10.0.0.3", NULL };
	struct config_errors errors;
	struct config_source source = { .path = ini, .sets = sets };
	struct config *config;
	const struct listener_conf *l;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(ini, sizeof(ini), "%s/main.ini", dir);
	snprintf(sub, sizeof(sub), "%s/more.ini", dir);
	write_file(ini, "[listener a]\nbind = :1\ndeny = 10.0.0.1\n"
	    "[listener c]\nbind = :3\n[global]\ninclude = more.ini\n"
	    "[upstream]\nhost = h\nport = 1\n");
	write_file(sub, "[listener b]\nbind = :2\ndeny = 10.0.0.2\n");
	config = config_load(&source, &errors);
	assert_non_null(config);
	assert_int_equal(config->nlisteners, 3);
	l = config->listeners;
	for (size_t i = 0; i < 3; i++) {
		size_t last = (size_t)(l[i].name[0] - 'a') + 1;

		for (size_t j = 1; j <= 3; j++) {
			char ip[16];

			snprintf(ip, sizeof(ip), "10.0.0.%zu", j);
			assert_int_equal(rule_of(&l[i].access, ip), j == last);
		}
	}
	config_free(config);
	config_errors_free(&errors);
	unlink(ini);
	unlink(sub);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_keys_are_one_list),
		cmocka_unit_test(the_rest_depends_on_allow),
		cmocka_unit_test(defaults_are_replaced),
		cmocka_unit_test(wrong_lines),
		cmocka_unit_test(an_action_is_for_who_is_denied),
		cmocka_unit_test(what_is_no_range),
		cmocka_unit_test(lines_that_are_never_taken),
		cmocka_unit_test(rates),
		cmocka_unit_test(files),
		cmocka_unit_test(lists_of_other_places_are_others),
		cmocka_unit_test(empty_files),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
