#include "support.h"

#include <unistd.h>

static char path[] = "/tmp/test_arguments_XXXXXX";

static int
make_file(void **state)
{
	static const char text[] = "[global]\nworkers = 2\n[listener pg]\n"
	    "bind = :1\nbind = :2\nidle_timeout = 5\n[upstream]\nhost = h\n"
	    "port = 1\n";
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -1;
	close(fd);
	return 0;
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static struct config *
load_arguments(const struct config_source *source)
{
	struct config_errors errors;
	struct config *config = config_load(source, &errors);
	char *text = errors_text(&errors);

	assert_string_equal(text, "");
	free(text);
	config_errors_free(&errors);
	return config;
}

static void
test_forwards_without_a_file(void **state)
{
	static const char *const forwards[] = { ":5432=db1.internal:5432",
		"127.0.0.1:80-82=[::1]:80", "unix:/run/a=unix:/run/b", NULL };
	struct config *config = load_arguments(&(struct config_source){
		.forwards = forwards });

	(void)state;
	assert_null(config->path);
	assert_int_equal(config->nlisteners, 3);
	assert_int_equal(config->nupstreams, 3);
	assert_string_equal(config->listeners[0].name, "L1");
	assert_true(config->listeners[0].binds[0].dual);
	assert_string_equal(config->listeners[0].upstream->name, "L1");
	assert_string_equal(config->upstreams[0].servers[0].host,
	    "db1.internal");
	assert_int_equal(config->listeners[1].binds[0].ports, 3);
	assert_string_equal(config->listeners[2].name, "L3");
	assert_string_equal(config->upstreams[2].servers[0].name,
	    "unix:/run/b");
	assert_int_equal(config->listeners[2].origin.kind, ORIGIN_LISTEN);
	assert_int_equal(config->listeners[2].binds[0].origin.line, 3);
	config_free(config);
}

static void
test_wrong_forwards(void **state)
{
	static const char *const forwards[] = { ":5432", "=db:1", ":1=",
		"5432=db:1", ":2=db", ":3=db:0", ":4=db:1 backup", ":5=db:1",
		":5=db:2", ":\xff=db:1", NULL };

	(void)state;
	assert_source_errors(&(struct config_source){ .forwards = forwards },
	    "-L ':5432': write BIND=UPSTREAM, as in "
	    "':5432=db1.internal:5432'\n"
	    "-L '=db:1': write BIND=UPSTREAM, as in "
	    "':5432=db1.internal:5432'\n"
	    "-L ':1=': write BIND=UPSTREAM, as in ':5432=db1.internal:5432'\n"
	    "-L '5432=db:1': bind '5432' needs a colon: write ':5432'\n"
	    "-L ':2=db': server 'db' needs a port behind it, as in "
	    "db1.internal:5432\n"
	    "-L ':3=db:0': server 'db:0' needs a port from 1 to 65535\n"
	    "-L ':4=db:1 backup': write BIND=UPSTREAM, as in "
	    "':5432=db1.internal:5432'\n"
	    "-L ':5=db:2': bind ':5' overlaps with ':5' at -L\n"
	    "-L ':\\xff=db:1': contains a control character or bytes that are "
	    "not UTF-8\n");
}

static void
test_forward_beside_a_file(void **state)
{
	static const char *const forwards[] = { ":3=db:1", NULL };
	static const char *const sets[] = { "listener.pg.idle_timeout=1h",
		"listener.pg.upstream=default", "listener.L1.idle_timeout=2h",
		NULL };
	struct config *config = load_arguments(&(struct config_source){
		.path = path, .forwards = forwards, .sets = sets });

	(void)state;
	assert_int_equal(config->nlisteners, 2);
	assert_string_equal(config->path, path);
	assert_int_equal(config->listeners[0].idle_timeout, 3600000);
	assert_string_equal(config->listeners[1].name, "L1");
	assert_int_equal(config->listeners[1].idle_timeout, 7200000);
	config_free(config);
}

static void
test_sets(void **state)
{
	static const char *const sets[] = { "global.workers=3",
		"global.workers=4", "listener.pg.idle_timeout= 1h ",
		"defaults.keepalive=off", "upstream.default.port=7",
		"upstream.connect_timeout=1s", "listener.pg.bind=:8",
		"listener.pg.bind=:9", NULL };
	struct config *config = load_arguments(&(struct config_source){
		.path = path, .sets = sets });

	(void)state;
	assert_int_equal(config->global.workers, 4);
	assert_int_equal(config->listeners[0].idle_timeout, 3600000);
	assert_false(config->listeners[0].tcp.keepalive);
	assert_int_equal(config->upstreams[0].servers[0].port, 7);
	assert_int_equal(config->upstreams[0].connect_timeout, 1000);
	assert_int_equal(config->listeners[0].nbinds, 2);
	assert_string_equal(config->listeners[0].binds[0].text, ":8");
	assert_string_equal(config->listeners[0].binds[1].text, ":9");
	config_free(config);
}

static void
test_wrong_sets(void **state)
{
	static const char *const sets[] = { "workers=1", "global.workers",
		"global.=1", ".workers=1", "global.x.workers=1", "a.b.c.d=1",
		"globl.workers=1", "global.wrkers=1", "global.bind=:1",
		"listener.gp.bind=:1", "listener.bind=:1", "upstream.x y.port=1",
		"global.workers=x", "global.workers=", "global.workers=1 ;2",
		"global.workers=1 # 2", "global.workers=1\n2",
		"listener.pg.idle_timeout=1h", NULL };
	struct config_source source = { .path = path, .sets = sets };

	(void)state;
	assert_source_errors(&source,
	    "--set 'workers=1': write section.key=value or "
	    "section.NAME.key=value\n"
	    "--set 'global.workers': write section.key=value or "
	    "section.NAME.key=value\n"
	    "--set 'global.=1': write section.key=value or "
	    "section.NAME.key=value\n"
	    "--set '.workers=1': write section.key=value or "
	    "section.NAME.key=value\n"
	    "--set 'global.x.workers=1': [global] takes no name: 'x'\n"
	    "--set 'a.b.c.d=1': write section.key=value or "
	    "section.NAME.key=value\n"
	    "--set 'globl.workers=1': unknown section 'globl'; did you mean "
	    "'global'?\n"
	    "--set 'global.wrkers=1': unknown key 'wrkers' in [global]; did "
	    "you mean 'workers'?\n"
	    "--set 'global.bind=:1': 'bind' belongs in [listener], not in "
	    "[global]\n"
	    "--set 'listener.gp.bind=:1': there is no [listener gp]; did you "
	    "mean 'pg'?\n"
	    "--set 'listener.bind=:1': there is no [listener default]\n"
	    "--set 'upstream.x y.port=1': a name is 1 to 32 of the letters "
	    "A-Z a-z 0-9 _ -, not 'x y'\n"
	    "--set 'global.workers=': workers needs a value\n"
	    "--set 'global.workers=1 ;2': contains the start of a comment\n"
	    "--set 'global.workers=1 # 2': contains the start of a comment\n"
	    "--set 'global.workers=1\\n2': contains a control character or "
	    "bytes that are not UTF-8\n");
}

static void
test_long_argument_is_cut_in_its_message(void **state)
{
	char set[2000];
	const char *sets[] = { set, "listener.pg.idle_timeout=1h", NULL };
	struct config_errors errors;

	(void)state;
	memset(set, 's', sizeof(set));
	set[sizeof(set) - 1] = '\0';
	assert_null(config_load(&(struct config_source){ .path = path,
		.sets = sets }, &errors));
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.lines[0],
	    "...': is 1999 bytes long, and 198 is the most"));
	assert_true(strlen(errors.lines[0]) < 200);
	config_errors_free(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forwards_without_a_file),
		cmocka_unit_test(test_wrong_forwards),
		cmocka_unit_test(test_forward_beside_a_file),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_wrong_sets),
		cmocka_unit_test(test_long_argument_is_cut_in_its_message),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
