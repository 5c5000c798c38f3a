/* Each allocation of a load fails once, and once with all that follow: the
 * answer is "out of memory", and nothing leaks. */
#include "support.h"

#include <unistd.h>

static unsigned long calls, fail_at;
static bool fail_on;

static bool
fails(void)
{
	calls++;
	return fail_at != 0 && (fail_on ? calls >= fail_at : calls == fail_at);
}

static void *
test_allocate(size_t count, size_t size)
{
	return fails() ? NULL : calloc(count, size);
}

static void *
test_reallocate(void *old, size_t size)
{
	return fails() ? NULL : realloc(old, size);
}

static char *
test_duplicate(const char *text)
{
	return fails() ? NULL : strdup(text);
}

/* The files of the layer that allocate, with ours instead. */
#define calloc	test_allocate
#define realloc test_reallocate
#undef strdup
#define strdup	test_duplicate
#include "arena.c"
#include "include.c"
#include "load.c"
#include "reader.c"
#include "report.c"
#undef calloc
#undef realloc
#undef strdup

static const char RIGHT[] = "[global]\nadmin = 127.0.0.1:9901\n[defaults]\n"
    "source = 10.0.0.1\nsource = 10.0.0.2\n[listener a]\nbind = :1\n"
    "bind = unix:/a\nallow = all\ndeny = unix\nupstream = b\n"
    "route = sni h -> c\nroute = client ::/0 -> c\n[upstream b]\nserver = h:1 name=x\n"
    "server = [::1]:2\nserver = unix:/b\n[upstream c]\nhost = h\nport = 1\n";

static const char WRONG[] = "[global]\nworkrs = 1\nadmin = x\n[listener]\n"
    "bind = 1\nidle_timeout = 5\nroute = sni -> c\n[upstream]\nserver = h\n[listener]\n[foo]\n";

static void
assert_out_of_memory(const char *text)
{
	struct config_errors errors;
	struct config *config;

	calls = 0;
	config = config_load_text("t", text, strlen(text), &errors);
	assert_null(config);
	if (errors.count > 0) {
		assert_int_equal(errors.count, 1);
		assert_string_equal(errors.lines[0], "t: out of memory");
	}
	config_errors_free(&errors);
}

static void
try_all(const char *text)
{
	struct config_errors errors;
	unsigned long total;

	calls = fail_at = 0;
	config_free(config_load_text("t", text, strlen(text), &errors));
	config_errors_free(&errors);
	total = calls;
	assert_true(total > 20);
	for (int on = 0; on < 2; on++) {
		fail_on = on;
		for (fail_at = 1; fail_at <= total; fail_at++)
			assert_out_of_memory(text);
	}
	fail_at = 0;
}

static void
test_right_text(void **state)
{
	(void)state;
	try_all(RIGHT);
}

static void
test_wrong_text(void **state)
{
	(void)state;
	try_all(WRONG);
}

static void
try_source(const struct config_source *source, const char *expected)
{
	struct config_errors errors;
	struct config *config = NULL;

	fail_on = false;
	for (fail_at = 1; config == NULL; fail_at++) {
		calls = 0;
		config = config_load(source, &errors);
		if (config == NULL && errors.count > 0)
			assert_string_equal(errors.lines[0], expected);
		config_errors_free(&errors);
	}
	assert_true(fail_at > 20);
	fail_at = 0;
	config_free(config);
}

static void
test_arguments(void **state)
{
	static const char *const sets[] = { "global.workers=2",
		"defaults.keepalive=off", "listener.L1.bind=:9", NULL };
	static const char *const forwards[] = { ":1=h:1", ":2=h:2", NULL };

	(void)state;
	try_source(&(struct config_source){ .sets = sets,
		.forwards = forwards }, "sluice: out of memory");
}

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
test_files(void **state)
{
	char dir[] = "/tmp/test_memory_XXXXXX", main_ini[64], a[64], b[64];
	char list[64];
	char expected[128];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(main_ini, sizeof(main_ini), "%s/main.ini", dir);
	snprintf(a, sizeof(a), "%s/a.conf", dir);
	snprintf(b, sizeof(b), "%s/b.conf", dir);
	snprintf(list, sizeof(list), "%s/list", dir);
	snprintf(expected, sizeof(expected), "%s: out of memory", main_ini);
	write_file(main_ini, "[global]\ninclude = *.conf\n");
	write_file(a, "[global]\nworkers = 2\n[upstream]\nhost = h\n"
	    "port = 1\n");
	write_file(b, "[listener]\nbind = :1\ndeny = file:list\n");
	write_file(list, "10.0.0.1\n10.0.0.2\n10.0.0.3\n");
	try_source(&(struct config_source){ .path = main_ini }, expected);
	unlink(main_ini);
	unlink(a);
	unlink(b);
	unlink(list);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_text),
		cmocka_unit_test(test_wrong_text),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
