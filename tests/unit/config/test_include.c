/* include = GLOB: which files are read, in which order, and what is said of
 * lines that contradict each other across them. */
#include "../skip.h"
#include "support.h"

#include <sys/stat.h>
#include <unistd.h>

/* Nothing of the folder's own name is a pattern. */
static char dir[] = "/tmp/test_include_[a]*?\\b_XXXXXX";

static char *
at(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
make_folder(void **state)
{
	(void)state;
	return mkdir(at("d"), 0700);
}

static int
clear(void **state)
{
	static const char *const names[] = { "main.ini", "a.ini", "b.ini",
		"d/a.ini", "d/b.ini", "d/B.ini", "d/c.txt", "d/.h.ini",
		"d/fifo.ini", "d/x\ny.ini", "d/dir.ini", "d" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove(at(names[i]));
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void
write_file(const char *name, const char *text)
{
	FILE *file = fopen(at(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static struct config *
load(void)
{
	struct config_errors errors;
	struct config *config = config_load(&(struct config_source){
		.path = at("main.ini") }, &errors);
	char *text = errors_text(&errors);

	assert_string_equal(text, "");
	assert_non_null(config);
	config_errors_free(&errors);
	free(text);
	return config;
}

/* In 'expected' a '@' stands for the folder and its slash. */
static void
assert_files_errors(const char *expected)
{
	char whole[4096] = "", *out = whole;

	for (; *expected != '\0'; expected++)
		out += *expected == '@' ? sprintf(out, "%s/", dir) :
		    sprintf(out, "%c", *expected);
	assert_source_errors(&(struct config_source){
		.path = at("main.ini") }, whole);
}

#define INCLUDE(glob) "[global]\ninclude = " glob "\n"
#define UPSTREAM      "[upstream]\nhost = h\nport = 1\n"

static char *
listener(const char *name, unsigned port)
{
	static char text[100];

	snprintf(text, sizeof(text), "[listener %s]\nbind = 127.0.0.1:%u\n",
	    name, port);
	return text;
}

/* Bytes decide: "B" is before "a". */
static void
test_order(void **state)
{
	static const char *const names[] = { "m", "B", "a", "b", "z" };
	struct config *config;

	(void)state;
	write_file("d/b.ini", listener("b", 1));
	write_file("d/a.ini", listener("a", 2));
	write_file("d/B.ini", listener("B", 3));
	write_file("d/c.txt", "no ini");
	write_file("d/.h.ini", "hidden");
	write_file("a.ini", listener("z", 4));
	write_file("main.ini", "[global]\ninclude = d/*.ini\n"
	    "include = a.ini ; and this\n[listener m]\nbind = :9\n" UPSTREAM);
	config = load();
	assert_int_equal(config->nlisteners, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(config->listeners[i].name, names[i]);
	assert_int_equal(config->nfiles, 5);
	assert_ptr_equal(config->files[0], config->path);
	assert_string_equal(config->files[1], at("d/B.ini"));
	assert_string_equal(config->files[4], at("a.ini"));
	assert_int_equal(config->listeners[0].origin.file, 0);
	assert_int_equal(config->listeners[4].binds[0].origin.file, 4);
	assert_int_equal(config->listeners[4].binds[0].origin.line, 2);
	config_free(config);
}

static void
test_absolute_paths(void **state)
{
	struct config *config;
	char text[300], quoted[sizeof(dir) + 8], *out = quoted;

	(void)state;
	for (const char *c = dir; *c != '\0'; c++) {
		if (strchr("[*?\\", *c) != NULL)
			*out++ = '\\';
		*out++ = *c;
	}
	*out = '\0';
	write_file("d/a.ini", UPSTREAM);
	snprintf(text, sizeof(text), "[global]\ninclude = %s/d/a.ini\n%s",
	    quoted, listener("m", 1));
	write_file("main.ini", text);
	config = load();
	assert_string_equal(config->files[1], at("d/a.ini"));
	config_free(config);
}

/* The folder is that of the file, not the one we are in. */
static void
test_relative_to_the_file(void **state)
{
	char here[256];
	struct config_errors errors;
	struct config *config;

	(void)state;
	write_file("d/a.ini", UPSTREAM);
	write_file("d/b.ini", INCLUDE("*a.ini") "[listener]\nbind = :1\n");
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(dir), 0);
	config = config_load(&(struct config_source){ .path = "d/b.ini" },
	    &errors);
	assert_int_equal(chdir("d"), 0);
	assert_non_null(config);
	assert_string_equal(config->files[1], "d/a.ini");
	config_free(config);
	config = config_load(&(struct config_source){ .path = "b.ini" },
	    &errors);
	assert_int_equal(chdir(here), 0);
	assert_non_null(config);
	assert_string_equal(config->files[1], "a.ini");
	config_free(config);
}

static void
test_environment(void **state)
{
	(void)state;
	setenv("TEST_X", "d", 1);
	write_file("d/a.ini", UPSTREAM);
	write_file("main.ini", INCLUDE("${TEST_X}/*") "[listener]\nbind = :1");
	config_free(load());
}

static void
test_what_matches_nothing(void **state)
{
	(void)state;
	write_file("main.ini", INCLUDE("d/*.ini") REST);
	config_free(load());
	write_file("main.ini", INCLUDE("none/*.ini") REST);
	config_free(load());
	write_file("main.ini", INCLUDE("main.ini/*.ini") REST);
	config_free(load());
	write_file("main.ini", INCLUDE("d/a.ini") "include = d/\n" REST);
	assert_files_errors("@main.ini:2: include '@d/a.ini': cannot open: No "
	    "such file or directory\n"
	    "@main.ini:3: include '@d/': is a directory, not a file\n");
}

/* [global] and [defaults] of all files are one each. */
static void
test_shared_sections(void **state)
{
	struct config *config;

	(void)state;
	write_file("d/a.ini", "[global]\nworkers = 3\n[defaults]\n"
	    "source = ::1\nkeepalive = off\n");
	write_file("d/b.ini", "[defaults]\nsource = ::2\n[global]\n"
	    "log_level = warn\n" UPSTREAM);
	write_file("main.ini", "[defaults]\nbacklog = 9\n" INCLUDE("d/*")
	    "drain_timeout = 1s\n[listener]\nbind = :1\n");
	config = load();
	assert_int_equal(config->global.workers, 3);
	assert_int_equal(config->global.log_level, LOG_LEVEL_WARN);
	assert_int_equal(config->global.drain_timeout, 1000);
	assert_int_equal(config->listeners[0].backlog, 9);
	assert_false(config->listeners[0].tcp.keepalive);
	assert_int_equal(config->upstreams[0].nsources, 2);
	config_free(config);
}

static void
test_contradictions(void **state)
{
	(void)state;
	write_file("d/a.ini", "[global]\nworkers = 2\n[listener]\nbind = :1\n"
	    "[global]\n[upstream b]\nserver = s:1\nserver = s:2\n");
	write_file("d/b.ini", "[upstream b]\nserver = s:1\nserver = s:1\n"
	    "[listener c]\nbind = :1\nupstream = bb\n[defaults]\n"
	    "[global]\nworkers = 4\n[defaults]\n");
	write_file("main.ini", INCLUDE("d/*") "workers = 1\n[listener]\n"
	    "bind = 127.0.0.1:1\n[global]\n");
	assert_files_errors(
	    "@main.ini:6: second [global]; the first is at line 1\n"
	    "@d/a.ini:2: second 'workers' in [global]; the first is at "
	    "@main.ini:3\n"
	    "@d/a.ini:3: second [listener default]; the first is at "
	    "@main.ini:4\n"
	    "@d/a.ini:5: second [global]; the first is at line 1\n"
	    "@d/b.ini:1: second [upstream b]; the first is at @d/a.ini:6\n"
	    "@d/b.ini:6: there is no [upstream bb]\n"
	    "@d/b.ini:9: second 'workers' in [global]; the first is at "
	    "@main.ini:3\n"
	    "@d/b.ini:10: second [defaults]; the first is at line 7\n");
}

static void
test_second_places(void **state)
{
	(void)state;
	write_file("d/a.ini", "[listener a]\nbind = 127.0.0.1:1\n");
	write_file("d/b.ini", "[listener b]\nbind = 127.0.0.1:1\n"
	    "bind = 127.0.0.1:1\n");
	write_file("main.ini", INCLUDE("d/*") UPSTREAM);
	assert_files_errors(
	    "@d/b.ini:2: bind '127.0.0.1:1' overlaps with '127.0.0.1:1' at "
	    "@d/a.ini:2\n"
	    "@d/b.ini:3: bind '127.0.0.1:1' overlaps with '127.0.0.1:1' at "
	    "@d/a.ini:2\n"
	    "@d/b.ini:3: bind '127.0.0.1:1' overlaps with '127.0.0.1:1' at "
	    "line 2\n");
}

/* The errors of all files, in the order of the files. */
static void
test_errors_of_all_files(void **state)
{
	(void)state;
	write_file("d/a.ini", "[listener a]\nbund = :1\n\nx\n");
	write_file("d/b.ini", "");
	write_file("b.ini", "\n\nkey = 1\n");
	write_file("main.ini", "[global]\ninclude = d/*\nworkers = x\n"
	    "include = b.ini\nwrkers = 1\ninclude =\ninclude = \"d/*\"\n");
	assert_files_errors(
	    "@main.ini:3: workers must be auto or a number from 1 to 256, not "
	    "'x'\n"
	    "@main.ini:5: unknown key 'wrkers' in [global]; did you mean "
	    "'workers'?\n"
	    "@main.ini:6: include needs a value\n"
	    "@main.ini:7: include is written without quotes\n"
	    "@d/a.ini:2: unknown key 'bund' in [listener a]; did you mean "
	    "'bind'?\n"
	    "@d/a.ini:4: a line is 'KEY = VALUE' or '[SECTION]': 'x'\n"
	    "@d/b.ini: is empty\n"
	    "@b.ini:3: 'key' stands before the first [section]\n");
}

/* What concerns the whole file is told behind its lines. */
static void
test_order_of_errors(void **state)
{
	(void)state;
	write_file("d/a.ini", "[upstream]\nhost = h\nport = x\n");
	write_file("main.ini", INCLUDE("d/*") "workers = x\n");
	assert_files_errors(
	    "@main.ini:3: workers must be auto or a number from 1 to 256, not "
	    "'x'\n"
	    "@main.ini: has no [listener]: there is nothing to forward\n"
	    "@d/a.ini:3: port must be a number from 1 to 65535, not 'x'\n");
}

/* What a file that is not there would have said is not missed as well. */
static void
test_nothing_follows_from_a_missing_file(void **state)
{
	(void)state;
	write_file("main.ini", INCLUDE("a.ini") "[listener]\nbind = :1\n"
	    "upstream = a\n");
	assert_files_errors("@main.ini:2: include '@a.ini': cannot open: No "
	    "such file or directory\n");
	write_file("d/x\ny.ini", UPSTREAM);
	write_file("main.ini", INCLUDE("d/*") "[listener]\nbind = :1\n");
	assert_files_errors("@main.ini:2: include 'd/*': a file's name "
	    "contains a control character or bytes that are not UTF-8\n");
}

static void
test_include_of_an_included_file(void **state)
{
	(void)state;
	write_file("d/a.ini", INCLUDE("b.ini") UPSTREAM);
	write_file("main.ini", INCLUDE("d/a.ini") "[listener]\nbind = :1\n");
	assert_files_errors("@d/a.ini:2: include may stand in '@main.ini' "
	    "only, not in a file that it includes\n");
}

static void
test_a_file_twice(void **state)
{
	(void)state;
	write_file("a.ini", UPSTREAM);
	assert_int_equal(symlink("../a.ini", at("d/a.ini")), 0);
	write_file("main.ini", "[global]\ninclude = *.ini\ninclude = d/*\n"
	    "[listener]\nbind = :1\n");
	assert_files_errors("@main.ini:2: include '@main.ini': is this file "
	    "itself\n"
	    "@main.ini:3: include '@d/a.ini': is included already, at line 2\n");
}

/* Without a writer an open(2) that waits would wait for ever. */
static void
test_what_is_no_file(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("d/dir.ini"), 0700), 0);
	assert_int_equal(mkfifo(at("d/fifo.ini"), 0600), 0);
	write_file("main.ini", INCLUDE("d/*") REST);
	alarm(10);
	assert_files_errors("@main.ini:2: include '@d/dir.ini': is a "
	    "directory, not a file\n"
	    "@main.ini:2: include '@d/fifo.ini': is not a regular file\n");
	alarm(0);
}

static void
test_a_name_that_is_no_text(void **state)
{
	(void)state;
	write_file("d/x\ny.ini", UPSTREAM);
	write_file("main.ini", INCLUDE("d/*.ini") REST);
	assert_files_errors("@main.ini:2: include 'd/*.ini': a file's name "
	    "contains a control character or bytes that are not UTF-8\n");
}

/* Root reads everything, and has nothing to test here. */
static void
test_what_may_not_be_read(void **state)
{
	char expected[256];

	(void)state;
	if (geteuid() == 0 && seteuid(65534) < 0)
		SKIP("root cannot be somebody else here");
	if (chmod(dir, 0755) < 0 && seteuid(0) == 0)
		assert_int_equal(chmod(dir, 0755), 0);
	write_file("d/a.ini", UPSTREAM);
	write_file("a.ini", UPSTREAM);
	write_file("main.ini", INCLUDE("d/*.ini") "include = a.ini\n" REST);
	assert_int_equal(chmod(at("d"), 0), 0);
	assert_int_equal(chmod(at("a.ini"), 0), 0);
	if (getuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	snprintf(expected, sizeof(expected), "@main.ini:2: include 'd/*.ini': "
	    "cannot read the folder: Permission denied\n"
	    "@main.ini:3: include '@a.ini': cannot open: Permission denied for "
	    "uid %u\n", (unsigned)geteuid());
	assert_files_errors(expected);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(at("d"), 0700), 0);
}

static void
test_not_from_arguments_or_memory(void **state)
{
	static const char *const sets[] = { "global.include=d/*",
		"listener.include=x", NULL };

	(void)state;
	write_file("main.ini", REST);
	assert_source_errors(&(struct config_source){ .path = at("main.ini"),
		.sets = sets },
	    "--set 'global.include=d/*': include may stand in a file only\n"
	    "--set 'listener.include=x': include may stand in a file only\n");
	assert_errors(INCLUDE("/etc/passwd") REST,
	    "t:2: include is for files\n");
}

/* What -T prints is one file that means the same, and says where from. */
static void
test_print(void **state)
{
	struct config *config;
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	write_file("d/a.ini", "[defaults]\nbacklog = 5\n" UPSTREAM);
	write_file("main.ini", INCLUDE("d/*.ini") "workers = 2\n[listener]\n"
	    "bind = :1\n");
	config = load();
	config_print(file, config, 0);
	fclose(file);
	assert_non_null(strstr(text, "; includes d/a.ini\n[global]\n"));
	assert_non_null(strstr(text, "\nworkers = 2 ; main.ini line 3\n"));
	assert_non_null(strstr(text, "\nbacklog = 5 ; d/a.ini line 2, "
	    "[defaults]\n"));
	assert_non_null(strstr(text, "\nhost = h ; d/a.ini line 4\n"));
	assert_null(strstr(text, "include ="));
	config_free(config);
	config_free(load_right(text));
	free(text);
}

static void
test_place(void **state)
{
	char place[CONFIG_PLACE];
	struct config *config;

	(void)state;
	write_file("d/a.ini", UPSTREAM);
	write_file("main.ini", INCLUDE("d/*.ini") "[listener]\nbind = :1\n");
	config = load();
	assert_string_equal(config_place(config, config->upstreams[0].origin,
	    place), at("d/a.ini:1"));
	assert_string_equal(config_place(config, config->listeners[0].origin,
	    place), at("main.ini:3"));
	assert_string_equal(config_place(config, (struct origin){
		.kind = ORIGIN_SET, .line = 1 }, place), "command line");
	config_free(config);
}

static void
test_too_many(void **state)
{
	struct config_errors errors;
	char name[32];

	(void)state;
	write_file("main.ini", INCLUDE("d/*") REST);
	for (int i = 0; i < 1002; i++) {
		snprintf(name, sizeof(name), "d/%04d", i);
		write_file(name, ";\n");
	}
	assert_null(config_load(&(struct config_source){
		.path = at("main.ini") }, &errors));
	assert_int_equal(errors.count, 2);
	assert_non_null(strstr(errors.lines[0], "/d/1000': 1000 files are "
	    "included before it, and more are not possible"));
	config_errors_free(&errors);
	for (int i = 0; i < 1002; i++) {
		snprintf(name, sizeof(name), "d/%04d", i);
		unlink(at(name));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, clear)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_absolute_paths),
		TEST(test_relative_to_the_file),
		TEST(test_environment),
		TEST(test_what_matches_nothing),
		TEST(test_shared_sections),
		TEST(test_contradictions),
		TEST(test_second_places),
		TEST(test_errors_of_all_files),
		TEST(test_order_of_errors),
		TEST(test_nothing_follows_from_a_missing_file),
		TEST(test_include_of_an_included_file),
		TEST(test_a_file_twice),
		TEST(test_what_is_no_file),
		TEST(test_a_name_that_is_no_text),
		TEST(test_what_may_not_be_read),
		TEST(test_not_from_arguments_or_memory),
		TEST(test_print),
		TEST(test_place),
		TEST(test_too_many),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
