#include "support.h"

#include "rows.h"

#include <errno.h>

static char *
print(const struct config *config)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	config_print(file, config, 0);
	fclose(file);
	return text;
}

/* The text without what stands behind " ; ". */
static char *
without_origins(char *text)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		if (strncmp(in, " ; ", 3) == 0)
			in += strcspn(in, "\n");
		*out++ = *in;
	}
	*out = '\0';
	return text;
}

/* What -T prints is a proxy.ini that means the same. */
static void
assert_round_trip(struct config *config)
{
	char *first = print(config), *second;
	struct config *again = load_right(first);

	second = print(again);
	assert_string_equal(without_origins(first), without_origins(second));
	free(first);
	free(second);
	config_free(again);
	config_free(config);
}

static void
test_round_trip_of_a_small_file(void **state)
{
	(void)state;
	assert_round_trip(load_right(REST));
}

static void
test_round_trip_of_everything(void **state)
{
	(void)state;
	assert_round_trip(load_right("[global]\nworkers = 3\n"
	    "max_sessions = 100\ndrain_timeout = off\nlog = stderr\n"
	    "log_level = debug\naccess_log = no\nadmin = [::1]:0\n"
	    "user = u\ngroup = g\npid_file = /p\nlog_format = json\n"
	    "access_log_interval = 1h\naccess_log_start = on\n"
	    "admin_socket = /s\nadmin_group = 1\n"
	    "[defaults]\nkeepalive_idle = 90s\nsource = ::1\n"
	    "source = 10.0.0.1\n"
	    "[listener a]\nbind = :1-3\nbind = unix:/tmp/\xc3\xa4x\n"
	    "bind = [fe80::1%lo]:9\nmax_sessions = 7\nidle_timeout = off\n"
	    "half_close_timeout = 1500ms\nmax_lifetime = 7d\n"
	    "stall_timeout = 3m\nbacklog = 9\nkeepalive = off\n"
	    "keepalive_interval = 1s\nkeepalive_count = 9\n"
	    "tcp_nodelay = false\nreceive_buffer = 64k\nsend_buffer = 1025\n"
	    "upstream = b\nsocket_mode = 660\nsocket_owner = a:b\n"
	    "interface = eth0.7\nfreebind = on\ntransparent = on\n"
	    "fast_open = on\ndefer_accept = 5s\nmptcp = on\n"
	    "bandwidth_to_upstream = 1k\nbandwidth_to_client = 1G\n"
	    "[upstream b]\nserver = db1.internal:5 weight=9 backup name=x\n"
	    "server = unix:@abstract\nserver = [::1]:4 backup\n"
	    "connect_timeout = 200ms\nconnect_attempts = 9\n"
	    "[upstream c]\nhost = ::1\nport = 4\nsource = [2001:db8::7]\n"
	    "[upstream d]\nhost = ::1\nport = 4\nsource = client\n"));
}

static void
test_round_trip_of_logs(void **state)
{
	(void)state;
	assert_round_trip(load_right("[global]\nlog = file:/a b\n"
	    "access_log = syslog" REST));
	assert_round_trip(load_right("[global]\nlog = syslog\n"
	    "access_log = file:/$$\nadmin_socket = off\npid_file = off" REST));
	assert_round_trip(load_right("[global]\naccess_log = yes" REST));
}

static void
test_round_trip_of_the_longest_lines(void **state)
{
	char text[2048], path[102] = "";

	(void)state;
	memset(path, 'p', 101);
	snprintf(text, sizeof(text), "[listener]\nbind = unix:/%s\n"
	    "[upstream]\nserver = unix:@%s name=%.32s weight=1000 backup\n"
	    "server = a:1\n", path, path, path);
	assert_round_trip(load_right(text));
}

/* Without the blanks around '=' it just fits; with them it would not. */
static void
test_round_trip_of_lines_that_just_fit(void **state)
{
	char text[1024], path[300];

	(void)state;
	memset(path, 'p', sizeof(path));
	snprintf(text, sizeof(text), "[global]\nadmin_socket=/%.184s\n"
	    "pid_file=/%.178s$$$${\n[listener]\nbind=unix:/$$$$/%.90s\n"
	    "[upstream]\nserver=unix:/$$/${NONE:-%.80s}\n", path, path, path,
	    path);
	assert_round_trip(load_right(text));
}

static bool
has_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	while (at != NULL && ((at > text && at[-1] != '\n') ||
	    at[strlen(line)] != '\n'))
		at = strstr(at + 1, line);
	return at != NULL;
}

static void
test_origins(void **state)
{
	static const char *const sets[] = { "global.workers=2",
		"listener.a.bind=:7", NULL };
	static const char *const forwards[] = { ":9=db:1", NULL };
	char path[] = "/tmp/test_print_XXXXXX", *text;
	FILE *file = fdopen(mkstemp(path), "w");
	struct config_errors errors;
	struct config *config;

	(void)state;
	assert_non_null(file);
	fputs("[defaults]\nidle_timeout = 60m\nsource = ::1\n[listener a]\n"
	      "bind = :1\nbacklog = 5\nupstream = a\n[upstream a]\n"
	      "server = a:1\nserver = b:1\n", file);
	fclose(file);
	config = config_load(&(struct config_source){ .path = path,
		.sets = sets, .forwards = forwards }, &errors);
	remove(path);
	assert_non_null(config);
	text = print(config);
	assert_true(has_line(text, "workers = 2 ; --set"));
	assert_true(has_line(text, "log = stderr ; default"));
	assert_true(has_line(text, "bind = :7 ; --set"));
	assert_true(has_line(text, "bind = :9 ; -L"));
	assert_true(has_line(text, "idle_timeout = 1h ; line 2, [defaults]"));
	assert_true(has_line(text, "keepalive_idle = 60s ; default"));
	assert_true(has_line(text, "backlog = 5 ; line 6"));
	assert_true(has_line(text, "server = a:1 ; line 9"));
	assert_true(has_line(text, "server = b:1 ; line 10"));
	assert_true(has_line(text, "source = ::1 ; line 3, [defaults]"));
	assert_true(has_line(text, "upstream = a ; line 7"));
	assert_true(has_line(text, "upstream = L1 ; -L"));
	free(text);
	config_free(config);
}

static char *
help(const char *key, int expected)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	assert_int_equal(option_help(file, file, key), expected);
	fclose(file);
	return text;
}

/* Every row says what it is, within the width of a terminal. */
static void
test_help_has_every_option(void **state)
{
	char *text = help(NULL, 0), *save = NULL;

	(void)state;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char line[256], *one = help(OPTIONS[i].key, 0);

		assert_non_null(OPTIONS[i].doc);
		assert_true(strlen(OPTIONS[i].doc) > 10);
		assert_int_equal(strstr(OPTIONS[i].doc, "takes a restart") !=
		    NULL, OPTIONS[i].restart);
		snprintf(line, sizeof(line), "    %s%s%s", OPTIONS[i].key,
		    OPTIONS[i].standard != NULL ? " = " : "",
		    OPTIONS[i].standard != NULL ? OPTIONS[i].standard : "");
		assert_true(has_line(text, line));
		assert_true(has_line(one, line));
		free(one);
	}
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		assert_in_range(strlen(line), 1, 79);
	free(text);
}

static void
test_help_of_one(void **state)
{
	char *text = help("connect_timeout", 0);

	(void)state;
	assert_string_equal(text, "[upstream] or [defaults]\n"
	    "    connect_timeout = 5s\n"
	    "        a duration from 1ms to 3650d\n"
	    "        How long one attempt to connect may take, and how long the "
	    "answer may\n"
	    "        take for a client that comes while no name resolves: a "
	    "name is then\n"
	    "        asked for again, once a second at most.\n");
	free(text);
	text = help("conect_timeout", -ENOENT);
	assert_string_equal(text, "there is no option 'conect_timeout'; did "
	    "you mean 'connect_timeout'?\n");
	free(text);
	text = help("idle", -ENOENT);
	assert_string_equal(text, "there is no option 'idle'; there is "
	    "idle_timeout, keepalive_idle\n");
	free(text);
	text = help("", -ENOENT);
	assert_string_equal(text, "there is no option ''\n");
	free(text);
}

/* conf/proxy.full.ini changes nothing; tests run at the top of the tree. */
static void
test_full_file_is_the_defaults(void **state)
{
	struct config_errors errors;
	struct config *full = config_load(&(struct config_source){
		.path = "conf/proxy.full.ini" }, &errors);
	struct config *small = load_right("[listener]\n"
	    "bind = 127.0.0.1:15432\n[upstream]\nhost = 127.0.0.1\n"
	    "port = 5432\n");
	char *one, *other;

	(void)state;
	assert_non_null(full);
	one = print(full);
	other = print(small);
	assert_string_equal(without_origins(one), without_origins(other));
	free(one);
	free(other);
	config_free(full);
	config_free(small);
}

/* What has no default shows how it is written, and rightly. */
static void
test_examples(void **state)
{
	char line[256];

	(void)state;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &OPTIONS[i];
		enum section_kind kind = o->kind;

		assert_true((o->standard == NULL) == (o->example != NULL));
		if (o->standard != NULL || o->type == &TYPE_INCLUDE ||
		    o->type == &TYPE_NAME || o->type == &TYPE_HOST ||
		    strcmp(o->key, "port") == 0 ||
		    (o->type == &TYPE_DNS_SERVER && !SLUICE_CARES))
			continue;
		/* these alone mean nothing, but what others want */
		if (strncmp(o->key, "check_", 6) == 0)
			kind = SECTION_DEFAULTS;
		snprintf(line, sizeof(line), "%s = %s", o->key, o->example);
		assert_line(section_word(kind), line, "");
	}
}

/* The table keeps its own promises. */
static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &OPTIONS[i];

		assert_ptr_equal(option_find(o->kind, o->key), o);
		assert_true(o->kind != SECTION_DEFAULTS);
		assert_false(o->shared && o->kind == SECTION_GLOBAL);
		assert_true(o->min <= o->max);
		assert_false(o->list && o->standard != NULL);
		/* [defaults] has one key for both sides: of the same type. */
		for (size_t j = 0; o->shared && j < i; j++)
			assert_false(OPTIONS[j].shared &&
			    strcmp(OPTIONS[j].key, o->key) == 0 &&
			    OPTIONS[j].type != o->type);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip_of_a_small_file),
		cmocka_unit_test(test_round_trip_of_everything),
		cmocka_unit_test(test_round_trip_of_logs),
		cmocka_unit_test(test_round_trip_of_the_longest_lines),
		cmocka_unit_test(test_round_trip_of_lines_that_just_fit),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_help_has_every_option),
		cmocka_unit_test(test_help_of_one),
		cmocka_unit_test(test_full_file_is_the_defaults),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
