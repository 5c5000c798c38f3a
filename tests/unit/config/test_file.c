/* What a path may lead to (I9, catalogue 93 and 98), and how a configuration
 * lives on. */
#include "support.h"

#include <errno.h>

#include "config/snapshot.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test_file_XXXXXX";
static char path[sizeof(dir) + 8];

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/f.ini", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void
write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
assert_file_errors(const char *what)
{
	char expected[256];

	snprintf(expected, sizeof(expected), "%s: %s\n", path, what);
	assert_source_errors(&(struct config_source){ .path = path }, expected);
}

static void
test_right(void **state)
{
	struct config_errors errors;
	struct config *config;

	(void)state;
	write_file(REST);
	config = config_load(&(struct config_source){ .path = path }, &errors);
	assert_non_null(config);
	assert_int_equal(errors.count, 0);
	assert_string_equal(config->path, path);
	config_free(config);
	unlink(path);
}

static void
test_larger_than_a_chunk(void **state)
{
	FILE *file = fopen(path, "w");
	struct config_errors errors;
	struct config *config;

	(void)state;
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fprintf(file, "[listener l%d]\nbind = 127.0.0.1:%d\n", i,
		    1000 + i);
	fprintf(file, "[upstream]\nhost = h\nport = 1\n");
	fclose(file);
	config = config_load(&(struct config_source){ .path = path }, &errors);
	assert_non_null(config);
	assert_int_equal(config->nlisteners, 1000);
	assert_string_equal(config->listeners[999].name, "l999");
	assert_int_equal(config->listeners[999].index, 999);
	assert_int_equal(config->listeners[999].binds[0].origin.line, 2000);
	config_free(config);
	unlink(path);
}

/* Tests run at the top of the tree. */
static void
test_starter_file(void **state)
{
	struct config_errors errors;
	struct config *config = config_load(&(struct config_source){
		.path = "conf/proxy.ini" }, &errors);

	(void)state;
	assert_non_null(config);
	assert_string_equal(config->listeners[0].binds[0].text,
	    "127.0.0.1:8080");
	/* It forwards to its own status page. */
	assert_string_equal(config->upstreams[0].servers[0].name,
	    config->global.admin);
	config_free(config);
}

static void
test_missing(void **state)
{
	(void)state;
	assert_file_errors("cannot open: No such file or directory");
}

static void
test_directory(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_file_errors("is a directory, not a file");
	rmdir(path);
}

/* Without a writer an open(2) that waits would wait for ever. */
static void
test_fifo_does_not_block(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(10);
	assert_file_errors("is not a regular file");
	alarm(0);
	unlink(path);
}

static void
test_device(void **state)
{
	(void)state;
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_file_errors("is not a regular file");
	unlink(path);
}

static void
test_empty(void **state)
{
	(void)state;
	write_file("");
	assert_file_errors("is empty");
	unlink(path);
}

static void
test_unreadable(void **state)
{
	char expected[64];

	(void)state;
	write_file(REST);
	chmod(path, 0);
	snprintf(expected, sizeof(expected), "cannot open: Permission denied "
	    "for uid %u", (unsigned)geteuid());
	if (access(path, R_OK) < 0)
		assert_file_errors(expected);
	else /* root, whom no mode stops */
		assert_source_errors(&(struct config_source){ .path = path },
		    "");
	unlink(path);
}

/* The arguments are read even then, so that nothing is told twice. */
static void
test_missing_file_and_wrong_argument(void **state)
{
	static const char *const forwards[] = { "x", NULL };
	char expected[256];

	(void)state;
	snprintf(expected, sizeof(expected), "%s: cannot open: No such file or "
	    "directory\n-L 'x': write BIND=UPSTREAM, as in "
	    "':5432=db1.internal:5432'\n", path);
	assert_source_errors(&(struct config_source){ .path = path,
		.forwards = forwards }, expected);
}

static void
test_no_descriptor_is_left(void **state)
{
	struct config_errors errors;
	int before = dup(0), after;

	(void)state;
	close(before);
	for (int i = 0; i < 10; i++) {
		write_file(i % 2 ? REST : "x");
		config_free(config_load(&(struct config_source){
			.path = path }, &errors));
		config_errors_free(&errors);
	}
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
	unlink(path);
}

static void
test_free_takes_nothing(void **state)
{
	struct config_errors errors = { 0 };

	(void)state;
	config_free(NULL);
	config_errors_free(&errors);
	snapshot_unref(NULL);
}

static void *
hold_and_drop(void *arg)
{
	struct snapshot *snapshot = arg;

	for (int i = 0; i < 10000; i++) {
		snapshot_ref(snapshot);
		assert_int_equal(snapshot_config(snapshot)->nlisteners, 1);
		snapshot_unref(snapshot);
	}
	snapshot_unref(snapshot);
	return NULL;
}

/* The last of several threads frees it; the sanitizers would see another. */
static void
test_snapshot_is_freed_once(void **state)
{
	struct snapshot *snapshot = snapshot_new(load_right(REST));
	pthread_t threads[3];

	(void)state;
	assert_non_null(snapshot);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
		    hold_and_drop, snapshot_ref(snapshot)), 0);
	snapshot_unref(snapshot);
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

/* What other programs call it, however far that is from our name. */
static void
test_words_of_other_programs(void **state)
{
	(void)state;
	assert_errors("[listener]\nbind = :1\nmaxconn = 1\n"
	    "proxy_protocol = on\ntproxy = on\ntfo = on\nwhitelist = all\n"
	    "BLACKLIST = all\nsni = a\nbandwidth = 1M\naccept_from = all\n"
	    "[upstream]\nhost = h\nport = 1\nproxy_protocol = v1\n"
	    "maxconn = 1\n",
	    "t:3: unknown key 'maxconn' in [listener default]; did you mean "
	    "'max_sessions'?\n"
	    "t:4: unknown key 'proxy_protocol' in [listener default]; did you "
	    "mean 'accept_proxy'?\n"
	    "t:5: unknown key 'tproxy' in [listener default]; did you mean "
	    "'transparent'?\n"
	    "t:6: unknown key 'tfo' in [listener default]; did you mean "
	    "'fast_open'?\n"
	    "t:7: unknown key 'whitelist' in [listener default]; did you mean "
	    "'allow'?\n"
	    "t:8: unknown key 'BLACKLIST' in [listener default]; did you mean "
	    "'deny'?\n"
	    "t:9: unknown key 'sni' in [listener default]; did you mean "
	    "'route'?\n"
	    "t:10: unknown key 'bandwidth' in [listener default]; did you "
	    "mean 'bandwidth_to_client'?\n"
	    "t:11: unknown key 'accept_from' in [listener default]; did you "
	    "mean 'allow'?\n"
	    "t:15: unknown key 'proxy_protocol' in [upstream default]; did "
	    "you mean 'send_proxy'?\n"
	    "t:16: unknown key 'maxconn' in [upstream default]; did you mean "
	    "'max_sessions'? It belongs in [listener] or [defaults] or "
	    "[global]\n");
}

/* The text of --help-config for a word that is no option. */
static void
assert_no_help(const char *word, const char *expected)
{
	char *text = NULL;
	size_t size;
	FILE *errors = open_memstream(&text, &size);

	assert_int_equal(option_help(errors, errors, word), -ENOENT);
	fclose(errors);
	assert_string_equal(text, expected);
	free(text);
}

static void
test_help_for_words_of_other_programs(void **state)
{
	(void)state;
	assert_no_help("sni", "there is no option 'sni'; there is route\n");
	assert_no_help("tls", "there is no option 'tls'; there is route\n");
	assert_no_help("bandwidth", "there is no option 'bandwidth'; there is "
	    "bandwidth_to_client, bandwidth_to_upstream\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_larger_than_a_chunk),
		cmocka_unit_test(test_starter_file),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_fifo_does_not_block),
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_missing_file_and_wrong_argument),
		cmocka_unit_test(test_no_descriptor_is_left),
		cmocka_unit_test(test_free_takes_nothing),
		cmocka_unit_test(test_snapshot_is_freed_once),
		cmocka_unit_test(test_words_of_other_programs),
		cmocka_unit_test(test_help_for_words_of_other_programs),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
