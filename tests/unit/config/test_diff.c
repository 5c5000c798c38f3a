/* What is different in another configuration, each told once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/diff.h"

#define REST "[upstream a]\nserver = 127.0.0.1:1\n"

static struct config *
config_of(const char *text)
{
	struct config_errors errors = { 0 };
	struct config *config = config_load_text("test", text, strlen(text),
	    &errors);

	if (config == NULL)
		print_error("%s\n", errors.lines[0]);
	config_errors_free(&errors);
	assert_non_null(config);
	return config;
}

static const char *
word(const char *text)
{
	return text == NULL ? "-" : text;
}

/* "listener a idle_timeout 24h 1h;" for each. */
static void
tell(void *arg, const struct diff *d)
{
	static const char *const kinds[] = {
		[DIFF_ADDED] = "added", [DIFF_REMOVED] = "removed",
		[DIFF_VALUE] = "value", [DIFF_ITEM] = "item",
		[DIFF_ORDER] = "order", [DIFF_FILE] = "file",
	};
	char *text = arg;
	bool whole = d->kind == DIFF_ADDED || d->kind == DIFF_REMOVED;

	sprintf(text + strlen(text), "%s %s %s", kinds[d->kind], d->section,
	    word(d->name));
	if (!whole)
		sprintf(text + strlen(text), " %s %s %s", d->key,
		    word(d->before), word(d->after));
	strcat(text, d->restart ? " restart;" : ";");
}

static void
assert_diff(const char *before, const char *after, const char *wanted)
{
	struct config *a = config_of(before), *b = config_of(after);
	char told[1024] = "";
	size_t count = 0, n = config_diff(a, a, b, tell, told);

	for (const char *c = told; *c != '\0'; c++)
		count += *c == ';';
	assert_string_equal(told, wanted);
	assert_int_equal(n, count);
	assert_int_equal(config_diff(a, a, b, NULL, NULL), n);
	config_free(a);
	config_free(b);
}

static void
test_nothing(void **state)
{
	(void)state;
	assert_diff("[listener a]\nbind = 127.0.0.1:2\n" REST,
	    "; lines\n\n" REST "[listener a]\n; are nothing\n"
	    "idle_timeout = 24h\nbind = 127.0.0.1:2\n", "");
}

static void
test_values_and_items(void **state)
{
	(void)state;
	assert_diff("[listener a]\nbind = 127.0.0.1:2\nbind = 127.0.0.1:3\n"
	    REST, "[listener a]\nbind = 127.0.0.1:3\nbind = 127.0.0.1:4\n"
	    "idle_timeout = 1h\n[upstream a]\nserver = 127.0.0.1:1 weight=2\n",
	    "item listener a bind 127.0.0.1:2 -;"
	    "item listener a bind - 127.0.0.1:4;"
	    "value listener a idle_timeout 24h 1h;"
	    "item upstream a server 127.0.0.1:1 -;"
	    "item upstream a server - 127.0.0.1:1 weight=2;");
}

static void
test_order_and_keys_of_a_list(void **state)
{
	(void)state;
	assert_diff("[listener a]\nbind = 127.0.0.1:2\ndeny = 10.1.0.0/16\n"
	    "allow = 10.0.0.0/8\n" REST, "[listener a]\nbind = 127.0.0.1:2\n"
	    "allow = 10.0.0.0/8\ndeny = 192.0.2.0/24\n" REST,
	    "item listener a deny 10.1.0.0/16 -;"
	    "item listener a deny - 192.0.2.0/24;");
	assert_diff("[listener a]\nbind = 127.0.0.1:2\n[upstream a]\n"
	    "server = 127.0.0.1:1\nserver = 127.0.0.1:5\n",
	    "[listener a]\nbind = 127.0.0.1:2\n[upstream a]\n"
	    "server = 127.0.0.1:5\nserver = 127.0.0.1:1\n",
	    "order upstream a server - -;");
}

static void
test_sections(void **state)
{
	(void)state;
	assert_diff("[listener a]\nbind = 127.0.0.1:2\n" REST,
	    "[listener b]\nbind = 127.0.0.1:2\nupstream = c\n"
	    "[upstream c]\nserver = 127.0.0.1:1\n",
	    "added listener b;added upstream c;removed listener a;"
	    "removed upstream a;");
}

/* With what the process was started by, whatever was read since. */
static void
test_what_takes_a_restart(void **state)
{
	struct config *first = config_of("[global]\nworkers = 3\n"
	    "[listener a]\nbind = 127.0.0.1:2\n" REST);
	struct config *now = config_of("[global]\nworkers = 2\n"
	    "[listener a]\nbind = 127.0.0.1:2\n" REST);
	char told[256] = "";

	(void)state;
	assert_int_equal(config_diff(first, now, now, tell, told), 1);
	assert_string_equal(told, "value global - workers 3 2 restart;");
	told[0] = '\0';
	assert_int_equal(config_diff_restart(first, now, tell, told), 1);
	assert_string_equal(told, "value global - workers 3 2 restart;");
	assert_int_equal(config_diff(first, now, first, NULL, NULL), 0);
	assert_int_equal(config_diff_restart(first, first, NULL, NULL), 0);
	config_free(first);
	config_free(now);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_values_and_items),
		cmocka_unit_test(test_order_and_keys_of_a_list),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_what_takes_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
