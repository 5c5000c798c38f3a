/* The session's state machine between two scripted sockets.
 *
 * The input is a script of what client and server do: speak, end, reset, take
 * bytes, let time pass.  The system calls on their sockets are answered here;
 * the rest (events, sessions, relays) is the real thing.  Whatever the script,
 *
 * - each side gets what the other said, in order, and nothing else;
 * - a FIN is passed on after the last byte, and only where one came;
 * - a stream that was cut short ends with a reset;
 * - what can move has moved once the worker is quiet;
 * - every socket is closed once, and nothing spins. */
#include "../../src/proxy/limit.h"
#include "../../src/proxy/worker-internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"

#define QUIET_TURNS 10000
#define ROOM_MAX    (1 << 20)
#define SAID_MAX    (1 << 20)

struct side {
	int	 fd;	   /* -1: none */
	uint64_t said;	   /* by the peer, in all */
	uint64_t heard;	   /* of that, by us */
	uint64_t taken;	   /* of ours, by the peer's kernel */
	uint64_t unsent;   /* of that, not acknowledged */
	size_t	 room;	   /* for more */
	size_t	 piece;	   /* the most that one recv gives */
	int	 error;	   /* pending, an errno */
	bool	 connected;
	bool	 fin;	   /* the peer ends behind what it said */
	bool	 reset;	   /* the peer did */
	bool	 shut;	   /* we sent a FIN */
	bool	 linger;   /* closing will reset */
	short	 coming;   /* an edge that epoll has not told yet */
};

static struct side client, upstream;
static struct worker *worker;
static struct config *config;
static uint64_t now = 1000000;
static bool hurried; /* time passed or somebody killed: bytes may be lost */
static int silent_fd; /* never ready: what libevent watches */

static struct side *
side_of(int fd)
{
	if (fd == client.fd)
		return &client;
	return fd == upstream.fd ? &upstream : NULL;
}

static struct side *
other(const struct side *x)
{
	return x == &client ? &upstream : &client;
}

/* What a side says, by position. */
static uint8_t
byte_of(const struct side *x, uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) + (x == &client ? 7 : 100));
}

/* --- The system calls. */

int __real_close(int);
int __real_getsockopt(int, int, int, void *, socklen_t *);

ssize_t __wrap_recv(int, void *, size_t, int);
ssize_t __wrap_send(int, const void *, size_t, int);
int	__wrap_shutdown(int, int);
int	__wrap_close(int);
int	__wrap_socket(int, int, int);
int	__wrap_connect(int, const struct sockaddr *, socklen_t);
int	__wrap_getpeername(int, struct sockaddr *, socklen_t *);
int	__wrap_getsockopt(int, int, int, void *, socklen_t *);
int	__wrap_setsockopt(int, int, int, const void *, socklen_t);
int	__wrap_ioctl(int, unsigned long, int *);
uint64_t __wrap_clock_ms(void);

static int
fail(int error)
{
	errno = error;
	return -1;
}

static int
take_error(struct side *x)
{
	int error = x->error;

	x->error = 0;
	return error;
}

/* As tcp_recvmsg(): what is queued first, then the error, once, then 0. */
ssize_t
__wrap_recv(int fd, void *to, size_t size, int flags)
{
	struct side *x = side_of(fd);
	uint64_t left;
	uint8_t *out = to;

	(void)flags;
	assert(x != NULL && x->connected);
	left = x->said - x->heard;
	size = size < left ? size : left;
	size = size < x->piece ? size : x->piece;
	for (size_t i = 0; i < size; i++)
		out[i] = byte_of(x, x->heard++);
	if (size > 0)
		return (ssize_t)size;
	if (x->error != 0)
		return fail(take_error(x));
	return x->fin || x->reset ? 0 : fail(EAGAIN);
}

ssize_t
__wrap_send(int fd, const void *from, size_t size, int flags)
{
	struct side *x = side_of(fd);
	const uint8_t *in = from;

	assert(x != NULL && x->connected && !x->shut && flags == MSG_NOSIGNAL);
	assert(size > 0);
	if (x->error != 0)
		return fail(take_error(x));
	if (x->reset)
		return fail(EPIPE);
	if (x->room == 0)
		return fail(EAGAIN);
	size = size < x->room ? size : x->room;
	for (size_t i = 0; i < size; i++)
		assert(in[i] == byte_of(other(x), x->taken++));
	assert(x->taken <= other(x)->heard);
	x->room -= size;
	x->unsent += size;
	return (ssize_t)size;
}

int
__wrap_shutdown(int fd, int how)
{
	struct side *x = side_of(fd);

	assert(x != NULL && how == SHUT_WR && !x->shut);
	assert(other(x)->fin && x->taken == other(x)->said);
	if (x->reset)
		return fail(ENOTCONN);
	x->shut = true;
	return 0;
}

/* As tcp_close(): a FIN where all was read, and nothing more can come; else a
 * reset, which nobody asked for. */
static void
close_with_fin(struct side *x)
{
	assert(x->fin && x->heard == x->said);
	assert(other(x)->fin && x->taken == other(x)->said);
	x->shut = true;
}

/* A stream must not look complete that is not, and a reset must not destroy
 * what is still on its way. */
int
__wrap_close(int fd)
{
	struct side *x = side_of(fd);

	if (x != NULL) {
		if (x->connected && !x->linger && !x->shut && !x->reset)
			close_with_fin(x);
		assert(!x->linger || x->unsent == 0 || x->reset || hurried);
		x->fd = -1;
	}
	return __real_close(fd);
}

int
__wrap_socket(int domain, int type, int protocol)
{
	(void)domain, (void)type, (void)protocol;
	assert(upstream.fd == -1);
	upstream = (struct side){ .fd = dup(silent_fd), .room = ROOM_MAX,
		.piece = SIZE_MAX };
	return upstream.fd;
}

int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)to, (void)len;
	assert(fd == upstream.fd);
	return fail(EINPROGRESS);
}

int
__wrap_getpeername(int fd, struct sockaddr *name, socklen_t *len)
{
	const struct side *x = side_of(fd);

	(void)name, (void)len;
	assert(x != NULL);
	return x->connected ? 0 : fail(ENOTCONN);
}

int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct side *x = side_of(fd);

	if (x == NULL)
		return __real_getsockopt(fd, level, name, value, len);
	memset(value, 0, *len);
	if (level == SOL_SOCKET && name == SO_ERROR)
		*(int *)value = take_error(x);
	else if (level == SOL_SOCKET && name == SO_DOMAIN)
		*(int *)value = AF_INET;
	return 0;
}

int
__wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct side *x = side_of(fd);

	(void)value, (void)len;
	assert(x != NULL);
	if (level == SOL_SOCKET && name == SO_LINGER)
		x->linger = true;
	return 0;
}

int
__wrap_ioctl(int fd, unsigned long request, int *value)
{
	const struct side *x = side_of(fd);

	assert(x != NULL && request == SIOCOUTQ);
	*value = x->reset ? 0 : (int)x->unsent;
	return 0;
}

uint64_t
__wrap_clock_ms(void)
{
	return now;
}

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

static void
run_until_quiet(void)
{
	int turns = 0;

	do {
		worker_turn(worker);
		assert(++turns < QUIET_TURNS);
	} while (!TAILQ_EMPTY(&worker->queue) ||
	    !TAILQ_EMPTY(&worker->gate.queue));
	if (session() == NULL)
		return;
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

/* A call of ours may meet it before epoll tells. */
static void
end(struct side *x)
{
	if (!x->connected || x->fin || x->reset)
		return;
	x->fin = true;
	x->coming |= EV_READ;
}

/* ECONNRESET, or EPIPE behind a FIN (tcp_reset()).  Here, too, a call of ours may
 * come first. */
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

static void
step(unsigned op, struct side *x, unsigned n)
{
	switch (op % 16) {
	case 0: speak(x, n); break;
	case 1: speak(x, (size_t)n << 10); break;
	case 2: end(x); edge(x, 0); break;
	case 3: reset(x, n); edge(x, 0); break;
	case 4: take(x, n); break;
	case 5: take(x, (size_t)n << 10); break;
	case 6: x->room = x->room < n ? x->room : n; break;
	case 7: x->piece = n + 1; break;
	case 8: edge(x, EV_READ | EV_WRITE); break;
	case 9: connected(n % 4 != 0 ? 0 : ECONNREFUSED); break;
	case 10: hurry(n); break;
	case 11: hurry((uint64_t)n << 8); break;
	case 12: do_kill(); break;
	case 13: reset(x, n); break;
	case 14: end(x); break;
	case 15: edge(x, 0); break;
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

static void
begin(void)
{
	const struct peer from = { .family = AF_INET };
	struct conn held;

	hurried = false;
	client = (struct side){ .fd = dup(silent_fd), .connected = true,
		.room = ROOM_MAX, .piece = SIZE_MAX, .coming = EV_WRITE };
	upstream = (struct side){ .fd = -1 };
	conn_hold(&held, client.fd);
	worker->now = 0;
	assert(limit_take(worker->shared, &config->listeners[0]));
	worker_adopt(worker, &config->listeners[0], &held, &from);
	assert(session() != NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	begin();
	for (size_t i = 0; i + 1 < size && session() != NULL; i += 2)
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
	    "access_log_interval = 1s\n[listener]\nbind = 127.0.0.1:1\n"
	    "idle_timeout = 10s\nhalf_close_timeout = 5s\nmax_lifetime = 1m\n"
	    "stall_timeout = 3s\n[upstream]\nserver = 127.0.0.1:9\n"
	    "server = 127.0.0.1:10\nconnect_attempts = 2\n";
	static struct session_limit limits[1];
	static struct shared shared = { .listeners = limits, .nlisteners = 1,
		.nupstreams = 1, .nworkers = 1 };
	static struct worker *workers[1];
	struct config_errors errors;
	struct mail *mail;
	int fds[2];

	(void)argc, (void)argv;
	assert(pipe(fds) == 0);
	silent_fd = fds[0];
	config = config_load_text("fuzz", text, sizeof(text) - 1, &errors);
	assert(config != NULL);
	log_set_level(LOG_LEVEL_ERROR);
	shared.workers = workers;
	shared.log_fd = eventfd(0, EFD_NONBLOCK);
	shared.done_fd = eventfd(0, EFD_NONBLOCK);
	atomic_store(&shared.records_wanted, true);
	worker = workers[0] = worker_new(&shared, 0);
	assert(worker != NULL);
	mail = mail_new(MAIL_SNAPSHOT);
	mail->snapshot = snapshot_new(config);
	assert(worker_mail(worker, mail));
	assert(worker_mail(worker, mail_new_endpoints(two_servers(), 0)));
	worker_turn(worker);
	return 0;
}
