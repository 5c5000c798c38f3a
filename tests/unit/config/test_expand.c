/* ${NAME} in the values of a file. */
#include "support.h"

#include "reader.h"

/* What 'value' becomes where TEST_X is 'x' (NULL: not set). */
static void
assert_expands(const char *x, const char *value, const char *expected)
{
	char text[512];
	struct config *config;

	unsetenv("TEST_X");
	if (x != NULL)
		setenv("TEST_X", x, 1);
	snprintf(text, sizeof(text), "[global]\nadmin_socket = %s\n%s", value,
	    REST);
	config = load_right(text);
	assert_string_equal(config->global.admin_socket, expected);
	config_free(config);
}

/* The one error that it is. */
static void
assert_wrong(const char *x, const char *value, const char *what)
{
	char text[512], expected[512];

	unsetenv("TEST_X");
	if (x != NULL)
		setenv("TEST_X", x, 1);
	snprintf(text, sizeof(text), "[global]\nadmin_socket = %s\n%s", value,
	    REST);
	snprintf(expected, sizeof(expected), "t:2: %s\n", what);
	assert_errors(text, expected);
}

static void
test_variables(void **state)
{
	(void)state;
	assert_expands("/a", "${TEST_X}", "/a");
	assert_expands("a", "/${TEST_X}", "/a");
	assert_expands("a", "/${TEST_X}b${TEST_X}${TEST_X}/", "/abaa/");
	assert_expands("", "/${TEST_X}", "/");
	assert_expands("\xc3\xa4 b", "/${TEST_X}", "/\xc3\xa4 b");
}

static void
test_defaults(void **state)
{
	(void)state;
	assert_expands(NULL, "${TEST_X:-/a b:-c}", "/a b:-c");
	assert_expands("", "${TEST_X:-/a}", "/a");
	assert_expands("/x", "${TEST_X:-/a}", "/x");
	assert_expands(NULL, "/${TEST_X:-}", "/");
	assert_expands(NULL, "/${TEST_X:-{}}", "/{}");
}

/* What a variable holds is not looked at again, nor is what --set gives. */
static void
test_dollar_signs(void **state)
{
	(void)state;
	assert_expands(NULL, "/$$", "/$");
	assert_expands(NULL, "/$$${TEST_X:-a}$$$$", "/$a$$");
	assert_expands(NULL, "/$${TEST_X}", "/${TEST_X}");
	assert_expands("${HOME}$$$", "/${TEST_X}", "/${HOME}$$$");
	assert_wrong(NULL, "/$HOME", "a '$' begins ${NAME}; for a dollar sign "
	    "write $$");
	assert_wrong(NULL, "/$", "a '$' begins ${NAME}; for a dollar sign "
	    "write $$");
	assert_wrong(NULL, "/$$$", "a '$' begins ${NAME}; for a dollar sign "
	    "write $$");
}

static void
test_blanks_are_trimmed(void **state)
{
	(void)state;
	assert_expands("/a", "${TEST_X} ${TEST_Y:-  }", "/a");
	assert_expands("\t /a \t", "${TEST_X}", "/a");
}

static void
test_mistakes(void **state)
{
	(void)state;
	assert_wrong(NULL, "/${TEST_X}", "TEST_X is not set in the "
	    "environment; set it, or write ${TEST_X:-DEFAULT}");
	assert_wrong(NULL, "/${TEST_X", "no '}' behind '${TEST_X'");
	assert_wrong(NULL, "/${}", "'${}' is neither ${NAME} nor "
	    "${NAME:-DEFAULT}");
	assert_wrong(NULL, "/${1}", "'${1}' is neither ${NAME} nor "
	    "${NAME:-DEFAULT}");
	assert_wrong(NULL, "/${a b}", "'${a b}' is neither ${NAME} nor "
	    "${NAME:-DEFAULT}");
	assert_wrong(NULL, "/${A-b}", "'${A-b}' is neither ${NAME} nor "
	    "${NAME:-DEFAULT}");
	assert_wrong(NULL, "/${A:?b}", "'${A:?b}' is neither ${NAME} nor "
	    "${NAME:-DEFAULT}");
	assert_wrong(NULL, "/${A:-${B}}", "'${A:-${B}' is neither ${NAME} nor "
	    "${NAME:-DEFAULT}");
	assert_wrong("", "${TEST_X}", "'${TEST_X}' stands for nothing: the "
	    "variable is set, but empty");
	assert_wrong(" ", "${TEST_X}", "'${TEST_X}' stands for nothing: the "
	    "variable is set, but empty");
}

/* The value of a variable stays out of messages that are not about it. */
static void
test_what_is_no_text(void **state)
{
	static const char *const wrong[] = { "a\n", "\x01", "a\rb", "\xff",
		"\xc3", "\x7f" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_wrong(wrong[i], "/${TEST_X}", "the environment's TEST_X "
		    "contains a control character or bytes that are not UTF-8");
}

static void
test_no_comment_comes_of_it(void **state)
{
	(void)state;
	assert_wrong("a ;b", "/${TEST_X}", "'/${TEST_X}' contains the start "
	    "of a comment once its variables are in");
	assert_wrong("#b", "/a ${TEST_X}", "'/a ${TEST_X}' contains the start "
	    "of a comment once its variables are in");
	assert_wrong("#b", "${TEST_X}", "'${TEST_X}' contains the start "
	    "of a comment once its variables are in");
	assert_expands("a;b#", "/${TEST_X}", "/a;b#");
	assert_wrong("a", "/${TEST_X} # b", "comments after a value start "
	    "with ' ;', not with '#'");
}

/* The line "admin_socket=" + value has to fit, each '$' counted twice. */
static void
test_lengths(void **state)
{
	size_t most = READER_LINE - strlen("admin_socket=");
	char x[2000], expected[READER_LINE + 1];

	(void)state;
	memset(x, 'x', sizeof(x));
	x[0] = '/';
	x[most] = '\0';
	assert_expands(x, "${TEST_X}", x);
	memcpy(x + most, "x", 2);
	assert_wrong(x, "${TEST_X}", "'admin_socket = VALUE' would be 199 "
	    "bytes long, and 198 is the most");
	x[most] = '\0';
	x[most - 1] = '$';
	assert_wrong(x, "${TEST_X}", "'admin_socket = VALUE' would be 199 "
	    "bytes long, and 198 is the most");
	x[most - 1] = '\0';
	snprintf(expected, sizeof(expected), "%sy", x);
	assert_expands(x, "${TEST_X}y", expected);
	memset(x, 'x', sizeof(x));
	x[sizeof(x) - 1] = '\0';
	assert_wrong(x, "/${TEST_X}", "the value with its variables is longer "
	    "than 198 bytes");
	x[READER_LINE - 4] = '\0';
	setenv("TEST_X", x, 1);
	assert_errors("[listener]\nbind = ${TEST_X}\n[upstream]\nserver = h:1\n",
	    "t:2: 'bind = VALUE' would be 199 bytes long, and 198 is the "
	    "most\n");
}

/* What was not understood is not missed as well. */
static void
test_every_line_is_told_once(void **state)
{
	(void)state;
	unsetenv("TEST_X");
	assert_errors("[listener]\nbind = ${TEST_X}\n[upstream]\n"
	    "host = ${TEST_X}\nport = 1\n[upstream b]\nserver = ${TEST_X}:1\n"
	    "workers = ${TEST_X}\n",
	    "t:2: TEST_X is not set in the environment; set it, or write "
	    "${TEST_X:-DEFAULT}\n"
	    "t:4: TEST_X is not set in the environment; set it, or write "
	    "${TEST_X:-DEFAULT}\n"
	    "t:7: TEST_X is not set in the environment; set it, or write "
	    "${TEST_X:-DEFAULT}\n"
	    "t:8: TEST_X is not set in the environment; set it, or write "
	    "${TEST_X:-DEFAULT}\n");
}

static void
test_every_kind_of_value(void **state)
{
	struct config *config;

	(void)state;
	setenv("TEST_X", "7", 1);
	config = load_right("[global]\nworkers = ${TEST_X}\n"
	    "drain_timeout = ${TEST_X}s\n[listener]\nbind = :${TEST_X}\n"
	    "[upstream]\nserver = h${TEST_X}:${TEST_X} weight=${TEST_X}\n");
	assert_int_equal(config->global.workers, 7);
	assert_int_equal(config->global.drain_timeout, 7000);
	assert_string_equal(config->listeners[0].binds[0].text, ":7");
	assert_string_equal(config->upstreams[0].servers[0].name, "h7:7");
	assert_int_equal(config->upstreams[0].servers[0].weight, 7);
	assert_int_equal(config->upstreams[0].servers[0].origin.line, 7);
	config_free(config);
}

/* Keys and sections are as they are written, and so are arguments. */
static void
test_values_of_files_only(void **state)
{
	static const char *const sets[] = { "global.pid_file=/${TEST_X}",
		NULL };
	static const char *const forwards[] = { "unix:/$a=unix:/${TEST_X}",
		NULL };
	struct config_errors errors;
	struct config *config;

	(void)state;
	unsetenv("TEST_X");
	config = config_load(&(struct config_source){ .sets = sets,
		.forwards = forwards }, &errors);
	assert_non_null(config);
	assert_string_equal(config->global.pid_file, "/${TEST_X}");
	assert_string_equal(config->listeners[0].binds[0].text, "unix:/$a");
	assert_string_equal(config->upstreams[0].servers[0].name,
	    "unix:/${TEST_X}");
	config_free(config);
	assert_errors("[listener ${A}]\nbind = :1\n" REST,
	    "t:1: a name is 1 to 32 of the letters A-Z a-z 0-9 _ -, not "
	    "'${A}'\n");
	assert_errors("[global]\n${A} = 1\n" REST, "t:2: unknown key '${A}' "
	    "in [global]; 'sluice --help-config' lists them\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_dollar_signs),
		cmocka_unit_test(test_blanks_are_trimmed),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_what_is_no_text),
		cmocka_unit_test(test_no_comment_comes_of_it),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_every_line_is_told_once),
		cmocka_unit_test(test_every_kind_of_value),
		cmocka_unit_test(test_values_of_files_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
