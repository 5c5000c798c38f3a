/* What inih reads wrongly or in silence (I1 to I9), and what people mistype
 * (catalogue 98 to 100), through the whole of the layer. */
#include "support.h"

#define RIGHT "[listener]\nbind = :1\n[upstream]\nhost = h\nport = 1\n"

static void
test_I1_a_long_line_is_not_cut_in_two(void **state)
{
	char text[4096], expected[256];

	(void)state;
	for (size_t len = 190; len <= 210; len++) {
		snprintf(text, sizeof(text), "[global]\nlog = %0*d%s", (int)len,
		    0, "workers = 7\n" RIGHT);
		snprintf(expected, sizeof(expected), "t:2: the line is %zu "
		    "bytes long, and 198 is the most (comments do not "
		    "count)\n", len + 6 + 11);
		assert_errors(text, expected);
	}
}

static void
test_I1_the_end_of_a_long_comment_is_no_key(void **state)
{
	char text[4096];
	struct config *config;

	(void)state;
	for (int len = 190; len <= 210; len++) {
		snprintf(text, sizeof(text), "[global]\n;%*sworkers = 7\n"
		    "log = stderr ;%*sworkers = 7\n" RIGHT, len, "", len, "");
		config = load_right(text);
		assert_int_equal(config->global.workers, 0);
		config_free(config);
	}
}

static void
test_I1_at_every_length_the_value_is_whole_or_refused(void **state)
{
	static const size_t lengths[] = { 197, 198, 199, 200, 201, 1000 };
	char path[101] = "", line[1024], text[2048], expected[256];
	struct config *config;

	(void)state;
	memset(path, 'p', 100);
	path[0] = '/';
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t len = lengths[i], blanks = len - strlen("bind=unix:") -
		    100;

		snprintf(line, sizeof(line), "bind=%*sunix:%s", (int)blanks,
		    "", path);
		assert_int_equal(strlen(line), len);
		snprintf(text, sizeof(text), "[listener]\n%s\n[upstream]\n"
		    "host = h\nport = 1\n", line);
		snprintf(expected, sizeof(expected), "t:2: the line is %zu "
		    "bytes long, and 198 is the most (comments do not "
		    "count)\n", len);
		if (len > 198) {
			assert_errors(text, expected);
			continue;
		}
		config = load_right(text);
		assert_string_equal(config->listeners[0].binds[0].text + 5,
		    path);
		config_free(config);
	}
}

static void
test_I2_all_errors_with_their_lines(void **state)
{
	(void)state;
	assert_errors("[global]\nworkers = 0x\n\n; comment\nlgo = stderr\n"
	    "[listener]\nbind = 80\n[upstream]\nhost = h\nport = 99999\n",
	    "t:2: workers must be auto or a number from 1 to 256, not '0x'\n"
	    "t:5: unknown key 'lgo' in [global]; did you mean 'log'?\n"
	    "t:7: bind '80' needs a colon: write ':80'\n"
	    "t:10: port must be a number from 1 to 65535, not '99999'\n");
}

static void
test_I3_nul(void **state)
{
	static const char in_value[] = "[global]\nlog = std\0err" REST;
	static const char hides_line[] = "[global]\n\0log = nowhere" REST;

	(void)state;
	assert_bytes_errors(in_value, sizeof(in_value) - 1,
	    "t:2: the line contains a NUL byte\n");
	assert_bytes_errors(hides_line, sizeof(hides_line) - 1,
	    "t:2: the line contains a NUL byte\n");
}

static void
test_I4_bytes_that_are_no_text(void **state)
{
	(void)state;
	assert_errors("[global]\nlog = \xff\nlog_level = \x1b[31m" REST,
	    "t:2: the line contains a control character or bytes that are not "
	    "UTF-8\n"
	    "t:3: the line contains a control character or bytes that are not "
	    "UTF-8\n");
}

static void
test_I5_indented_keys_are_keys(void **state)
{
	struct config *config = load_right("[listener]\n  bind = :1\n\n"
	    "\tupstream = b\n    idle_timeout = 1h\n  [upstream a]\n"
	    "\thost = h\n\tport = 1\n [upstream b]\n host = h\n port = 2\n");

	(void)state;
	assert_string_equal(config->listeners[0].upstream->name, "b");
	assert_int_equal(config->listeners[0].idle_timeout, 3600000);
	assert_int_equal(config->listeners[0].nbinds, 1);
	config_free(config);
}

/* Two names with the same first 49 bytes, and the limit itself. */
static void
test_I6_section_names(void **state)
{
	char name[61] = "", text[1024], expected[1024];

	(void)state;
	memset(name, 'n', 60);
	snprintf(text, sizeof(text), "[listener %.49sa]\nbind = :1\n"
	    "[listener %.49sb]\nbind = :2\n[upstream %.33s]\nhost = h\n", name,
	    name, name);
	snprintf(expected, sizeof(expected),
	    "t:1: a name is 1 to 32 of the letters A-Z a-z 0-9 _ -, not "
	    "'%.49sa'\n"
	    "t:3: a name is 1 to 32 of the letters A-Z a-z 0-9 _ -, not "
	    "'%.49sb'\n"
	    "t:5: a name is 1 to 32 of the letters A-Z a-z 0-9 _ -, not "
	    "'%.33s'\n", name, name, name);
	assert_errors(text, expected);
	snprintf(text, sizeof(text), "[listener %.31sa]\nbind = :1\n"
	    "[listener %.31sb]\nbind = :2\n[upstream %.32s]\nhost = h\n"
	    "port = 1\n", name, name, name);
	config_free(load_right(text));
}

static void
test_I7_empty_sections_are_seen(void **state)
{
	(void)state;
	assert_errors("[listener]\n[upstream]\n",
	    "t:1: [listener default] has no bind: write where to listen, as "
	    "'bind = :8080'\n"
	    "t:2: [upstream default] has neither host nor server\n");
}

static void
test_I7_repeated_sections_do_not_merge(void **state)
{
	(void)state;
	assert_errors("[listener a]\nbind = :1\n[upstream]\nhost = h\n"
	    "port = 1\n[listener a]\nbnid = :2\n[upstream default]\nport = 0\n"
	    "[global]\n[global]\n[defaults]\n[defaults]\nkeepalive = x\n",
	    "t:6: second [listener a]; the first is at line 1\n"
	    "t:7: unknown key 'bnid' in [listener a]; did you mean 'bind'?\n"
	    "t:8: second [upstream default]; the first is at line 3\n"
	    "t:9: port must be a number from 1 to 65535, not '0'\n"
	    "t:11: second [global]; the first is at line 10\n"
	    "t:13: second [defaults]; the first is at line 12\n"
	    "t:14: keepalive must be on or off, not 'x'\n");
}

static void
test_I7_repeated_keys(void **state)
{
	(void)state;
	assert_errors("[listener]\nbind = :1\nidle_timeout = 1h\n"
	    "idle_timeout = 2h\nbind = :2\n[upstream]\nhost = h\nport = 1\n",
	    "t:4: second 'idle_timeout' in [listener default]; the first is "
	    "at line 3\n");
}

static void
test_I7_brackets(void **state)
{
	(void)state;
	assert_errors("[listener a] x\nbind = :1\n[listener b\n[listener c]]\n"
	    "[]\n[ ]\n[listener a b]\n[listener ;c]\n",
	    "t:1: text behind ']': ' x'\n"
	    "t:3: no ']' behind '[listener b'\n"
	    "t:4: text behind ']': ']'\n"
	    "t:5: a section is [KIND] or [KIND NAME], not '[]'\n"
	    "t:6: a section is [KIND] or [KIND NAME], not '[ ]'\n"
	    "t:7: a section is [KIND] or [KIND NAME], not '[listener a b]'\n"
	    "t:8: no ']' behind '[listener'\n");
	config_free(load_right("[ listener\t a ]  ; comment\nbind = :1\n"
	    "[upstream] ;c\nhost = h\nport = 1\n"));
}

static void
test_I7_keys_before_any_section(void **state)
{
	(void)state;
	assert_errors("bind = :1\n" RIGHT,
	    "t:1: 'bind' stands before the first [section]\n");
}

static void
test_I8_separators_and_quotes(void **state)
{
	(void)state;
	assert_errors("[listener]\nbind: 127.0.0.1:80\n::1\nbind\n= :80\n"
	    "bind :80 = x\n",
	    "t:2: between key and value goes '=', not ':': "
	    "'bind: 127.0.0.1:80'\n"
	    "t:3: between key and value goes '=', not ':': '::1'\n"
	    "t:4: a line is 'KEY = VALUE' or '[SECTION]': 'bind'\n"
	    "t:5: there is no key before '=': '= :80'\n"
	    "t:6: between key and value goes '=', not ':': 'bind :80 = x'\n");
	assert_errors("[listener]\nbind = \":80\"\n[upstream]\nhost = h\n"
	    "port = 1\n", "t:2: bind is written without quotes\n");
}

static void
test_I8_hash_behind_a_value(void **state)
{
	(void)state;
	assert_errors("[listener]\nbind = :1 # here\n[upstream]\nhost = h\n"
	    "port = 1\t# x\n[global]\nlog = # x\n",
	    "t:2: comments after a value start with ' ;', not with '#'\n"
	    "t:5: comments after a value start with ' ;', not with '#'\n"
	    "t:7: comments after a value start with ' ;', not with '#'\n");
	config_free(load_right("[listener]\nbind = unix:/a#b ; c # d\n"
	    "[upstream]\nhost = h ;c\nport = 1\n"));
}

static void
test_I8_lone_carriage_returns(void **state)
{
	(void)state;
	assert_errors("[listener]\rbind = :1\r[upstream]\rhost = h\r",
	    "t:1: the line contains a carriage return without line feed\n");
	config_free(load_right("[listener]\r\nbind = :1\r\n[upstream]\r\n"
	    "host = h\r\nport = 1"));
}

static void
test_I9_nothing_is_not_valid(void **state)
{
	(void)state;
	assert_errors("", "t: is empty\n");
	assert_errors("\n; only a comment\n",
	    "t: has no [listener]: there is nothing to forward\n");
	assert_errors("[upstream]\nhost = h\nport = 1\n",
	    "t: has no [listener]: there is nothing to forward\n");
}

static void
test_nearest_names(void **state)
{
	(void)state;
	assert_errors("[listner]\nbind = :1\n[upstream db]\nprot = 1\n"
	    "[Global]\n[foo]\n",
	    "t:1: unknown section 'listner'; did you mean 'listener'?\n"
	    "t:4: unknown key 'prot' in [upstream db]; did you mean 'port'?\n"
	    "t:5: unknown section 'Global'; did you mean 'global'?\n"
	    "t:6: unknown section 'foo'; there are global, defaults, listener "
	    "and upstream\n");
}

static void
test_keys_in_the_wrong_section(void **state)
{
	(void)state;
	assert_errors("[global]\nbind = :1\n[defaults]\nhost = h\nworkers = 1\n"
	    "[upstream]\nhost = h\nport = 1\nidle_timeout = 1h\n[listener]\n"
	    "bind = :1\nsource = ::1\nfoo = 1\n",
	    "t:2: 'bind' belongs in [listener], not in [global]\n"
	    "t:4: 'host' belongs in [upstream], not in [defaults]\n"
	    "t:5: 'workers' belongs in [global], not in [defaults]\n"
	    "t:9: 'idle_timeout' belongs in [listener] or [defaults], not in "
	    "[upstream default]\n"
	    "t:12: 'source' belongs in [upstream] or [defaults], not in "
	    "[listener default]\n"
	    "t:13: unknown key 'foo' in [listener default]; "
	    "'sluice --help-config' lists them\n");
}

static void
test_section_names(void **state)
{
	(void)state;
	assert_errors("[global x]\n[defaults x]\n[listener a.b]\n"
	    "[upstream \xc3\xa9]\n",
	    "t:1: [global] takes no name: 'x'\n"
	    "t:2: [defaults] takes no name: 'x'\n"
	    "t:3: a name is 1 to 32 of the letters A-Z a-z 0-9 _ -, not "
	    "'a.b'\n"
	    "t:4: a name is 1 to 32 of the letters A-Z a-z 0-9 _ -, not "
	    "'\xc3\xa9'\n");
}

static void
test_empty_values(void **state)
{
	(void)state;
	assert_errors("[listener]\nbind =\nupstream = ; none\n[upstream]\n"
	    "host =\nport=\n",
	    "t:2: bind needs a value\n"
	    "t:3: upstream needs a value\n"
	    "t:5: host needs a value\n"
	    "t:6: port needs a value\n");
}

/* A bad value of [defaults] is said once, used or not. */
static void
test_defaults_are_reported_once(void **state)
{
	(void)state;
	assert_errors("[defaults]\nkeepalive = x\nidle_timeout = 5\n"
	    "connect_timeout = 0\nsource = h\n[listener a]\nbind = :1\n"
	    "[listener b]\nbind = :2\n[upstream]\nhost = h\nport = 1\n",
	    "t:2: keepalive must be on or off, not 'x'\n"
	    "t:3: idle_timeout: 5 what? write 5s or 5ms\n"
	    "t:4: connect_timeout must be a duration from 1ms to 3650d, not "
	    "'0'\n"
	    "t:5: source 'h' must be a numeric address of this machine, "
	    "without port, or client\n");
}

/* What a misread line might have said is not missed on top. */
static void
test_no_errors_of_errors(void **state)
{
	(void)state;
	assert_errors("[listener]\nbind: :1\n[upstream]\nhots = h\n",
	    "t:2: between key and value goes '=', not ':': 'bind: :1'\n"
	    "t:4: unknown key 'hots' in [upstream default]; did you mean "
	    "'host'?\n");
	assert_errors("[listener]\nbind = :1\nupstream = db\n[upsteam db]\n"
	    "host = h\n",
	    "t:4: unknown section 'upsteam'; did you mean 'upstream'?\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_I1_a_long_line_is_not_cut_in_two),
		cmocka_unit_test(test_I1_the_end_of_a_long_comment_is_no_key),
		cmocka_unit_test(
		    test_I1_at_every_length_the_value_is_whole_or_refused),
		cmocka_unit_test(test_I2_all_errors_with_their_lines),
		cmocka_unit_test(test_I3_nul),
		cmocka_unit_test(test_I4_bytes_that_are_no_text),
		cmocka_unit_test(test_I5_indented_keys_are_keys),
		cmocka_unit_test(test_I6_section_names),
		cmocka_unit_test(test_I7_empty_sections_are_seen),
		cmocka_unit_test(test_I7_repeated_sections_do_not_merge),
		cmocka_unit_test(test_I7_repeated_keys),
		cmocka_unit_test(test_I7_brackets),
		cmocka_unit_test(test_I7_keys_before_any_section),
		cmocka_unit_test(test_I8_separators_and_quotes),
		cmocka_unit_test(test_I8_hash_behind_a_value),
		cmocka_unit_test(test_I8_lone_carriage_returns),
		cmocka_unit_test(test_I9_nothing_is_not_valid),
		cmocka_unit_test(test_nearest_names),
		cmocka_unit_test(test_keys_in_the_wrong_section),
		cmocka_unit_test(test_section_names),
		cmocka_unit_test(test_empty_values),
		cmocka_unit_test(test_defaults_are_reported_once),
		cmocka_unit_test(test_no_errors_of_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
