#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define SECOND	1000000000ull
#define MS	1000000ull
#define OPENING (30 * SECOND) /* that all get to be connected */
#define GRACE	(3 * SECOND)  /* for what is under way at the end */
#define EVENTS	256

void
die(const char *what)
{
	perror(what);
	exit(1);
}

uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

double
load_cpu(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	    (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* --- sockets */

void
socket_prepare(const struct load *l, int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (l->congestion != NULL && setsockopt(fd, IPPROTO_TCP,
	    TCP_CONGESTION, l->congestion, (socklen_t)strlen(l->congestion)) < 0)
		die(l->congestion);
}

void
congestion_note(struct load *l, int fd)
{
	socklen_t len = sizeof(l->controlled) - 1;

	/* a route may have its own, so only one that is connected knows */
	if (l->controlled[0] == '\0')
		getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, l->controlled,
		    &len);
}

void
load_watch(struct load *l, struct peer *peer, int how, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = peer };

	if (epoll_ctl(l->epoll, how, peer->fd, &event) < 0)
		die("epoll_ctl");
}

/* --- turns */

static void
load_turn(struct load *l)
{
	struct epoll_event events[EVENTS];
	uint64_t now = now_ns();
	int ms = now < l->until ? (int)((l->until - now) / 1000000) + 1 : 0;
	int n = epoll_wait(l->epoll, events, EVENTS, ms);

	for (int i = 0; i < n; i++) {
		struct peer *peer = events[i].data.ptr;

		if (peer == &l->listener)
			server_accept(l);
		else if (peer == &l->input)
			server_report(l);
		else if (peer == &l->timer)
			client_pace(l);
		else
			l->role->event(l, peer, events[i].events);
	}
}

static void
serve(struct load *l)
{
	l->until = now_ns() + l->ms * MS;
	server_open(l);
	while (!l->ending && now_ns() < l->until)
		load_turn(l);
}

/* --- clients: first all are connected, then the time runs */

static bool
clients_connect(struct load *l)
{
	l->until = now_ns() + OPENING;
	while (l->failed == 0 && (client_open_next(l) || l->ready < l->begun)) {
		if (now_ns() >= l->until) {
			l->error = ETIMEDOUT;
			l->failed = l->begun - l->ready;
			break;
		}
		load_turn(l);
	}
	return l->failed == 0;
}

/* Returns false if there is to be no load. */
static bool
clients_may_begin(const struct load *l)
{
	if (!l->waits)
		return true;
	puts("ready");
	fflush(stdout);
	return getchar() == '\n';
}

static void
clients_run(struct load *l)
{
	l->cpu = load_cpu();
	l->started = now_ns();
	l->until = l->started + l->ms * MS;
	client_begin(l);
	while (l->open > 0) {
		uint64_t now = now_ns();

		if (!l->ending && (now >= l->until || l->count == 0)) {
			l->until = now + GRACE;
			client_end(l);
		} else if (now >= l->until)
			break;
		load_turn(l);
	}
}

void
load_run(struct load *l)
{
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->peers = calloc(l->npeers + 1, sizeof(*l->peers));
	if (l->epoll < 0 || l->peers == NULL)
		die("start");
	if (l->role->serves)
		serve(l);
	else if (clients_connect(l) && clients_may_begin(l))
		clients_run(l);
}
