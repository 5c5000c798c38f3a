/* What is different in another configuration, each told once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	assert_diff("[listener a]\nbind = 127.0.0.1:2\n[upstream a]\n"
	    "server = 127.0.0.1:1\nserver = 127.0.0.1:5\n",
	    "[listener a]\nbind = 127.0.0.1:2\nidle_timeout = 1h\n"
	    "[upstream a]\nserver = 127.0.0.1:5\nserver = 127.0.0.1:1\n",
	    "value listener a idle_timeout 24h 1h;"
	    "order upstream a server - -;");
}

/* The same range, and no longer the same rule. */
static void
test_another_key_of_a_list(void **state)
{
	(void)state;
	assert_diff("[listener a]\nbind = 127.0.0.1:2\ndeny = 10.1.0.0/16\n"
	    REST, "[listener a]\nbind = 127.0.0.1:2\nallow = 10.1.0.0/16\n"
	    REST, "item listener a deny 10.1.0.0/16 -;"
	    "item listener a allow - 10.1.0.0/16;");
}

static void
test_longer_and_shorter_lists(void **state)
{
	static const char one[] = "[listener a]\nbind = 127.0.0.1:2\n" REST;
	static const char two[] = "[listener a]\nbind = 127.0.0.1:2\n"
	    "bind = 127.0.0.1:3\n" REST;

	(void)state;
	assert_diff(one, two, "item listener a bind - 127.0.0.1:3;");
	assert_diff(two, one, "item listener a bind 127.0.0.1:3 -;");
}

static void
test_what_is_not_set(void **state)
{
	static const char without[] = "[listener a]\nbind = 127.0.0.1:2\n"
	    REST;
	static const char with[] = "[listener a]\nbind = 127.0.0.1:2\n"
	    "interface = lo\n" REST;

	(void)state;
	assert_diff(without, with, "value listener a interface - lo;");
	assert_diff(with, without, "value listener a interface lo -;");
}

static void
write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* A listener with a list of addresses in a file beside its own. */
static struct config *
config_with_list(const char *folder, const char *more, const char *list)
{
	char ini[64], path[64], text[256];
	struct config_source source = { .path = ini };
	struct config_errors errors = { 0 };
	struct config *config;

	snprintf(ini, sizeof(ini), "%s/proxy.ini", folder);
	snprintf(path, sizeof(path), "%s/list", folder);
	snprintf(text, sizeof(text), "[listener a]\nbind = 127.0.0.1:2\n"
	    "deny = file:list\n%s" REST, more);
	write_text(ini, text);
	write_text(path, list);
	config = config_load(&source, &errors);
	config_errors_free(&errors);
	assert_non_null(config);
	unlink(ini);
	unlink(path);
	return config;
}

/* What a file holds is told where nothing else of the listener is. */
static void
test_files(void **state)
{
	char folder[] = "/tmp/diff-XXXXXX", told[512] = "";
	struct config *before, *same, *after, *both;

	(void)state;
	assert_non_null(mkdtemp(folder));
	before = config_with_list(folder, "", "192.0.2.1\n");
	same = config_with_list(folder, "", "# the one\n192.0.2.1\n");
	after = config_with_list(folder, "", "192.0.2.2\n");
	both = config_with_list(folder, "idle_timeout = 1h\n", "192.0.2.2\n");
	assert_int_equal(config_diff(before, before, same, NULL, NULL), 0);
	assert_int_equal(config_diff(before, before, after, tell, told), 1);
	assert_string_equal(told, "file listener a allow, deny - -;");
	told[0] = '\0';
	assert_int_equal(config_diff(before, before, both, tell, told), 1);
	assert_string_equal(told, "value listener a idle_timeout 24h 1h;");
	config_free(before);
	config_free(same);
	config_free(after);
	config_free(both);
	rmdir(folder);
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
		cmocka_unit_test(test_another_key_of_a_list),
		cmocka_unit_test(test_longer_and_shorter_lists),
		cmocka_unit_test(test_what_is_not_set),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_what_takes_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
