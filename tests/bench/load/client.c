#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "load.h"

#define TOGETHER     64 /* that connect at the same time */
#define EDGES	     (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
#define CLOSED_LOOP  0

/* --- one client's life */

/* A connect that fails at once is found by the first event. */
static void
client_open(struct load *l, struct peer *peer)
{
	*peer = (struct peer){ .fd = socket(AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
	if (peer->fd < 0)
		die("socket");
	stream_begin(&peer->out, l->begun++);
	socket_prepare(l, peer->fd);
	if (connect(peer->fd, (struct sockaddr *)&l->addr,
	    sizeof(l->addr)) < 0 && errno != EINPROGRESS)
		die("connect");
	load_watch(l, peer, EPOLL_CTL_ADD, l->role->events);
}

static void
client_is_ready(struct load *l, struct peer *peer)
{
	peer->ready = true;
	l->ready++;
}

static void
client_goes(struct load *l, struct peer *peer)
{
	peer->under_way = true;
	l->open++;
}

/* It has nothing more to do, but stays. */
static void
client_rests(struct load *l, struct peer *peer)
{
	if (peer->under_way)
		l->open--;
	peer->under_way = false;
}

static void
client_close(struct load *l, struct peer *peer)
{
	congestion_note(l, peer->fd);
	close(peer->fd);
	peer->fd = -1;
	client_rests(l, peer);
}

static void
client_fails(struct load *l, struct peer *peer, int error)
{
	client_close(l, peer);
	if (l->failed++ == 0)
		l->error = error;
	l->wrong += error == EBADMSG;
}

/* Sends what is to be sent and reads what has come.  Returns false when that
 * was the end of it. */
static bool
client_moves(struct load *l, struct peer *peer, uint32_t events)
{
	bool fine = peer_send(peer);

	if (fine && (events & ~(uint32_t)EPOLLOUT) != 0)
		fine = peer_receive(peer, l->look, events);
	if (!fine)
		client_fails(l, peer, errno);
	return fine;
}

static bool
has_whole_answer(struct load *l, struct peer *peer)
{
	if (peer->in.at == peer->goal && (peer->goal < STREAM_HEAD ||
	    peer->in.phase == peer->out.phase))
		return true;
	if (peer->in.at >= peer->goal)
		client_fails(l, peer, EBADMSG);
	else if (peer->eof)
		client_fails(l, peer, EPIPE);
	return false;
}

/* --- connections: connect, send, receive, close, again */

static void
connections_begin(struct load *l, struct peer *peer)
{
	if (l->count == 0)
		return;
	l->count--;
	client_open(l, peer);
	client_goes(l, peer);
	peer->goal = l->size;
}

static void
connections_event(struct load *l, struct peer *peer, uint32_t events)
{
	if (!client_moves(l, peer, events))
		goto next;
	if (!has_whole_answer(l, peer)) {
		if (peer->fd >= 0)
			return;
		goto next;
	}
	l->done++;
	l->bytes += peer->out.at;
	client_close(l, peer);
next:
	if (!l->ending)
		connections_begin(l, peer);
}

/* --- pingpong: send, receive, again */

static void
pingpong_open(struct load *l, struct peer *peer)
{
	client_open(l, peer);
	peer->goal = l->size;
}

static void
pingpong_ask(struct load *l, struct peer *peer, uint64_t when)
{
	if (l->count == 0)
		return;
	l->count--;
	peer->asked = when;
	peer->due += l->pace * l->npeers;
	peer->goal += l->size;
	if (!peer_send(peer))
		client_fails(l, peer, errno);
}

static void
pingpong_event(struct load *l, struct peer *peer, uint32_t events)
{
	uint64_t now;

	if (!client_moves(l, peer, events) ||
	    !has_whole_answer(l, peer))
		return;
	if (!peer->ready)
		client_is_ready(l, peer);
	if (peer->eof)
		client_fails(l, peer, EPIPE);
	if (peer->eof || peer->asked == 0)
		return;
	now = now_ns();
	histogram_add(&l->latency, now - peer->asked);
	l->done++;
	l->bytes += l->size;
	peer->asked = 0;
	if (l->ending)
		client_rests(l, peer);
	else if (l->pace == CLOSED_LOOP)
		pingpong_ask(l, peer, now);
	else if (peer->due <= now)
		pingpong_ask(l, peer, peer->due);
}

static void
pingpong_begin(struct load *l, struct peer *peer)
{
	client_goes(l, peer);
	peer->due = l->started + (uint64_t)(peer - l->peers) * l->pace;
	if (l->pace == CLOSED_LOOP)
		pingpong_ask(l, peer, l->started);
}

static void
pingpong_end(struct load *l, struct peer *peer)
{
	if (peer->asked == 0)
		client_rests(l, peer);
}

/* --- hold: stay; each sends and receives once, some of them at a time */

static void
hold_next(struct load *l)
{
	if (l->turn < l->npeers)
		pingpong_ask(l, &l->peers[l->turn++], now_ns());
}

static void
hold_event(struct load *l, struct peer *peer, uint32_t events)
{
	uint64_t done = l->done;

	pingpong_event(l, peer, events);
	if (l->done > done)
		hold_next(l);
}

static void
hold_begin(struct load *l, struct peer *peer)
{
	if (l->size == 0)
		return;
	l->ending = true;
	client_goes(l, peer);
	if (l->turn < TOGETHER)
		hold_next(l);
}

/* --- pingpong at a pace */

/* Who is still waiting when the next request is due sends it when he has the
 * answer, and its time counts from when it was due. */
void
client_pace(struct load *l)
{
	uint64_t ticks, now = now_ns();
	struct itimerspec next = { 0 };

	if (read(l->timer.fd, &ticks, sizeof(ticks)) < 0 || l->ending)
		return;
	for (; l->due <= now; l->due += l->pace) {
		struct peer *peer = &l->peers[l->turn++ % l->npeers];

		if (peer->under_way && peer->asked == 0 && peer->due <= now)
			pingpong_ask(l, peer, peer->due);
	}
	next.it_value.tv_sec = (time_t)(l->due / 1000000000);
	next.it_value.tv_nsec = (long)(l->due % 1000000000);
	timerfd_settime(l->timer.fd, TFD_TIMER_ABSTIME, &next, NULL);
}

static void
pace_begin(struct load *l)
{
	struct itimerspec at_once = { .it_value.tv_nsec = 1 };

	l->due = l->started;
	l->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (l->timer.fd < 0)
		die("timerfd");
	load_watch(l, &l->timer, EPOLL_CTL_ADD, EPOLLIN);
	timerfd_settime(l->timer.fd, TFD_TIMER_ABSTIME, &at_once, NULL);
}

/* --- upload: as much as goes, and a FIN, which the other side answers */

static void
upload_event(struct load *l, struct peer *peer, uint32_t events)
{
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
		if (!client_moves(l, peer, EPOLLIN))
			return;
		if (peer->in.at > 0)
			client_fails(l, peer, EBADMSG);
		else if (peer->eof && !l->ending)
			client_fails(l, peer, EPIPE);
		else if (peer->eof) {
			l->done++;
			client_close(l, peer);
		}
	} else if (!peer->ready) {
		client_is_ready(l, peer);
		load_watch(l, peer, EPOLL_CTL_MOD, EPOLLIN);
	} else {
		ssize_t n = peer_send_some(peer, l->size);

		if (n >= 0)
			l->bytes += (uint64_t)n;
		else if (errno != EAGAIN)
			client_fails(l, peer, errno);
	}
}

static void
upload_begin(struct load *l, struct peer *peer)
{
	client_goes(l, peer);
	load_watch(l, peer, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static void
upload_end(struct load *l, struct peer *peer)
{
	shutdown(peer->fd, SHUT_WR);
	load_watch(l, peer, EPOLL_CTL_MOD, EPOLLIN);
}

/* --- download: four bytes ask for as much as goes, four more for its end,
 * since not every proxy passes on a FIN and then still a reply */

static void
download_event(struct load *l, struct peer *peer, uint32_t events)
{
	uint64_t before = peer->in.at;

	if (!client_moves(l, peer, events))
		return;
	l->bytes += peer->in.at - before;
	if (!peer->ready) {
		client_is_ready(l, peer);
		load_watch(l, peer, EPOLL_CTL_MOD, EPOLLIN);
	}
	if (peer->in.at >= STREAM_HEAD && peer->in.phase != peer->out.phase)
		client_fails(l, peer, EBADMSG);
	else if (peer->eof && !l->ending)
		client_fails(l, peer, EPIPE);
	else if (peer->eof) {
		l->done++;
		client_close(l, peer);
	}
}

static void
download_ask(struct load *l, struct peer *peer)
{
	peer->goal += STREAM_HEAD;
	if (!peer_send(peer))
		client_fails(l, peer, errno);
}

static void
download_begin(struct load *l, struct peer *peer)
{
	client_goes(l, peer);
	download_ask(l, peer);
}

/* --- all of them */

static void
nothing(struct load *l, struct peer *peer)
{
	(void)l, (void)peer;
}

const struct role CLIENTS[] = {
	{ "connections", false, 64, 64, EDGES, connections_event, NULL,
	    connections_begin, nothing },
	{ "pingpong", false, 64, 1, EDGES, pingpong_event, pingpong_open,
	    pingpong_begin, pingpong_end },
	{ "hold", false, 0, 1000, EDGES, hold_event, client_open, hold_begin,
	    nothing },
	{ "upload", false, 128 << 10, 1, EPOLLIN | EPOLLOUT, upload_event,
	    client_open, upload_begin, upload_end },
	{ "download", false, STREAM_HEAD, 1, EPOLLIN | EPOLLOUT,
	    download_event, client_open, download_begin, download_ask },
	{ .name = NULL },
};

/* Connects some more, where that comes first. */
bool
client_open_next(struct load *l)
{
	if (l->role->open == NULL)
		return false;
	while (l->begun < l->npeers && l->begun - l->ready < TOGETHER)
		l->role->open(l, &l->peers[l->begun]);
	return l->begun < l->npeers;
}

void
client_begin(struct load *l)
{
	for (size_t i = 0; i < l->npeers; i++)
		l->role->begin(l, &l->peers[i]);
	if (l->pace != CLOSED_LOOP)
		pace_begin(l);
}

void
client_end(struct load *l)
{
	l->ending = true;
	for (size_t i = 0; i < l->npeers; i++)
		if (l->peers[i].under_way)
			l->role->end(l, &l->peers[i]);
}
