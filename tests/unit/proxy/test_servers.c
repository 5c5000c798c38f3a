/* What sessions make of servers that are out, and what they count at them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/balance.h"
#include "workers.h"

/* One worker and these servers; the set is ours to look at. */
static struct endpoint_set *
run_with(struct rig *rig, const struct addr *at, size_t count,
    const char *upstream)
{
	struct endpoint_set *set = set_of(at, count);

	rig_load(rig, "", upstream);
	rig_new_workers(rig, 1);
	put_snapshot(rig, 0);
	put_endpoints(rig, endpoint_set_ref(set));
	return set;
}

static void
wait_for_taken(struct server_state *server, uint64_t count)
{
	uint64_t until = 0;

	while (server->taken != count && patient(&until))
		;
	assert_int_equal(server->taken, count);
}

static struct addr
closed_port(int *fd)
{
	struct addr at = loopback("127.0.0.1", 0);

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*fd, &at.sa, at.len), 0);
	return addr_of(*fd);
}

static void
none_usable_is_told_with_their_states(void **state)
{
	struct rig *rig = *state;
	struct addr at[2] = { rig->server_at, rig->server_at };
	struct endpoint_set *set = run_with(rig, at, 2, "");
	char why[CLOSERECORD_DETAIL];
	struct closerecord r;
	int client;

	set->endpoints[0].server->out = SERVER_DRAINING;
	set->endpoints[1].server->out = SERVER_EJECTED;
	rig_start(rig);
	client = peer_connect(&rig->at);
	assert_int_equal(peer_end(client), -ECONNRESET);
	close(client);
	r = next_record(rig, 0);
	assert_string_equal(r.phase, "connect");
	assert_int_equal(r.ending.by, BY_PROXY);
	assert_int_equal(r.ending.how, HOW_ERROR);
	assert_int_equal(r.ending.error, 0);
	assert_string_equal(r.ending.cause, "no server");
	assert_string_equal(r.detail, balance_why(set, why, sizeof(why)));
	assert_non_null(strstr(r.detail, "drains"));
	assert_non_null(strstr(r.detail, "is ejected"));
	assert_string_equal(r.server, "");
	assert_int_equal(r.attempts, 0);
	assert_int_equal(connect_failures(rig), 0);
	assert_false(is_readable(rig->server));
	endpoint_set_unref(set);
}

static void
who_is_out_is_not_tried(void **state)
{
	struct rig *rig = *state;
	struct addr at[2];
	struct endpoint_set *set;
	struct talk t;
	int fd;

	at[0] = closed_port(&fd);
	at[1] = rig->server_at;
	set = run_with(rig, at, 2, "");
	set->endpoints[0].server->out = SERVER_FAILING;
	rig_start(rig);
	for (int i = 0; i < 4; i++) {
		talk_begin(rig, &t);
		talk(&t);
		talk_end(&t);
	}
	assert_int_equal(connect_failures(rig), 0);
	close(fd);
	endpoint_set_unref(set);
}

/* It refuses, is found to be down before the next attempt, and that is that. */
static void
last_one_goes_down_meanwhile(void **state)
{
	struct rig *rig = *state;
	struct endpoint_set *set;
	struct closerecord r;
	uint64_t until = 0;
	struct addr at;
	int client, fd;

	at = closed_port(&fd);
	set = run_with(rig, &at, 1, "connect_attempts = 100");
	rig_start(rig);
	client = peer_connect(&rig->at);
	while (connect_failures(rig) == 0 && patient(&until))
		;
	set->endpoints[0].server->out = SERVER_EJECTED;
	assert_int_equal(peer_end(client), -ECONNRESET);
	close(client);
	r = next_record(rig, 0);
	assert_string_equal(r.ending.cause, "no server");
	assert_int_equal(r.ending.error, -ECONNREFUSED);
	assert_true(r.attempts >= 1 && r.attempts < 100);
	assert_int_equal(r.attempts, connect_failures(rig));
	wait_for_taken(set->endpoints[0].server, 0);
	close(fd);
	endpoint_set_unref(set);
}

static void
sessions_are_counted_where_they_are(void **state)
{
	struct rig *rig = *state;
	struct addr at[2];
	struct endpoint_set *set;
	struct talk t[3];
	int fd;

	at[0] = rig->server_at;
	at[1] = closed_port(&fd);
	set = run_with(rig, at, 2, "");
	rig_start(rig);
	for (int i = 0; i < 3; i++) {
		talk_begin(rig, &t[i]);
		talk(&t[i]);
	}
	assert_true(connect_failures(rig) >= 1);
	wait_for_taken(set->endpoints[0].server, 3);
	wait_for_taken(set->endpoints[1].server, 0);
	assert_int_equal(set->endpoints[0].server->sessions, 3);
	for (int i = 0; i < 3; i++)
		talk_end(&t[i]);
	wait_for_taken(set->endpoints[0].server, 0);
	close(fd);
	endpoint_set_unref(set);
}

/* Also while a connection is on its way, whoever ends it. */
static void
attempts_are_counted_until_they_end(void **state)
{
	struct rig *rig = *state;
	int busy = peer_listen(0), queued[2], client;
	struct addr at = addr_of(busy);
	struct endpoint_set *set = run_with(rig, &at, 1,
	    "connect_timeout = 10m\nconnect_attempts = 1");

	for (int i = 0; i < 2; i++) {
		queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(queued[i], &at.sa, at.len);
	}
	rig_start(rig);
	client = peer_connect(&rig->at);
	wait_for_taken(set->endpoints[0].server, 1);
	assert_int_equal(set->endpoints[0].server->sessions, 0);
	peer_reset(client);
	wait_for_taken(set->endpoints[0].server, 0);
	close(busy);
	close(queued[0]);
	close(queued[1]);
	endpoint_set_unref(set);
}

#define ON_RIG(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(none_usable_is_told_with_their_states),
		ON_RIG(who_is_out_is_not_tried),
		ON_RIG(last_one_goes_down_meanwhile),
		ON_RIG(sessions_are_counted_where_they_are),
		ON_RIG(attempts_are_counted_until_they_end),
	};
	int failed;

	workers_prepare();
	failed = cmocka_run_group_tests_name("servers", tests, NULL, NULL);
	libevent_global_shutdown(); /* its notes hide leaks */
	return failed;
}
