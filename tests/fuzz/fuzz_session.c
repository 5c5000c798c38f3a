/* The session's state machine between two scripted sockets.
 *
 * The input is a script of what client and server do: speak, end, reset, take
 * bytes, let time pass.  The system calls on their sockets are answered by
 * sockets.h; the rest (events, sessions, relays) is the real thing.  Whatever the script,
 *
 * - each side gets what the other said, in order, and nothing else;
 * - a FIN is passed on after the last byte, and only where one came;
 * - a stream that was cut short ends with a reset;
 * - what can move has moved once the worker is quiet;
 * - every socket and pipe is closed once, and nothing spins;
 * - a pipe is held only while bytes are in it, and then by nobody else;
 * - a direction with a limit goes no faster.
 *
 * The first byte says how the bytes are moved. */
#include "../../src/proxy/limit.h"
#include "../../src/proxy/worker-internal.h"

#include <sys/eventfd.h>

#include "base/log.h"
#include "proxy/waitlist.h"
#include "sockets.h"

#define QUIET_TURNS 10000
#define SAID_MAX    (1 << 20)
#define BULK	    (128 << 10) /* two large reads, and splicing begins */

static struct worker *worker;
static struct config *config;

/* --- The worker. */

static struct session *
session(void)
{
	return LIST_FIRST(&worker->sessions);
}

static struct conn *
conn_of(const struct side *x)
{
	struct session *s = session();

	return x == &client ? &s->client : &s->upstream;
}

/* One side of a direction has bytes that the other would take. */
static bool
is_stuck(const struct session *s, const struct side *from)
{
	const struct side *to = other(from);
	const struct conn *sent_to = to == &client ? &s->client : &s->upstream;

	return s->relaying && !s->flushing && to->room > 0 && !to->reset &&
	    from->coming == 0 && to->coming == 0 &&
	    sent_to->write_error == 0 && to->taken < from->said;
}

/* What is in flight is in one place, and a pipe is there for nothing else.
 * Returns how many the direction holds. */
static unsigned
check_relay(const struct relay *r, const struct side *to)
{
	assert(relay_delivered(r) == to->taken);
	if (r->spill != NULL)
		assert(r->pipe == NULL && r->spill->len == r->pending);
	else if (r->pipe != NULL)
		assert(pipe_bytes(pipes_find(r->pipe->in)) == r->pending);
	assert((r->pending > 0) == (r->spill != NULL || r->pipe != NULL));
	return r->pipe != NULL;
}

/* No more than was saved up at first and what came since. */
static void
check_rate(const struct relay *r)
{
	const struct session *s = r->session;
	const struct meter *m = session_meter(r);
	uint64_t ms = now - s->started - s->connected_ms + METER_BURST_MS;

	if (m != NULL && m->rate > 0)
		assert(r->bytes <= m->rate * ms / 1000);
}

static void
check_pipes(void)
{
	const struct pipe_pool *pool = &worker->pipes;
	unsigned kept = 0, held = 0;

	for (const struct pipe *p = pool->free; p != NULL; p = p->next) {
		const struct fake_pipe *fake = pipes_find(p->in);

		assert(fake != NULL && fake->out == p->out);
		assert(pipe_bytes(fake) == 0);
		kept++;
	}
	if (session() != NULL)
		held = check_relay(&session()->to_upstream, &upstream) +
		    check_relay(&session()->to_client, &client);
	assert(kept == pool->kept && kept + held == pool->open);
	assert(pool->open == pipes_open());
	assert(pool->open <= worker->shared->max_pipes);
}

/* What a short read left open is looked at after a while, which is over at
 * once here. */
static void
let_doubts_come_up(void)
{
	if (!TAILQ_EMPTY(&worker->doubts.queue))
		event_active(&worker->doubts.timer, EV_TIMEOUT, 1);
}

/* Time passes for who is out of tokens: a few ms, which nothing else minds. */
static void
let_tokens_come(void)
{
	if (TAILQ_EMPTY(&worker->refill.queue))
		return;
	now += METER_WAIT_MS;
	event_active(&worker->refill.timer, EV_TIMEOUT, 1);
}

static void
run_until_quiet(void)
{
	int turns = 0;

	do {
		let_doubts_come_up();
		let_tokens_come();
		worker_turn(worker);
		assert(++turns < QUIET_TURNS);
	} while (!TAILQ_EMPTY(&worker->queue) ||
	    !TAILQ_EMPTY(&worker->gate.queue) ||
	    !TAILQ_EMPTY(&worker->doubts.queue) ||
	    !TAILQ_EMPTY(&worker->refill.queue));
	check_pipes();
	if (session() == NULL)
		return;
	check_rate(&session()->to_upstream);
	check_rate(&session()->to_client);
	assert(!is_stuck(session(), &client));
	assert(!is_stuck(session(), &upstream));
}

/* What libevent makes of an edge, which repeats all that is true of a socket: a
 * reset is no FIN, until a call has taken its error. */
static short
edge_of(const struct side *x, short what)
{
	if (x->error != 0)
		return EV_READ | EV_WRITE;
	if (x->reset)
		return EV_READ | EV_WRITE | EV_CLOSED;
	return x->fin ? what | EV_READ | EV_CLOSED : what;
}

static void
edge(struct side *x, short what)
{
	what = edge_of(x, what | x->coming);
	if (what == 0 || session() == NULL || x->fd < 0 || !conn_of(x)->open)
		return;
	event_active(&conn_of(x)->event, what, 1);
	x->coming = 0;
	run_until_quiet();
}

static void
pass_time(uint64_t ms)
{
	now += ms;
	event_active(&worker->wheel_event, EV_TIMEOUT, 1);
	run_until_quiet();
}

/* --- The script. */

static void
speak(struct side *x, size_t size)
{
	if (!x->connected || x->fin || x->reset || x->said > SAID_MAX)
		return;
	x->said += size;
	edge(x, EV_READ);
}

/* The last byte is urgent. */
static void
shout(struct side *x, size_t size)
{
	if (!x->connected || x->fin || x->reset || x->said > SAID_MAX)
		return;
	x->urgent = x->said + size;
	speak(x, size + 1);
}

/* A call of ours may meet it before epoll tells. */
static void
end(struct side *x)
{
	if (!x->connected || x->fin || x->reset)
		return;
	x->fin = true;
	x->coming |= EV_READ;
}

/* ECONNRESET, or EPIPE behind a FIN (tcp_reset()).  Here, too, a call of ours
 * may come first. */
static void
reset(struct side *x, size_t last_words)
{
	if (!x->connected || x->reset)
		return;
	if (session() != NULL && !session()->relaying)
		hurried = true; /* who leaves before has nothing delivered */
	if (!x->fin)
		x->said += last_words;
	x->reset = true;
	x->error = x->fin ? EPIPE : ECONNRESET;
	x->coming |= EV_READ;
}

static void
take(struct side *x, size_t size)
{
	bool was_full = x->room == 0;

	x->room += size;
	x->unsent = 0;
	if (was_full && x->connected)
		edge(x, EV_WRITE);
}

static void
connected(int error)
{
	if (upstream.fd < 0 || upstream.connected)
		return;
	upstream.connected = error == 0;
	upstream.error = error;
	edge(&upstream, EV_WRITE); /* and no more, when it is connected */
}

static void
hurry(uint64_t ms)
{
	hurried = true;
	pass_time(ms);
}

static void
do_kill(void)
{
	const struct ending killed = { .by = BY_PROXY, .how = HOW_KILL };

	hurried = true;
	if (session() != NULL)
		session_end(session(), &killed);
	session_reap(worker);
}

/* What has to do without a pipe, or with one that splice(2) refuses. */
static void
deny(unsigned n)
{
	static const int own[] = { 0, ENOMEM, EINVAL, EAGAIN };

	pipes.pipe2_error = n & 1 ? EMFILE : 0;
	pipes.resize_error = n & 2 ? EPERM : 0;
	splice_error = own[n >> 2 & 3];
	if (n & 16)
		pipe_pool_shed(&worker->pipes, now);
	recvs_short = n >> 5 == 7 ? 2 : 0;
}

/* 1 to 255, or any number. */
static size_t
most(unsigned n)
{
	return n < 255 ? n + 1 : SIZE_MAX;
}

static void
step(unsigned op, struct side *x, unsigned n)
{
	switch (op % 20) {
	case 0: speak(x, n); break;
	case 1: speak(x, (size_t)n << 10); break;
	case 2: end(x); edge(x, 0); break;
	case 3: reset(x, n); edge(x, 0); break;
	case 4: take(x, n); break;
	case 5: take(x, (size_t)n << 10); break;
	case 6: x->room = x->room < n ? x->room : n; break;
	case 7: x->piece = most(n); break;
	case 8: edge(x, EV_READ | EV_WRITE); break;
	case 9: connected(n % 4 != 0 ? 0 : ECONNREFUSED); break;
	case 10: hurry(n); break;
	case 11: hurry((uint64_t)n << 8); break;
	case 12: do_kill(); break;
	case 13: reset(x, n); break;
	case 14: end(x); break;
	case 15: edge(x, 0); break;
	case 16: speak(x, BULK + ((size_t)n << 11)); break;
	case 17: shout(x, n); break;
	case 18: x->bite = most(n); break;
	case 19: deny(n); break;
	}
}

/* Both sides take all there is and end. */
static void
finish(void)
{
	connected(0);
	take(&client, ROOM_MAX * 4);
	take(&upstream, ROOM_MAX * 4);
	edge(&client, EV_READ);
	edge(&upstream, EV_READ);
	end(&client);
	end(&upstream);
	edge(&client, 0);
	edge(&upstream, 0);
	client.unsent = upstream.unsent = 0;
	for (int i = 0; i < 100 && session() != NULL; i++)
		pass_time(100);
}

/* A side that stayed has all that the other said, and its FIN if it had one. */
static void
check_delivered(const struct side *to)
{
	const struct side *from = other(to);

	if (hurried || !upstream.connected || to->reset)
		return;
	assert(to->taken == from->said);
	assert(to->shut == from->fin);
}

/* The pool is as new, so that an input does not depend on those before it. */
static void
begin_pipes(unsigned most_open)
{
	pipe_pool_done(&worker->pipes);
	assert(worker->pipes.open == 0 && pipes_open() == 0);
	worker->pipes.again_at = 0;
	worker->shared->max_pipes = most_open;
	pipes.pipe2_error = pipes.resize_error = splice_error = 0;
	recvs_short = 0;
}

static void
begin(unsigned how)
{
	const struct listener_conf *conf =
	    &config->listeners[how % config->nlisteners];
	const struct peer from = { .family = AF_INET };
	struct conn held;

	hurried = false;
	begin_pipes(how & 0x80 ? 1 : PIPES_MOST);
	client = new_side();
	client.connected = true;
	client.coming = EV_WRITE;
	upstream = (struct side){ .fd = -1 };
	conn_hold(&held, client.fd);
	worker->now = 0;
	assert(limit_take(worker->shared, conf));
	worker_adopt(worker, conf, &held, &from);
	assert(session() != NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	begin(size > 0 ? data[0] : 0);
	for (size_t i = 1; i + 1 < size && session() != NULL; i += 2)
		step(data[i] & 0x7f, data[i] & 0x80 ? &client : &upstream,
		    data[i + 1]);
	finish();
	check_delivered(&client);
	check_delivered(&upstream);
	do_kill();
	assert(client.fd == -1 && upstream.fd == -1);
	assert(atomic_load(&worker->live) == 0);
	assert(atomic_load(&worker->shared->sessions.used) == 0);
	while (ring_peek(worker_records(worker)) != NULL)
		ring_pop(worker_records(worker));
	return 0;
}

static struct endpoint_set *
two_servers(void)
{
	struct endpoint_set *set = endpoint_set_new(0, 2);
	struct addr addr;

	assert(set != NULL);
	for (size_t i = 0; i < 2; i++) {
		addr_from_ip(&addr, "127.0.0.1", (uint16_t)(9 + i));
		set->endpoints[i].server = server_state_new(&addr);
		set->endpoints[i].weight = 1;
	}
	set->count = 2;
	return set;
}

/* Everything is as the daemon starts a worker, but for the thread. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char text[] = "[global]\naccess_log_start = on\n"
	    "bulk_share = 100\n"
	    "access_log_interval = 1s\n[defaults]\nidle_timeout = 10s\n"
	    "half_close_timeout = 5s\nmax_lifetime = 1m\nstall_timeout = 3s\n"
	    "[listener splice]\nbind = 127.0.0.1:1\nrelay = splice\n"
	    "[listener auto]\nbind = 127.0.0.1:2\nrelay = auto\n"
	    "[listener copy]\nbind = 127.0.0.1:3\nrelay = copy\n"
	    "[listener slow]\nbind = 127.0.0.1:4\n"
	    "bandwidth_to_upstream = 1M\nbandwidth_to_client = 8M\n"
	    "[listener half]\nbind = 127.0.0.1:5\nrelay = splice\n"
	    "bandwidth_to_client = 8M\n"
	    "[upstream]\nserver = 127.0.0.1:9\n"
	    "server = 127.0.0.1:10\nconnect_attempts = 2\n";
	static struct session_limit limits[5];
	static struct shared shared = { .listeners = limits, .nlisteners = 5,
		.nupstreams = 1, .nworkers = 1 };
	static struct worker *workers[1];
	struct config_errors errors;
	struct mail *mail;
	int fds[2];

	(void)argc, (void)argv;
	assert(pipe(fds) == 0);
	silent_fd = pipes.fd = fds[0];
	config = config_load_text("fuzz", text, sizeof(text) - 1, &errors);
	assert(config != NULL);
	log_set_level(LOG_LEVEL_ERROR);
	shared.workers = workers;
	shared.waits = waitlists_new(1);
	assert(shared.waits != NULL);
	shared.log_fd = eventfd(0, EFD_NONBLOCK);
	shared.done_fd = eventfd(0, EFD_NONBLOCK);
	shared.failed_fd = eventfd(0, EFD_NONBLOCK);
	atomic_store(&shared.records_wanted, true);
	worker = workers[0] = worker_new(&shared, 0);
	assert(worker != NULL);
	mail = mail_new_snapshot(snapshot_new(config));
	assert(worker_mail(worker, mail));
	assert(worker_mail(worker, mail_new_endpoints(two_servers(), 0)));
	worker_turn(worker);
	return 0;
}
