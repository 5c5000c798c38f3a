/* A race, a step at a time: what happens between two looks at it is up to the
 * test. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "race-internal.h"
#include "workers.h"

enum { SIX, FOUR };

/* One worker, one session that nobody else advances, two servers whose accept
 * queues are full, so that a connection stays on its way. */
struct track {
	struct shared	     shared;
	struct config	    *config;
	struct worker	    *worker;
	struct session	     session;
	struct endpoint_set *set;
	int		     servers[2];
	int		     queued[2][2];
	int		     refused; /* a connection that was */
};

static bool
have_ipv6(void)
{
	struct addr addr = loopback("::1", 0);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool have = fd >= 0 && bind(fd, &addr.sa, addr.len) == 0;

	if (fd >= 0)
		close(fd);
	return have;
}

/* At a free port, with a queue for nobody. */
static int
listen_at(const char *ip)
{
	struct addr at = loopback(ip, 0);
	int fd = socket(at.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, &at.sa, at.len), 0);
	assert_int_equal(listen(fd, 0), 0);
	return fd;
}

/* On its way to a server that does not answer. */
static int
knock(int server)
{
	struct addr at = addr_of(server);
	int fd = socket(at.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	connect(fd, &at.sa, at.len);
	return fd;
}

static void
fill(int server, int *queued)
{
	for (int i = 0; i < 2; i++)
		queued[i] = knock(server);
}

/* The kernel asks a server that has left once more after a second. */
static int
refused(void)
{
	int server = listen_at("127.0.0.1"), queued[2];
	struct pollfd p = { .events = POLLOUT };

	fill(server, queued);
	p.fd = knock(server);
	close(server);
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	close(queued[0]);
	close(queued[1]);
	return p.fd;
}

static int
setup(void **state)
{
	struct track *t = line_alloc(sizeof(*t));
	struct addr at[2];

	t->shared.log_fd = t->shared.done_fd = -1;
	t->shared.failed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->shared.nupstreams = t->shared.nlisteners = 1;
	t->shared.waits = waitlists_new(1);
	for (int i = 0; i < 2; i++) {
		t->servers[i] = listen_at(i == SIX && have_ipv6() ? "::1" :
		    "127.0.0.1");
		fill(t->servers[i], t->queued[i]);
		at[i] = addr_of(t->servers[i]);
	}
	t->set = set_of(at, 2);
	t->refused = refused();
	*state = t;
	return 0;
}

static void
begin(struct track *t, const char *upstream)
{
	struct session *s = &t->session;
	struct mail *mail = mail_new_endpoints(t->set, 0);

	t->config = load("", upstream);
	t->worker = worker_new(&t->shared, 0);
	t->worker->pools[0] = mail->pool;
	mail->pool = NULL;
	mail_free(mail);
	s->worker = t->worker;
	s->target = &t->config->upstreams[0];
	s->ended = true;
	s->started = worker_now(t->worker);
	assert_true(race_new(s));
	assert_int_equal(race_run(s), RACE_RUNNING);
	assert_int_equal(s->race->state, RACE_TRYING);
	assert_ptr_equal(s->server, t->set->endpoints[SIX].server);
}

static int
teardown(void **state)
{
	struct track *t = *state;
	struct session *s = &t->session;

	race_free(s);
	session_give_server(s);
	server_state_unref(s->server);
	conn_close(&s->upstream);
	worker_free(t->worker);
	waitlists_free(t->shared.waits, 1);
	endpoint_set_unref(t->set);
	config_free(t->config);
	close(t->shared.failed_fd);
	close(t->refused);
	for (int i = 0; i < 2; i++) {
		close(t->servers[i]);
		close(t->queued[i][0]);
		close(t->queued[i][1]);
	}
	free(t);
	return 0;
}

/* The connection on its way: one that was takes its place. */
static void
is_refused(struct track *t)
{
	struct conn *c = &t->session.upstream;

	assert_int_equal(dup2(t->refused, c->fd), c->fd);
	c->readable = c->writable = true;
}

static bool
is_timed(const struct session *s)
{
	return event_pending(&s->race->timer, EV_TIMEOUT, NULL);
}

/* Mail is read, but for the session. */
static void
turn(struct track *t)
{
	put(t->worker, mail_new(MAIL_DRAIN)); /* comes to an end */
	worker_turn(t->worker);
}

/* It waits, and is woken before the rival's time would have come. */
static void
who_waits_has_no_rival_to_come(void **state)
{
	struct track *t = *state;
	struct session *s = &t->session;

	if (!have_ipv6())
		skip();
	begin(t, "");
	assert_true(is_timed(s));
	is_refused(t);
	waitlist_pause(&t->shared.waits[0], true);
	assert_int_equal(race_run(s), RACE_RUNNING);
	assert_int_equal(s->race->state, RACE_WAITING);
	waitlist_pause(&t->shared.waits[0], false);
	turn(t);
	assert_int_equal(race_run(s), RACE_RUNNING);
	assert_int_equal(s->race->state, RACE_TRYING);
	assert_ptr_equal(s->server, t->set->endpoints[FOUR].server);
}

/* The time of the first is up, and that it was refused is found only then: that
 * is nothing against the rival. */
static void
who_takes_over_late_has_its_time(void **state)
{
	struct track *t = *state;
	struct session *s = &t->session;

	if (!have_ipv6())
		skip();
	begin(t, "connect_timeout = 300ms");
	while (is_timed(s))
		worker_turn(t->worker);
	assert_int_equal(race_run(s), RACE_RUNNING);
	assert_non_null(s->race->rival_server);
	is_refused(t);
	assert_int_equal(race_expire(s), RACE_RUNNING);
	assert_int_equal(s->race->state, RACE_TRYING);
	assert_ptr_equal(s->server, t->set->endpoints[FOUR].server);
	assert_true(s->upstream.open);
	assert_int_equal(t->set->endpoints[SIX].server->failures, 1);
	assert_int_equal(t->set->endpoints[FOUR].server->failures, 0);
	assert_int_equal(t->set->endpoints[FOUR].server->taken, 1);
}

/* Who ends the sessions of that server has seen none. */
static void
who_connects_to_one_that_went_down_goes_elsewhere(void **state)
{
	struct track *t = *state;
	struct session *s = &t->session;

	begin(t, "on_down = kill");
	t->set->endpoints[SIX].server->out = SERVER_DISABLED;
	s->upstream.writable = true;
	assert_int_equal(race_run(s), RACE_RUNNING);
	assert_int_equal(s->race->state, RACE_TRYING);
	assert_ptr_equal(s->server, t->set->endpoints[FOUR].server);
	assert_int_equal(t->set->endpoints[SIX].server->taken, 0);
	assert_int_equal(t->set->endpoints[SIX].server->failures, 0);
	t->set->endpoints[FOUR].server->out = SERVER_DRAINING;
	s->upstream.writable = true;
	assert_int_equal(race_run(s), RACE_WON);
}

static void
who_may_stay_there_does(void **state)
{
	struct track *t = *state;

	begin(t, "");
	t->set->endpoints[SIX].server->out = SERVER_FAILING;
	t->session.upstream.writable = true;
	assert_int_equal(race_run(&t->session), RACE_WON);
}

/* --- a place at a server */

struct place {
	struct server_state *server; /* full */
	atomic_uint	     taken;
	atomic_bool	     over;
};

static void *
ask_often(void *arg)
{
	struct place *p = arg;

	for (unsigned n = 0; n < 1000000; n++)
		p->taken += server_state_take(p->server, 1);
	p->over = true;
	return NULL;
}

/* Who looks would take it for full, when its one session has just left. */
static void
who_finds_no_place_takes_none(void **state)
{
	struct addr at = loopback("127.0.0.1", 1);
	struct place p = { .server = server_state_new(&at) };
	uint64_t most = 0;
	pthread_t thread;

	(void)state;
	assert_true(server_state_take(p.server, 1));
	pthread_create(&thread, NULL, ask_often, &p);
	while (!p.over)
		if (p.server->taken > most)
			most = p.server->taken;
	pthread_join(thread, NULL);
	assert_int_equal(p.taken, 0);
	assert_int_equal(most, 1);
	server_state_unref(p.server);
}

#define ON_TRACK(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_TRACK(who_waits_has_no_rival_to_come),
		ON_TRACK(who_takes_over_late_has_its_time),
		ON_TRACK(who_connects_to_one_that_went_down_goes_elsewhere),
		ON_TRACK(who_may_stay_there_does),
		cmocka_unit_test(who_finds_no_place_takes_none),
	};
	int failed;

	workers_prepare();
	failed = cmocka_run_group_tests_name("race", tests, NULL, NULL);
	libevent_global_shutdown(); /* its notes hide leaks */
	return failed;
}
