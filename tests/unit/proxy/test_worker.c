#include "proxy/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "limit.h"
#include "workers.h"

/* --- forwarding */

static void
forwards_one_session(void **state)
{
	struct rig *rig = *state;
	const struct listener_stats *stats;
	const struct upstream_stats *upstream;
	struct closerecord r;
	struct talk t;

	atomic_store(&rig->shared.log_asleep, true);
	rig_run(rig, 1, "");
	talk_begin(rig, &t);
	talk(&t);
	assert_int_equal(worker_sessions(rig->workers[0]), 1);
	wait_for_sessions(rig, 1);
	talk_end(&t);
	wait_for_sessions(rig, 0);
	assert_int_equal(worker_sessions(rig->workers[0]), 0);

	stats = counted(rig, 0);
	assert_int_equal(counter_get(&stats->begun), 1);
	assert_int_equal(counter_get(&stats->ended[BY_CLIENT][HOW_FIN]), 1);
	assert_int_equal(listener_stats_ended(stats), 1);
	assert_int_equal(counter_get(&stats->probes), 0);
	assert_int_equal(counter_get(&stats->bytes_to_upstream), 8);
	assert_int_equal(counter_get(&stats->bytes_to_client), 6);
	assert_int_equal(histogram_count(&stats->lasted), 1);
	upstream = worker_stats(rig->workers[0])->upstreams;
	assert_int_equal(counter_get(&upstream->attempts), 1);
	assert_int_equal(counter_get(&upstream->sessions), 1);
	assert_int_equal(upstream_stats_failures(upstream), 0);
	assert_int_equal(histogram_count(&upstream->connecting), 1);

	r = next_record(rig, 0);
	assert_string_equal(r.listener, "web");
	assert_string_equal(r.upstream, "api");
	assert_string_equal(r.phase, "relay");
	assert_int_equal(r.ending.by, BY_CLIENT);
	assert_int_equal(r.ending.how, HOW_FIN);
	assert_int_equal(r.bytes_to_upstream, 8);
	assert_int_equal(r.bytes_to_client, 6);
	assert_int_equal(r.attempts, 1);
	assert_int_equal(r.id, UINT64_C(0xabcd) << 48 | 1);
	assert_true(r.connect_ms <= r.first_byte_ms);
	assert_true(r.first_byte_ms <= r.total_ms);
	assert_no_record(rig, 0);
	assert_true(comes_readable(rig->shared.log_fd)); /* it was woken */
	assert_false(atomic_load(&rig->shared.log_asleep));
}

static void
knows_who_talks_to_whom(void **state)
{
	struct rig *rig = *state;
	char text[ADDR_TEXT], client[ADDR_TEXT];
	struct closerecord r;
	struct addr from;
	struct talk t;

	rig_run(rig, 1, "");
	talk_begin(rig, &t);
	talk(&t);
	from = addr_of(t.client);
	addr_text(&from, client);
	talk_end(&t);
	r = next_record(rig, 0);
	assert_string_equal(peer_text(&r.client, text), client);
	assert_string_equal(r.server, addr_text(&rig->server_at, text));
}

static void
each_half_has_its_own_end(void **state)
{
	struct rig *rig = *state;
	struct talk t;

	rig_run(rig, 1, "");
	talk_begin(rig, &t);
	peer_send(t.client, "all");
	shutdown(t.client, SHUT_WR);
	peer_expect(t.server, "all");
	assert_int_equal(peer_end(t.server), 0);
	peer_send(t.server, "late answer");
	peer_expect(t.client, "late answer");
	close(t.server);
	assert_int_equal(peer_end(t.client), 0);
	close(t.client);
	wait_for_sessions(rig, 0);
}

static void
reset_is_passed_on_as_reset(void **state)
{
	struct rig *rig = *state;
	struct closerecord r;
	struct talk t;

	rig_run(rig, 1, "");
	talk_begin(rig, &t);
	talk(&t);
	peer_reset(t.client);
	assert_int_equal(peer_end(t.server), -ECONNRESET);
	close(t.server);
	r = next_record(rig, 0);
	assert_int_equal(r.ending.by, BY_CLIENT);
	assert_int_equal(r.ending.how, HOW_RST);
	assert_string_equal(r.detail, "");
	assert_int_equal(r.ending.error, -ECONNRESET);

	talk_begin(rig, &t);
	talk(&t);
	peer_reset(t.server);
	assert_int_equal(peer_end(t.client), -ECONNRESET);
	close(t.client);
	r = next_record(rig, 0);
	assert_int_equal(r.ending.by, BY_UPSTREAM);
	assert_int_equal(r.ending.how, HOW_RST);
	assert_string_equal(r.detail, "");
}

/* Its reset is met by a send as well, which says EPIPE: no FIN for all that. */
static void
reset_of_a_slow_reader_is_passed_on(void **state)
{
	static const char zeros[65536];
	struct rig *rig = *state;
	struct pollfd p;
	struct talk t;

	rig_run(rig, 1, "");
	talk_begin(rig, &t);
	talk(&t);
	p = (struct pollfd){ .fd = t.server, .events = POLLOUT };
	while (poll(&p, 1, 100) == 1) /* until nothing moves any more */
		send(t.server, zeros, sizeof(zeros), MSG_DONTWAIT);
	peer_reset(t.client);
	assert_int_equal(peer_end(t.server), -ECONNRESET);
	close(t.server);
}

/* One direction: bytes that can be told from where they stand. */
struct stream {
	int    from, to;
	size_t sent, got;
};

#define STREAM (3u << 20)

static uint8_t
stream_byte(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 11);
}

/* Until no more is taken, then FIN. */
static void
stream_write(struct stream *s)
{
	uint8_t bytes[4096];
	ssize_t n = 1;

	while (s->sent < STREAM && n > 0) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = stream_byte(s->sent + i);
		n = send(s->from, bytes, sizeof(bytes), MSG_DONTWAIT |
		    MSG_NOSIGNAL);
		if (n > 0)
			s->sent += (size_t)n;
		if (s->sent >= STREAM)
			shutdown(s->from, SHUT_WR);
	}
}

/* Whether anything came. */
static bool
stream_read(struct stream *s)
{
	uint8_t bytes[50000];
	ssize_t n = recv(s->to, bytes, sizeof(bytes), MSG_DONTWAIT);

	for (ssize_t i = 0; i < n; i++)
		if (bytes[i] != stream_byte(s->got++))
			fail_msg("byte %zu is another", s->got - 1);
	return n > 0;
}

/* The readers begin when the writers are stuck, and are slower than they. */
static void
assert_streams(struct rig *rig)
{
	struct stream up, down;
	uint64_t until = 0;
	struct talk t;

	talk_begin(rig, &t);
	up = (struct stream){ .from = t.client, .to = t.server };
	down = (struct stream){ .from = t.server, .to = t.client };
	while (up.got < up.sent || down.got < down.sent || up.sent < STREAM ||
	    down.sent < STREAM) {
		bool moved;

		stream_write(&up);
		stream_write(&down);
		moved = stream_read(&up);
		if (!(stream_read(&down) || moved) && !patient(&until))
			break;
	}
	assert_int_equal(up.got, up.sent);
	assert_int_equal(down.got, down.sent);
	assert_true(up.got >= STREAM && down.got >= STREAM);
	assert_int_equal(peer_end(t.server), 0);
	assert_int_equal(peer_end(t.client), 0);
	close(t.client);
	close(t.server);
	wait_for_sessions(rig, 0);
}

static void
no_byte_is_lost_to_a_slow_reader(void **state)
{
	struct rig *rig = *state;

	rig_run(rig, 1, "");
	assert_streams(rig);
}

/* What is kept back goes out in several pieces. */
static void
no_byte_is_lost_in_small_buffers(void **state)
{
	struct rig *rig = *state;
	int size = 8192;

	setsockopt(rig->listening, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	rig_load(rig, "", "send_buffer = 8k");
	rig_new_workers(rig, 1);
	put_snapshot(rig, 0);
	put_server(rig, &rig->server_at);
	rig_start(rig);
	assert_streams(rig);
}

/* A byte either way, and it is no probe any more. */
static void
a_greeting_is_logged(void **state)
{
	struct rig *rig = *state;
	struct closerecord r;
	struct talk t;

	rig_run(rig, 1, "");
	talk_begin(rig, &t);
	peer_send(t.server, "220");
	peer_expect(t.client, "220");
	talk_end(&t);
	wait_for_sessions(rig, 0);
	assert_int_equal(counter_get(&counted(rig, 0)->probes), 0);
	assert_int_equal(histogram_count(&counted(rig, 0)->lasted), 1);
	r = next_record(rig, 0);
	assert_int_equal(r.ending.by, BY_CLIENT);
	assert_int_equal(r.bytes_to_client, 3);
}

static void
silence_is_counted_and_not_logged(void **state)
{
	struct rig *rig = *state;
	struct talk t;

	rig_run(rig, 1, "");
	talk_begin(rig, &t);
	talk_end(&t);
	wait_for_sessions(rig, 0);
	assert_int_equal(counter_get(&counted(rig, 0)->probes), 1);
	assert_int_equal(listener_stats_ended(counted(rig, 0)), 1);
	assert_int_equal(histogram_count(&counted(rig, 0)->lasted), 0);
	assert_no_record(rig, 0);
}

static void
no_record_without_an_access_log(void **state)
{
	struct rig *rig = *state;
	struct talk t;

	rig->shared.records_wanted = false;
	rig_run(rig, 1, "");
	talk_begin(rig, &t);
	talk(&t);
	talk_end(&t);
	wait_for_sessions(rig, 0);
	assert_no_record(rig, 0);
}

static void
idle_session_is_cut_by_its_rule(void **state)
{
	struct rig *rig = *state;
	struct closerecord r;
	struct talk t;

	rig_run(rig, 1, "idle_timeout = 200ms");
	talk_begin(rig, &t);
	talk_is_cut(&t);
	r = next_record(rig, 0);
	assert_int_equal(r.ending.by, BY_PROXY);
	assert_int_equal(r.ending.how, HOW_TIMEOUT);
	assert_string_equal(r.ending.rule, "idle_timeout");
	assert_int_equal(r.ending.limit_ms, 200);
	assert_true(r.total_ms >= 200);
}

/* --- routes and servers */

static void
waits_until_the_addresses_are_known(void **state)
{
	struct rig *rig = *state;
	int clients[3], server;

	rig_load(rig, "", "");
	rig_new_workers(rig, 1);
	put_snapshot(rig, 0);
	rig_start(rig);
	for (int i = 0; i < 3; i++) {
		clients[i] = peer_connect(&rig->at);
		peer_send(clients[i], "early");
	}
	wait_for_sessions(rig, 3);
	peer_reset(clients[2]); /* has no patience */
	wait_for_sessions(rig, 2);
	assert_false(is_readable(rig->server));

	put_server(rig, &rig->server_at);
	for (int i = 0; i < 2; i++) {
		server = peer_accept(rig->server);
		peer_expect(server, "early");
		close(server);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(peer_end(clients[i]), 0);
		close(clients[i]);
	}
	wait_for_sessions(rig, 0);
}

static void
waits_no_longer_than_connect_timeout(void **state)
{
	struct rig *rig = *state;
	struct closerecord r;
	int client;

	rig_load(rig, "", "connect_timeout = 200ms");
	rig_new_workers(rig, 1);
	put_snapshot(rig, 0);
	rig_start(rig);
	client = peer_connect(&rig->at);
	assert_int_equal(peer_end(client), -ECONNRESET);
	close(client);
	r = next_record(rig, 0);
	assert_string_equal(r.phase, "route");
	assert_int_equal(r.ending.how, HOW_TIMEOUT);
	assert_string_equal(r.ending.rule, "connect_timeout");
	assert_true(r.ending.of_upstream);
}

static void
put_nobody(struct rig *rig, const char *why)
{
	struct endpoint_set *set = set_of(NULL, 0);

	strcpy(set->why, why);
	put_endpoints(rig, set);
}

/* Main is asked to ask again, and its next answer counts. */
static void
no_server_is_an_error(void **state)
{
	struct rig *rig = *state;
	struct closerecord r;
	int client;

	rig_load(rig, "", "");
	rig_new_workers(rig, 1);
	put_snapshot(rig, 0);
	put_nobody(rig, "db.example: not yet");
	rig_start(rig);
	client = peer_connect(&rig->at);
	assert_true(comes_readable(rig->shared.failed_fd));
	assert_true(rig->shared.waits[0].nameless);
	assert_no_record(rig, 0);
	put_nobody(rig, "db.example: no such name");
	assert_int_equal(peer_end(client), -ECONNRESET);
	close(client);
	r = next_record(rig, 0);
	assert_string_equal(r.phase, "route");
	assert_int_equal(r.ending.how, HOW_ERROR);
	assert_string_equal(r.ending.cause, "no server");
	assert_string_equal(r.detail, "db.example: no such name");
	assert_string_equal(r.server, "");
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
refused_is_told_with_its_server(void **state)
{
	struct rig *rig = *state;
	char text[ADDR_TEXT];
	struct closerecord r;
	struct addr at;
	int client, fd;

	at = closed_port(&fd);
	rig_load(rig, "", "connect_attempts = 2");
	rig_new_workers(rig, 1);
	put_snapshot(rig, 0);
	put_server(rig, &at);
	rig_start(rig);
	client = peer_connect(&rig->at);
	assert_int_equal(peer_end(client), -ECONNRESET);
	close(client);
	r = next_record(rig, 0);
	assert_string_equal(r.phase, "connect");
	assert_int_equal(r.ending.how, HOW_ERROR);
	assert_int_equal(r.ending.error, -ECONNREFUSED);
	assert_int_equal(r.attempts, 2);
	assert_string_equal(r.server, addr_text(&at, text));
	assert_int_equal(counter_get(&worker_stats(rig->workers[0])->
	    upstreams->failures[CONNECT_REFUSED]), 2);
	assert_int_equal(connect_failures(rig), 2);
	close(fd);
}

/* With two servers in turn, one of two sessions meets the dead one first. */
static void
next_server_takes_over(void **state)
{
	struct rig *rig = *state;
	struct addr both[2];
	struct talk t;
	int fd;

	both[0] = closed_port(&fd);
	both[1] = rig->server_at;
	rig_load(rig, "", "");
	rig_new_workers(rig, 1);
	put_snapshot(rig, 0);
	put_endpoints(rig, set_of(both, 2));
	rig_start(rig);
	for (int i = 0; i < 2; i++) {
		t.client = peer_connect(&rig->at);
		peer_send(t.client, "early");
		t.server = peer_accept(rig->server);
		peer_expect(t.server, "early");
		talk(&t);
		talk_end(&t);
	}
	assert_true(connect_failures(rig) >= 1);
	close(fd);
}

static void
old_sessions_keep_their_server(void **state)
{
	struct rig *rig = *state;
	struct talk before, after;
	struct addr at;
	int other = peer_listen(16);

	rig_run(rig, 1, "");
	talk_begin(rig, &before);
	talk(&before);
	at = addr_of(other);
	put_server(rig, &at);
	for (;;) { /* until the mail has come */
		struct pollfd p[] = { { .fd = other, .events = POLLIN },
			{ .fd = rig->server, .events = POLLIN } };

		after.client = peer_connect(&rig->at);
		assert_true(poll(p, 2, PATIENCE_MS) > 0);
		if (p[0].revents != 0)
			break;
		after.server = peer_accept(rig->server);
		talk_end(&after);
	}
	after.server = peer_accept(other);
	talk(&after);
	talk(&before);
	talk_end(&after);
	talk_end(&before);
	close(other);
}

/* No event tells that there is room in a Unix server's queue. */
static void
full_unix_server_is_asked_again(void **state)
{
	struct rig *rig = *state;
	char name[64];
	struct addr at;
	int listening, queued, client, server;

	snprintf(name, sizeof(name), "@worker-test-%d", (int)getpid());
	assert_int_equal(addr_from_path(&at, name), 0);
	listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listening, &at.sa, at.len), 0);
	assert_int_equal(listen(listening, 0), 0);
	queued = peer_connect(&at);

	rig_load(rig, "", "");
	rig_new_workers(rig, 1);
	put_snapshot(rig, 0);
	put_server(rig, &at);
	rig_start(rig);
	client = peer_connect(&rig->at);
	peer_send(client, "early");
	wait_for_sessions(rig, 1);
	close(peer_accept(listening));
	server = peer_accept(listening);
	peer_expect(server, "early");
	assert_int_equal(connect_failures(rig), 0);
	close(server);
	assert_int_equal(peer_end(client), 0);
	close(client);
	assert_int_equal(next_record(rig, 0).attempts, 1); /* still the first */
	close(queued);
	close(listening);
}

/* --- limits, and clients that change hands */

static void
who_is_too_many_waits(void **state)
{
	struct rig *rig = *state;
	struct talk first, second;
	uint64_t until = 0;

	rig_run(rig, 1, "max_sessions = 1");
	talk_begin(rig, &first);
	talk(&first);
	second.client = peer_connect(&rig->at);
	peer_send(second.client, "early");
	while (counter_get(&counted(rig, 0)->paused_full) == 0 &&
	    patient(&until))
		;
	assert_false(is_readable(rig->server));
	assert_int_equal(rig->limit.used, 1);
	talk_end(&first);
	second.server = peer_accept(rig->server);
	peer_expect(second.server, "early");
	talk(&second);
	talk_end(&second);
	wait_for_sessions(rig, 0);
}

static struct mail *
adoption(struct rig *rig, int fd)
{
	struct mail *mail = mail_new(MAIL_ADOPT);

	mail->listener = &rig->config->listeners[0];
	mail->peer = (struct peer){ .family = AF_INET, .port = 4711,
		.ip = { 192, 0, 2, 77 } };
	conn_hold(&mail->client, fd);
	assert_true(limit_take(&rig->shared, mail->listener));
	return mail;
}

static void
adopts_a_client(void **state)
{
	struct rig *rig = *state;
	char text[ADDR_TEXT];
	struct closerecord r;
	struct talk t;
	int ours;

	rig_run(rig, 1, "");
	tcp_pair(&ours, &t.client);
	peer_send(t.client, "early");
	put(rig->workers[0], adoption(rig, ours));
	t.server = peer_accept(rig->server);
	peer_expect(t.server, "early");
	talk(&t);
	wait_for_sessions(rig, 1);
	talk_end(&t);
	wait_for_sessions(rig, 0);
	r = next_record(rig, 0);
	assert_string_equal(peer_text(&r.client, text), "192.0.2.77:4711");
	assert_string_equal(r.listener, "web");
}

/* It came before the adopting worker was told to stop. */
static void
adopts_while_it_drains(void **state)
{
	struct rig *rig = *state;
	struct talk t;
	int ours;

	rig_load(rig, "", "");
	rig_new_workers(rig, 1);
	put_snapshot(rig, 0);
	put_server(rig, &rig->server_at);
	put_word(rig->workers[0], MAIL_DRAIN);
	tcp_pair(&ours, &t.client);
	put(rig->workers[0], adoption(rig, ours));
	rig_start(rig);
	t.server = peer_accept(rig->server);
	talk(&t);
	assert_false(has_ended(rig));
	talk_end(&t);
	wait_for_end(rig, 1);
}

static void
wait_until_ours_alone(const struct snapshot *snapshot)
{
	uint64_t until = 0;
	bool alone;

	do
		alone = snapshot_is_ours_alone(snapshot, 1);
	while (!alone && patient(&until));
	assert_true(alone);
}

/* Another worker has accepted it before it was told of another configuration,
 * which this one has already; with the session, that is forgotten again.  So is
 * one that nobody here used. */
static void
adopts_of_a_configuration_that_is_gone(void **state)
{
	struct rig *rig = *state;
	struct snapshot *next = snapshot_new(load("", ""));
	struct mail *mail;
	struct talk t;
	int ours;

	rig_load(rig, "", "");
	rig_new_workers(rig, 1);
	put(rig->workers[0], mail_new_snapshot(rig->snapshot));
	put_server(rig, &rig->server_at);
	put(rig->workers[0], mail_new_snapshot(next));
	rig_start(rig);
	wait_until_ours_alone(rig->snapshot);
	tcp_pair(&ours, &t.client);
	mail = adoption(rig, ours);
	mail->snapshot = snapshot_ref(rig->snapshot);
	put(rig->workers[0], mail);
	t.server = peer_accept(rig->server);
	talk(&t);
	assert_false(snapshot_is_ours_alone(rig->snapshot, 1));
	talk_end(&t);
	wait_for_sessions(rig, 0);
	wait_until_ours_alone(rig->snapshot);
	close(rig->listening);
	snapshot_unref(next);
}

/* Only the first worker has the listener; it keeps no more than its share. */
static void
hands_over_to_who_has_less(void **state)
{
	struct talk talks[12];
	struct rig *rig = *state;
	uint64_t here, there;

	rig_run(rig, 2, "");
	for (int i = 0; i < 12; i++) {
		talk_begin(rig, &talks[i]);
		talk(&talks[i]);
	}
	here = worker_sessions(rig->workers[0]);
	there = worker_sessions(rig->workers[1]);
	assert_int_equal(here + there, 12);
	assert_true(there > 0 && here <= there + 5);
	assert_int_equal(counter_get(&counted(rig, 0)->handed_over), there);
	assert_int_equal(counter_get(&counted(rig, 1)->begun), there);
	for (int i = 0; i < 12; i++) {
		talk(&talks[i]);
		talk_end(&talks[i]);
	}
	wait_for_sessions(rig, 0);
}

/* A client on its way counts: nobody is given all of a burst because it has not
 * read its mail yet. */
static void
burst_is_shared(void **state)
{
	struct rig *rig = *state;
	struct talk talks[40];
	uint64_t here, there;

	for (int i = 0; i < 40; i++)
		talks[i].client = peer_connect(&rig->at);
	rig_run(rig, 2, "");
	for (int i = 0; i < 40; i++)
		talks[i].server = peer_accept(rig->server);
	here = worker_sessions(rig->workers[0]);
	there = worker_sessions(rig->workers[1]);
	assert_int_equal(here + there, 40);
	assert_in_range(there, 14, 22);
	for (int i = 0; i < 40; i++)
		close(talks[i].client);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(peer_end(talks[i].server), 0);
		close(talks[i].server);
	}
	wait_for_sessions(rig, 0);
}

static void
keeps_what_nobody_takes(void **state)
{
	struct talk talks[12];
	struct rig *rig = *state;

	rig_run(rig, 2, "");
	put_word(rig->workers[1], MAIL_DRAIN);
	wait_for_end(rig, 1);
	for (int i = 0; i < 12; i++) {
		talk_begin(rig, &talks[i]);
		talk(&talks[i]);
	}
	assert_int_equal(worker_sessions(rig->workers[0]), 12);
	assert_int_equal(counter_get(&counted(rig, 0)->handed_over), 0);
	for (int i = 0; i < 12; i++)
		talk_end(&talks[i]);
	wait_for_sessions(rig, 0);
}

/* --- the end */

static void
wait_until_closed(int fd)
{
	uint64_t until = 0;

	while (fcntl(fd, F_GETFD) >= 0 && patient(&until))
		;
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void
assert_refused(const struct addr *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, &at->sa, at->len), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
}

static void
drain_ends_with_the_last_session(void **state)
{
	struct rig *rig = *state;
	struct talk first, second;

	rig_run(rig, 1, "");
	talk_begin(rig, &first);
	talk_begin(rig, &second);
	put_word(rig->workers[0], MAIL_DRAIN);
	wait_until_closed(rig->listening);
	assert_refused(&rig->at);
	talk(&first);
	talk_end(&first);
	wait_for_sessions(rig, 1);
	talk(&second);
	assert_false(has_ended(rig));
	talk_end(&second);
	wait_for_end(rig, 1);
	rig_join(rig, 0);
	assert_int_equal(worker_sessions(rig->workers[0]), 0);
	assert_int_equal(next_record(rig, 0).ending.how, HOW_FIN);
	assert_int_equal(next_record(rig, 0).ending.how, HOW_FIN);
}

/* More clients than one wake-up accepts came before the worker looked: to close
 * the socket on them would be a reset. */
static void
drain_takes_in_who_is_queued(void **state)
{
	struct rig *rig = *state;
	struct talk talks[40];

	for (int i = 0; i < 40; i++)
		talks[i].client = peer_connect(&rig->at);
	rig_load(rig, "", "");
	rig_new_workers(rig, 1);
	put_snapshot(rig, 0);
	put_server(rig, &rig->server_at);
	put_word(rig->workers[0], MAIL_DRAIN);
	rig_start(rig);
	for (int i = 0; i < 40; i++)
		peer_send(talks[i].client, "queued");
	for (int i = 0; i < 40; i++) {
		talks[i].server = peer_accept(rig->server);
		peer_expect(talks[i].server, "queued");
	}
	assert_false(has_ended(rig));
	for (int i = 0; i < 40; i++) /* who is whose is not known */
		close(talks[i].client);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(peer_end(talks[i].server), 0);
		close(talks[i].server);
	}
	wait_for_end(rig, 1);
}

static void
kill_ends_at_once(void **state)
{
	struct rig *rig = *state;
	struct talk talks[3];
	struct closerecord r;

	rig_run(rig, 1, "");
	for (int i = 0; i < 3; i++) {
		talk_begin(rig, &talks[i]);
		talk(&talks[i]);
	}
	put_word(rig->workers[0], MAIL_KILL);
	wait_for_end(rig, 1);
	rig_join(rig, 0);
	assert_int_equal(fcntl(rig->listening, F_GETFD), -1);
	assert_refused(&rig->at);
	for (int i = 0; i < 3; i++) {
		talk_is_cut(&talks[i]);
		r = next_record(rig, 0);
		assert_int_equal(r.ending.by, BY_PROXY);
		assert_int_equal(r.ending.how, HOW_DRAIN);
		assert_string_equal(r.ending.cause, "stopped");
	}
	assert_int_equal(rig->shared.sessions.used, 0);
}

/* A peer that only writes, or only reads, until there is an end to it. */
struct mover {
	pthread_t	thread;
	int		fd;
	_Atomic size_t	moved;
};

static void *
move_out(void *arg)
{
	static const char zeros[65536];
	struct mover *m = arg;
	ssize_t n;

	while ((n = send(m->fd, zeros, sizeof(zeros), MSG_NOSIGNAL)) > 0)
		m->moved += (size_t)n;
	return NULL;
}

static void *
move_in(void *arg)
{
	struct mover *m = arg;
	char waste[65536];
	ssize_t n;

	while ((n = recv(m->fd, waste, sizeof(waste), 0)) > 0)
		m->moved += (size_t)n;
	return NULL;
}

/* With directions in the run queue, and bytes that were read and not sent. */
static void
kill_ends_transfers(void **state)
{
	struct rig *rig = *state;
	struct mover out[3] = { 0 }, in[3] = { 0 };
	struct talk talks[3];
	uint64_t until = 0;

	rig_run(rig, 1, "");
	for (int i = 0; i < 3; i++) {
		talk_begin(rig, &talks[i]);
		out[i].fd = talks[i].client;
		in[i].fd = talks[i].server;
		assert_int_equal(pthread_create(&out[i].thread, NULL, move_out,
		    &out[i]), 0);
		if (i > 0) /* one is stuck */
			assert_int_equal(pthread_create(&in[i].thread, NULL,
			    move_in, &in[i]), 0);
	}
	while ((in[1].moved < 2 * STREAM || in[2].moved < 2 * STREAM) &&
	    patient(&until))
		;
	put_word(rig->workers[0], MAIL_KILL);
	wait_for_end(rig, 1);
	for (int i = 0; i < 3; i++) {
		pthread_join(out[i].thread, NULL);
		if (i > 0)
			pthread_join(in[i].thread, NULL);
		close(talks[i].client);
		close(talks[i].server);
	}
	assert_true(in[1].moved >= 2 * STREAM && in[2].moved >= 2 * STREAM);
}

static void
kill_ends_a_drain(void **state)
{
	struct rig *rig = *state;
	struct talk t;

	rig_run(rig, 1, "");
	talk_begin(rig, &t);
	put_word(rig->workers[0], MAIL_DRAIN);
	wait_until_closed(rig->listening);
	put_word(rig->workers[0], MAIL_DRAIN); /* twice is as once */
	talk(&t);
	assert_false(has_ended(rig));
	put_word(rig->workers[0], MAIL_KILL);
	wait_for_end(rig, 1);
	talk_is_cut(&t);
}

/* In every phase: here those that wait for a name and for a connection. */
static void
kill_ends_who_is_not_connected(void **state)
{
	struct rig *rig = *state;
	struct addr at = rig->server_at;
	int first, second, queued, full = peer_listen(0);

	rig_load(rig, "", "");
	rig_new_workers(rig, 2);
	put_snapshot(rig, 0);
	rig_start(rig);
	first = peer_connect(&rig->at);
	wait_for_sessions(rig, 1);
	put_word(rig->workers[0], MAIL_KILL);
	wait_for_end(rig, 1);
	assert_int_equal(peer_end(first), -ECONNRESET);
	assert_string_equal(next_record(rig, 0).phase, "route");
	close(first);

	/* Behind a full queue a SYN is not answered. */
	at = addr_of(full);
	queued = peer_connect(&at);
	{
		struct endpoint_set *set = set_of(&at, 1);
		int ours;

		put_snapshot(rig, 1);
		put(rig->workers[1], mail_new_endpoints(set, 0));
		endpoint_set_unref(set);
		tcp_pair(&ours, &second);
		put(rig->workers[1], adoption(rig, ours));
	}
	put_word(rig->workers[1], MAIL_KILL);
	wait_for_end(rig, 1);
	assert_int_equal(peer_end(second), -ECONNRESET);
	assert_string_equal(next_record(rig, 1).phase, "connect");
	close(second);
	close(queued);
	close(full);
}

static void
kill_ends_who_still_comes(void **state)
{
	struct rig *rig = *state;
	int ours, theirs;

	rig_load(rig, "", "");
	rig_new_workers(rig, 1);
	put_snapshot(rig, 0);
	put_server(rig, &rig->server_at);
	put_word(rig->workers[0], MAIL_KILL);
	tcp_pair(&ours, &theirs);
	put(rig->workers[0], adoption(rig, ours));
	rig_start(rig);
	wait_for_end(rig, 1);
	assert_int_equal(peer_end(theirs), -ECONNRESET);
	assert_int_equal(rig->shared.sessions.used, 0);
	close(theirs);
}

static void
mail_is_refused_after_the_end(void **state)
{
	struct rig *rig = *state;
	struct mail *mail = mail_new(MAIL_ADOPT);
	int ours, theirs;

	rig_run(rig, 1, "");
	put_word(rig->workers[0], MAIL_DRAIN);
	wait_for_end(rig, 1);
	rig_join(rig, 0);
	tcp_pair(&ours, &theirs);
	conn_hold(&mail->client, ours);
	assert_false(worker_mail(rig->workers[0], mail));
	assert_true(mail->client.open); /* still ours */
	mail_free(mail);
	assert_int_equal(peer_end(theirs), -ECONNRESET);
	close(theirs);
}

/* What was sent to it goes with it. */
static void
never_started(void **state)
{
	struct rig *rig = *state;

	rig_load(rig, "", "");
	rig_new_workers(rig, 2);
	put_snapshot(rig, 0);
	put_snapshot(rig, 1);
	put_server(rig, &rig->server_at);
	put_word(rig->workers[0], MAIL_DRAIN);
	worker_free(rig->workers[0]);
	rig->workers[0] = NULL;
	assert_int_equal(fcntl(rig->listening, F_GETFD), -1);
	worker_free(NULL);
}

#define ON_RIG(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(forwards_one_session),
		ON_RIG(knows_who_talks_to_whom),
		ON_RIG(each_half_has_its_own_end),
		ON_RIG(reset_is_passed_on_as_reset),
		ON_RIG(reset_of_a_slow_reader_is_passed_on),
		ON_RIG(no_byte_is_lost_to_a_slow_reader),
		ON_RIG(no_byte_is_lost_in_small_buffers),
		ON_RIG(a_greeting_is_logged),
		ON_RIG(silence_is_counted_and_not_logged),
		ON_RIG(no_record_without_an_access_log),
		ON_RIG(idle_session_is_cut_by_its_rule),
		ON_RIG(waits_until_the_addresses_are_known),
		ON_RIG(waits_no_longer_than_connect_timeout),
		ON_RIG(no_server_is_an_error),
		ON_RIG(refused_is_told_with_its_server),
		ON_RIG(next_server_takes_over),
		ON_RIG(old_sessions_keep_their_server),
		ON_RIG(full_unix_server_is_asked_again),
		ON_RIG(who_is_too_many_waits),
		ON_RIG(adopts_a_client),
		ON_RIG(adopts_while_it_drains),
		ON_RIG(adopts_of_a_configuration_that_is_gone),
		ON_RIG(hands_over_to_who_has_less),
		ON_RIG(burst_is_shared),
		ON_RIG(keeps_what_nobody_takes),
		ON_RIG(drain_ends_with_the_last_session),
		ON_RIG(drain_takes_in_who_is_queued),
		ON_RIG(kill_ends_at_once),
		ON_RIG(kill_ends_who_still_comes),
		ON_RIG(kill_ends_transfers),
		ON_RIG(kill_ends_a_drain),
		ON_RIG(kill_ends_who_is_not_connected),
		ON_RIG(mail_is_refused_after_the_end),
		ON_RIG(never_started),
	};
	int failed;

	workers_prepare();
	failed = cmocka_run_group_tests_name("worker", tests, NULL, NULL);
	libevent_global_shutdown(); /* its notes hide leaks */
	return failed;
}
