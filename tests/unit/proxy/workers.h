/* Workers between clients and servers of the test's, for the tests of what
 * workers do.  A test that includes this has included cmocka. */
#ifndef SLUICE_TESTS_WORKERS_H
#define SLUICE_TESTS_WORKERS_H

#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "../net/loopback.h"
#include "proxy/closerecord.h"
#include "proxy/waitlist.h"
#include "proxy/worker.h"

#define WORKERS 2

/* libevent's debug mode refuses what would corrupt an event in silence, but its
 * lock puts threads in an order that would hide races from TSan. */
#ifdef __has_feature
#define DEBUG_EVENTS (!__has_feature(thread_sanitizer))
#else
#define DEBUG_EVENTS true
#endif

/* Before the first worker. */
static inline void
workers_prepare(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_LEVEL_ERROR);
	if (DEBUG_EVENTS) {
		evthread_use_pthreads();
		event_enable_debug_mode();
	}
}

/* Workers that forward from 'at' to a server of the test's. */
struct rig {
	struct shared	     shared;
	struct session_limit limit; /* of the one listener */
	struct worker	    *workers[WORKERS];
	bool		     running[WORKERS];
	struct snapshot	    *snapshot;
	const struct config *config;
	int		     listening; /* the first worker's once it is told */
	struct addr	     at;
	int		     server; /* listens */
	struct addr	     server_at;
};

/* --- a rig and its workers */

static inline struct config *
load(const char *listener, const char *upstream)
{
	struct config_errors errors = { 0 };
	struct config *config;
	char text[512];

	snprintf(text, sizeof(text), "[listener web]\nbind = 127.0.0.1:1\n%s\n"
	    "[upstream api]\nhost = 127.0.0.1\nport = 2\n%s\n", listener,
	    upstream);
	config = config_load_text("test", text, strlen(text), &errors);
	if (config == NULL)
		print_error("%s\n", errors.lines[0]);
	config_errors_free(&errors);
	assert_non_null(config);
	return config;
}

static inline int
rig_make(void **state)
{
	struct rig *rig = aligned_alloc(alignof(struct rig), sizeof(*rig));

	memset(rig, 0, sizeof(*rig));
	rig->shared.boot = 0xabcd;
	rig->shared.records_wanted = true;
	rig->shared.listeners = &rig->limit;
	rig->shared.nlisteners = rig->shared.nupstreams = 1;
	rig->shared.waits = waitlists_new(1);
	rig->shared.log_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rig->shared.done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rig->shared.failed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rig->server = peer_listen(64);
	rig->server_at = addr_of(rig->server);
	rig->listening = peer_listen(64);
	fcntl(rig->listening, F_SETFL, O_NONBLOCK);
	rig->at = addr_of(rig->listening);
	*state = rig;
	return 0;
}

static inline void
rig_load(struct rig *rig, const char *listener, const char *upstream)
{
	struct config *config = load(listener, upstream);

	rig->snapshot = snapshot_new(config);
	rig->config = config;
	rig->limit.max = config->listeners[0].max_sessions;
}

static inline void
rig_new_workers(struct rig *rig, size_t count)
{
	rig->shared.workers = rig->workers;
	rig->shared.nworkers = count;
	for (size_t i = 0; i < count; i++) {
		rig->workers[i] = worker_new(&rig->shared, (unsigned)i);
		assert_non_null(rig->workers[i]);
	}
}

static inline void
rig_start(struct rig *rig)
{
	for (size_t i = 0; i < rig->shared.nworkers; i++) {
		assert_int_equal(worker_start(rig->workers[i]), 0);
		rig->running[i] = true;
	}
}

static inline void
put(struct worker *w, struct mail *mail)
{
	assert_true(worker_mail(w, mail));
}

static inline void
put_word(struct worker *w, enum mail_kind kind)
{
	struct mail *mail = mail_new(kind);

	mail->ending = (struct ending){ .by = BY_PROXY, .how = HOW_DRAIN,
		.cause = "stopped" };
	put(w, mail);
}

/* The configuration, for the first worker with the listening socket. */
static inline void
put_snapshot(struct rig *rig, size_t i)
{
	struct mail *mail = mail_new_snapshot(rig->snapshot);

	if (i == 0)
		assert_int_equal(mail_add_listener(mail, rig->listening,
		    &rig->config->listeners[0]), 0);
	put(rig->workers[i], mail);
}

static inline struct endpoint_set *
set_of(const struct addr *addrs, size_t count)
{
	struct endpoint_set *set = endpoint_set_new(0, count);

	for (size_t i = 0; i < count; i++) {
		set->endpoints[i].server = server_state_new(&addrs[i]);
		set->endpoints[i].weight = 1;
	}
	return set;
}

/* Takes the set over. */
static inline void
put_endpoints(struct rig *rig, struct endpoint_set *set)
{
	for (size_t i = 0; i < rig->shared.nworkers; i++)
		put(rig->workers[i], mail_new_endpoints(set, i));
	endpoint_set_unref(set);
}

static inline void
put_server(struct rig *rig, const struct addr *at)
{
	put_endpoints(rig, set_of(at, 1));
}

/* The usual: workers that run and know all they need. */
static inline void
rig_run(struct rig *rig, size_t workers, const char *listener)
{
	rig_load(rig, listener, "");
	rig_new_workers(rig, workers);
	for (size_t i = 0; i < workers; i++)
		put_snapshot(rig, i);
	put_server(rig, &rig->server_at);
	rig_start(rig);
}

static inline void
rig_join(struct rig *rig, size_t i)
{
	worker_join(rig->workers[i]);
	rig->running[i] = false;
}

/* Waits until so many workers have said that they are done. */
static inline void
wait_for_end(struct rig *rig, unsigned count)
{
	eventfd_t n = 0;

	while (count > 0) {
		assert_true(comes_readable(rig->shared.done_fd));
		assert_int_equal(eventfd_read(rig->shared.done_fd, &n), 0);
		assert_true(n <= count);
		count -= (unsigned)n;
	}
}

static inline bool
has_ended(const struct rig *rig)
{
	return is_readable(rig->shared.done_fd);
}

/* A slot is also taken for a moment by who then finds that nobody waits. */
static inline void
wait_for_sessions(struct rig *rig, uint64_t count)
{
	uint64_t until = 0;
	bool there;

	do
		there = rig->shared.sessions.used == count &&
		    rig->limit.used == count;
	while (!there && patient(&until));
	assert_true(there);
}

/* Whatever became of the test: every thread ends, and no slot is lost. */
static inline int
rig_remove(void **state)
{
	struct rig *rig = *state;
	uint64_t left;

	for (size_t i = 0; i < WORKERS; i++) {
		struct mail *kill = mail_new(MAIL_KILL);

		if (!rig->running[i] || !worker_mail(rig->workers[i], kill))
			mail_free(kill);
		if (rig->running[i])
			worker_join(rig->workers[i]);
	}
	left = rig->shared.sessions.used + rig->limit.used;
	for (size_t i = 0; i < WORKERS; i++)
		worker_free(rig->workers[i]);
	snapshot_unref(rig->snapshot);
	waitlists_free(rig->shared.waits, 1);
	close(rig->server);
	close(rig->shared.log_fd);
	close(rig->shared.done_fd);
	close(rig->shared.failed_fd);
	free(rig);
	return left != 0;
}

/* The oldest record of a worker, once there is one. */
static inline struct closerecord
next_record(struct rig *rig, size_t i)
{
	struct ring *ring = worker_records(rig->workers[i]);
	const struct closerecord *r;
	struct closerecord copy;
	uint64_t until = 0;

	while ((r = ring_peek(ring)) == NULL && patient(&until))
		;
	assert_non_null(r);
	copy = *r;
	ring_pop(ring);
	return copy;
}

/* What a worker counted of the one listener. */
static inline const struct listener_stats *
counted(const struct rig *rig, size_t i)
{
	return worker_stats(rig->workers[i])->listeners;
}

static inline uint64_t
connect_failures(const struct rig *rig)
{
	return upstream_stats_failures(
	    worker_stats(rig->workers[0])->upstreams);
}

static inline void
assert_no_record(struct rig *rig, size_t i)
{
	assert_null(ring_peek(worker_records(rig->workers[i])));
}

/* --- a session, seen from its two ends */

struct talk {
	int client;
	int server;
};

static inline void
talk_begin(struct rig *rig, struct talk *t)
{
	t->client = peer_connect(&rig->at);
	t->server = peer_accept(rig->server);
}

static inline void
talk(struct talk *t)
{
	peer_send(t->client, "question");
	peer_expect(t->server, "question");
	peer_send(t->server, "answer");
	peer_expect(t->client, "answer");
}

static inline void
talk_end(struct talk *t)
{
	close(t->client);
	assert_int_equal(peer_end(t->server), 0);
	close(t->server);
}

static inline void
talk_is_cut(struct talk *t)
{
	assert_int_equal(peer_end(t->client), -ECONNRESET);
	assert_int_equal(peer_end(t->server), -ECONNRESET);
	close(t->client);
	close(t->server);
}

#endif
