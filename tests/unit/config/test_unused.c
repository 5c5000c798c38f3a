/* Options without effect: those of a section are errors, or warnings where
 * something else may give them one; those of [defaults] are as if not there. */
#include "support.h"

#define LISTENER "[listener]\nbind = :1\n"

/* What is wrong with lines of an upstream, from t:5 on. */
static void
assert_wrong(const char *server, const char *lines, const char *expected)
{
	char text[512];

	snprintf(text, sizeof(text), LISTENER "[upstream]\nserver = %s\n%s",
	    server, lines);
	assert_errors(text, expected);
}

static void
checks(void **state)
{
	static const char *const keys[] = { "check_interval = 5s",
		"check_interval = 2s", "check_timeout = 5s", "check_rise = 2",
		"check_fall = 4", "check_port = 80" };
	char line[64], wrong[128];

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(line, sizeof(line), "%s\n", keys[i]);
		snprintf(wrong, sizeof(wrong), "t:5: %.*s is not looked at "
		    "without 'check = tcp'\n", (int)strcspn(line, " "), line);
		assert_wrong("10.0.0.1:1", line, wrong);
		snprintf(line, sizeof(line), "%s\ncheck = tls\n", keys[i]);
		assert_wrong("10.0.0.1:1", line, SLUICE_OPENSSL ? "" :
		    "t:6: check = tls needs a build with OpenSSL; this one "
		    "has none\n");
		snprintf(line, sizeof(line), "check = off\n%s\n", keys[i]);
		assert_wrong("10.0.0.1:1", line, "");
	}
	assert_wrong("10.0.0.1:1", "check_send = x\ncheck_expect = y\n",
	    "t:5: check_send is not looked at without 'check = send_expect'\n"
	    "t:6: check_expect is not looked at without "
	    "'check = send_expect'\n");
	assert_wrong("10.0.0.1:1", "check = http\ncheck_send = /\n"
	    "check_expect = y\n", "t:7: check_expect is not looked at without "
	    "'check = send_expect'\n");
	assert_wrong("10.0.0.1:1", "on_down = kill\n", "");
	assert_wrong("10.0.0.1:1", "check = pong\ncheck_interval = 1s\n",
	    "t:5: check must be off, tcp, tls, send_expect or http, not "
	    "'pong'\n");
}

static void
ejections(void **state)
{
	(void)state;
	assert_wrong("10.0.0.1:1", "eject_time = 10s\neject_max_percent = 9\n",
	    "t:5: eject_time is not looked at without 'eject_after = 5'\n"
	    "t:6: eject_max_percent is not looked at without "
	    "'eject_after = 5'\n");
	assert_wrong("10.0.0.1:1", "eject_time = 9s\neject_after = off\n", "");
}

static void
balancing(void **state)
{
	(void)state;
	assert_wrong("10.0.0.1:1", "hash_key = client\n",
	    "t:5: hash_key is not looked at without 'balance = hash'\n");
	assert_wrong("10.0.0.1:1", "hash_key = sni\nbalance = round_robin\n",
	    "t:5: hash_key is not looked at without 'balance = hash'\n");
	assert_wrong("10.0.0.1:1", "hash_key = client\nbalance = first\n", "");
	assert_wrong("10.0.0.1:1", "slow_start = 9s\nbalance = hash\n",
	    "t:5: slow_start is not looked at with 'balance = hash' or "
	    "'first'\n");
	assert_wrong("10.0.0.1:1", "slow_start = off\nbalance = first\n", "");
	assert_wrong("10.0.0.1:1", "slow_start = 9s\n", "");
	assert_wrong("10.0.0.1:1 weight=2", "balance = first\n",
	    "t:4: weight= is not looked at with 'balance = first'\n");
	assert_wrong("10.0.0.1:1 weight=2", "balance = hash\n", "");
	assert_wrong("10.0.0.1:1", "balance = hsh\nhash_key = sni\n",
	    "t:5: balance must be round_robin, least_sessions, random_two, "
	    "hash or first, not 'hsh'\n");
}

static void
limits(void **state)
{
	(void)state;
	assert_wrong("10.0.0.1:1", "queue = 10\nqueue_timeout = 10s\n",
	    "t:5: queue is not looked at without "
	    "'server_max_sessions = 100'\n"
	    "t:6: queue_timeout is not looked at without "
	    "'server_max_sessions = 100'\n");
	assert_wrong("10.0.0.1:1 max_sessions=1", "queue = 10\n", "");
	assert_wrong("10.0.0.1:1", "server_max_sessions = 1\nqueue = 10\n",
	    "");
	assert_wrong("10.0.0.1:1", "server_max_sessions = off\nqueue = 10\n",
	    "");
}

static void
names(void **state)
{
	(void)state;
	assert_wrong("10.0.0.1:1", "dns_ttl_min = 2s\ndns_ttl_max = 2h\n",
	    "t:5: dns_ttl_min is not looked at without a server that is a "
	    "name\n"
	    "t:6: dns_ttl_max is not looked at without a server that is a "
	    "name\n");
	assert_wrong("unix:/a", "dns_ttl_min = 2s\n",
	    "t:5: dns_ttl_min is not looked at without a server that is a "
	    "name\n");
	assert_wrong("a.test:1", "dns_ttl_min = 2s\ndns_ttl_max = 2h\n", "");
	assert_wrong("a.test", "dns_ttl_min = 2s\n", "t:4: server 'a.test' "
	    "needs a port behind it, as in db1.internal:5432\n");
}

/* Each is there, but the configuration is, too. */
static void
assert_warned(const char *text, const char *expected)
{
	struct config_errors errors;
	struct config *config = config_load_text("t", text, strlen(text),
	    &errors);
	char *said = errors_text(&errors);

	assert_string_equal(said, expected);
	assert_non_null(config);
	config_free(config);
	config_errors_free(&errors);
	free(said);
}

static void
warnings(void **state)
{
	(void)state;
	assert_warned(LISTENER "[upstream]\nserver = a:1 backup\n"
	    "server = b:1 backup\n", "t:4: warning: [upstream default] has "
	    "backups alone, which then get all sessions\n");
	assert_warned(LISTENER "[upstream]\nserver = a:1 backup\n"
	    "server = b:1\n", "");
	assert_warned(LISTENER "[upstream]\nserver = a:1\n"
	    "on_no_server = unlisten\n", "t:5: warning: on_no_server = "
	    "unlisten notices servers that are down by 'check = tcp' or "
	    "another; without one, only 'sluice ctl server' takes them out, "
	    "or their name\n");
	assert_warned("[defaults]\non_no_server = unlisten\n" LISTENER
	    "[upstream]\nserver = a:1\n", "");
	if (SLUICE_CARES)
		assert_warned("[global]\ndns_server = 127.0.0.1\n" LISTENER
		    "[upstream]\nserver = unix:/a\n", "t:2: warning: "
		    "dns_server is not asked: no server is a name\n");
}

/* Errors say all there is to say. */
static void
warnings_beside_errors(void **state)
{
	(void)state;
	assert_errors(LISTENER "[upstream]\nserver = 10.0.0.1:1 backup\n"
	    "queue = 5\n",
	    "t:4: warning: [upstream default] has backups alone, which then "
	    "get all sessions\n"
	    "t:5: queue is not looked at without "
	    "'server_max_sessions = 100'\n");
}

static char *
print(const struct config *config)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	config_print(out, config, 0);
	fclose(out);
	return text;
}

/* And what -T says of them is a configuration again. */
static void
defaults(void **state)
{
	struct config *config = load_right("[defaults]\nhash_key = sni\n"
	    "slow_start = 9s\ndns_ttl_min = 2s\nqueue = 7\n"
	    "queue_timeout = 1s\ncheck_interval = 5s\ncheck_port = 9\n"
	    "check_send = x\ncheck_expect = x\neject_time = 9s\n" LISTENER
	    "upstream = a\n[upstream a]\nserver = 10.0.0.1:1\n"
	    "balance = first\n[upstream b]\nserver = b.test:1\n"
	    "balance = hash\ncheck = send_expect\neject_after = 2\n"
	    "server_max_sessions = 3\n");
	const struct upstream_conf *a = &config->upstreams[0],
	    *b = &config->upstreams[1];
	char *text;

	(void)state;
	assert_int_equal(a->hash_key, HASH_KEY_CLIENT);
	assert_int_equal(a->slow_start, 0);
	assert_int_equal(a->dns_ttl_min, 1000);
	assert_int_equal(a->queue, 1000);
	assert_int_equal(a->check_interval, 2000);
	assert_int_equal(a->check_port, 0);
	assert_null(a->check_send.text);
	assert_int_equal(a->eject_time, 10000);
	assert_int_equal(b->hash_key, HASH_KEY_SNI);
	assert_int_equal(b->slow_start, 0);
	assert_int_equal(b->dns_ttl_min, 2000);
	assert_int_equal(b->queue_timeout, 1000);
	assert_int_equal(b->check_port, 9);
	assert_int_equal(b->check_expect.len, 1);
	assert_int_equal(b->eject_time, 9000);
	text = print(config);
	config_free(config);
	config_free(load_right(text));
	free(text);
}

static void
defaults_by_set(void **state)
{
	static const char *const sets[] = { "defaults.check_interval=5s",
		"defaults.queue=5", "listener.L1.backlog=5", NULL };
	static const char *const forwards[] = { ":1=10.0.0.1:1", NULL };
	static const char *const own[] = { "upstream.L1.queue=5", NULL };

	(void)state;
	assert_source_errors(&(struct config_source){ .sets = sets,
		.forwards = forwards }, "");
	assert_source_errors(&(struct config_source){ .sets = own,
		.forwards = forwards }, "--set 'upstream.L1.queue=5': queue "
	    "is not looked at without 'server_max_sessions = 100'\n");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks),
		cmocka_unit_test(ejections),
		cmocka_unit_test(balancing),
		cmocka_unit_test(limits),
		cmocka_unit_test(names),
		cmocka_unit_test(warnings),
		cmocka_unit_test(warnings_beside_errors),
		cmocka_unit_test(defaults),
		cmocka_unit_test(defaults_by_set),
	};

	return cmocka_run_group_tests_name("unused", tests, NULL, NULL);
}
