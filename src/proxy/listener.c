#include "listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "era.h"
#include "limit.h"
#include "net/sock.h"
#include "worker-internal.h"

#define ACCEPTS_PER_WAKE  16
#define QUEUE_MOST	  4096 /* of a socket that does not say it */
#define WARN_EVERY_MS	  60000

/* Clearly more than the other: a few, and an eighth. */
#define HAND_OVER_MARGIN  4
#define HAND_OVER_SHARE	  8

enum accept_result { ACCEPTED, ACCEPT_NONE, ACCEPT_LATER };

static struct listener_stats *
listener_stats(const struct listener *l)
{
	return &l->worker->stats.listeners[l->conf->index];
}

/* Stops accepting, so that clients wait in the kernel's queue and the
 * level-triggered event does not spin. */
static void
listener_pause(struct listener *l, struct counter *count, const char *why,
    int error)
{
	struct worker *w = l->worker;
	const struct timeval tv = { .tv_usec = LISTENER_RESUME_MS * 1000 };

	event_del(&l->event);
	l->paused = w->paused = true;
	counter_add(count, 1);
	if (!event_pending(&w->resume_event, EV_TIMEOUT, NULL))
		event_add(&w->resume_event, &tv);
	if (l->warned != 0 && worker_now(w) - l->warned < WARN_EVERY_MS)
		return;
	l->warned = worker_now(w);
	log_warn(error, "listener %s: %s, %s", l->conf->name, why, l->mute ?
	    "clients are refused" : "new clients wait");
}

/* Until there may be a place again: before that, a session that ends is no
 * reason to look, as it is for other pauses. */
static void
listener_wait(struct listener *l)
{
	const struct rate_limit *rate = &l->conf->session_rate;
	char why[64];

	snprintf(why, sizeof(why), "session_rate %ju/%s reached",
	    (uintmax_t)rate->count, rate->per == 1000 ? "s" :
	    rate->per == 60 * 1000 ? "m" : "h");
	listener_pause(l, &listener_stats(l)->paused_fast, why, 0);
	l->resume_at = worker_now(l->worker) + LISTENER_RESUME_MS / 2;
}

/* The power of two choices: another worker at random takes the client if this
 * one clearly holds more. */
static struct worker *
listener_choose(struct worker *w)
{
	const struct shared *shared = w->shared;
	struct worker *other;
	uint64_t mine, theirs;

	if (shared->nworkers < 2 || w->draining)
		return w;
	other = shared->workers[(w->index + 1 + worker_random(w) %
	    (shared->nworkers - 1)) % shared->nworkers];
	mine = worker_sessions(w);
	theirs = worker_sessions(other);
	return mine >= theirs + HAND_OVER_MARGIN + theirs / HAND_OVER_SHARE ?
	    other : w;
}

static bool
listener_hand_over(struct listener *l, struct worker *to, int fd,
    const struct peer *peer)
{
	struct mail *mail = mail_new(MAIL_ADOPT);

	if (mail == NULL)
		return false;
	mail->listener = l->conf;
	mail->snapshot = era_snapshot(l->worker, l->conf->config);
	mail->peer = *peer;
	conn_hold(&mail->client, fd);
	if (worker_mail(to, mail)) {
		counter_add(&listener_stats(l)->handed_over, 1);
		return true;
	}
	mail->client.open = false;
	mail_free(mail);
	return false;
}

static void
listener_turn_away(struct listener *l, int fd)
{
	struct conn held;

	counter_add(&listener_stats(l)->refused, 1);
	conn_hold(&held, fd);
	conn_reset(&held);
	worker_release(l->worker, l->conf);
}

static void
listener_accepted(struct listener *l, int fd, const struct peer *peer)
{
	struct worker *w = l->worker, *to = listener_choose(w);
	struct conn held;

	if (l->turns_away) {
		listener_turn_away(l, fd);
		return;
	}
	if (l->conf->mptcp)
		sock_keep_urgent(fd);
	if (to != w && listener_hand_over(l, to, fd, peer))
		return;
	conn_hold(&held, fd);
	worker_adopt(w, l->conf, &held, peer);
}

/* What else accept(2) says is about one client that has left. */
static enum accept_result
listener_refused(struct listener *l, int error)
{
	if (error == EAGAIN)
		return ACCEPT_NONE;
	if (sock_is_short(-error)) {
		pipe_pool_shed(&l->worker->pipes, worker_now(l->worker));
		listener_pause(l, &listener_stats(l)->paused_short,
		    "cannot accept", -error);
		return ACCEPT_LATER;
	}
	return ACCEPTED;
}

static enum accept_result
listener_accept(struct listener *l)
{
	struct worker *w = l->worker;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct peer peer;
	int fd, error;

	if (!limit_take(w->shared, l->conf)) {
		listener_pause(l, &listener_stats(l)->paused_full,
		    "max_sessions reached", 0);
		return ACCEPT_LATER;
	}
	if (!limit_rate_take(w->shared, l->conf, worker_now(w))) {
		limit_give(w->shared, l->conf);
		listener_wait(l);
		return ACCEPT_LATER;
	}
	memset(&from, 0, sizeof(from));
	fd = accept4(l->fd, (struct sockaddr *)&from, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	error = errno;
	if (fd < 0) {
		limit_give(w->shared, l->conf);
		limit_rate_give(w->shared, l->conf);
		return listener_refused(l, error);
	}
	peer_from_sockaddr(&peer, (const struct sockaddr *)&from);
	listener_accepted(l, fd, &peer);
	return ACCEPTED;
}

static void
listener_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	for (int i = 0; i < ACCEPTS_PER_WAKE; i++)
		if (listener_accept(arg) != ACCEPTED)
			return;
}

static bool
listener_has_fixed_port(const struct listener *l)
{
	struct peer own;

	sock_local(l->fd, &own);
	for (size_t i = 0; i < l->conf->nbinds; i++) {
		const struct bind_conf *bind = &l->conf->binds[i];
		unsigned first = addr_port(&bind->addr);

		if (first > 0 && own.port >= first &&
		    own.port - first < bind->ports)
			return true;
	}
	return false;
}

void
listener_open(struct worker *w, const struct listen_fd *from)
{
	struct listener *l = from->listener;

	l->worker = w;
	l->conf = from->conf;
	l->fd = from->fd;
	l->shared = from->shared;
	l->fixed = listener_has_fixed_port(l);
	era_use(w, l->conf->config);
	event_assign(&l->event, w->base, l->fd, EV_READ | EV_PERSIST,
	    listener_event, l);
	LIST_INSERT_HEAD(&w->listeners, l, link);
	if (event_add(&l->event, NULL) < 0)
		listener_pause(l, &listener_stats(l)->paused_short,
		    "cannot accept", -ENOMEM);
}

static int
listener_backlog(const struct listener_conf *conf)
{
	return conf->backlog == 0 ? SOMAXCONN : (int)conf->backlog;
}

/* Others of its group may have begun already. */
static int
listener_begin_to_listen(struct listener *l)
{
	sock_stand_alone(l->fd, false);
	l->mute = listen(l->fd, listener_backlog(l->conf)) < 0;
	return l->mute ? -errno : 0;
}

bool
listener_resume(struct listener *l)
{
	if (!l->paused || l->resume_at > worker_now(l->worker))
		return !l->paused;
	if ((!l->mute || listener_begin_to_listen(l) == 0) &&
	    event_add(&l->event, NULL) == 0)
		l->paused = false;
	return !l->paused;
}

/* And come back to it. */
static bool
listener_can_refuse(const struct listener *l)
{
	return !l->shared && l->fixed;
}

/* shutdown(2) ends LISTEN, in whatever state the queue is, and keeps a port
 * that bind(2) was asked for; a level-triggered event would hear of it for
 * ever.  A pause ends with it: there is no client to wait for, nor a place. */
void
listener_shut(struct listener *l)
{
	l->rests = l->turns_away = false;
	l->leave_at = 0;
	if (l->shut || !listener_can_refuse(l))
		return;
	event_del(&l->event);
	l->shut = true;
	l->paused = l->mute = false;
	shutdown(l->fd, SHUT_RD);
}

static void
listener_undeafen(struct listener *l)
{
	if (l->deaf)
		sock_undeafen(l->fd);
	l->deaf = false;
}

void
listener_listen(struct listener *l)
{
	int error;

	l->rests = l->turns_away = false;
	l->leave_at = 0;
	listener_undeafen(l);
	if (!l->shut)
		return;
	l->shut = false;
	error = listener_begin_to_listen(l);
	if (error < 0)
		listener_pause(l, &listener_stats(l)->paused_short,
		    "cannot listen again", error);
	else if (event_add(&l->event, NULL) < 0)
		listener_pause(l, &listener_stats(l)->paused_short,
		    "cannot accept", -ENOMEM);
}

/* listen(2) of one that listens changes its backlog; of one that is shut, whom
 * nobody else knows to be so, it would open the port.  That of a socket that
 * systemd passed is the unit's, unless ours is given. */
static void
listener_set_backlog(const struct listener *l, uint64_t before)
{
	const struct listener_conf *conf = l->conf;

	if (l->shut || l->mute || conf->backlog == before ||
	    (l->shared && conf->backlog == 0))
		return;
	if (listen(l->fd, listener_backlog(conf)) < 0)
		log_warn(-errno, "listener %s: its backlog is not set anew",
		    conf->name);
}

void
listener_obey(struct listener *l, const struct listener_conf *conf)
{
	const struct config *before = l->conf->config;
	bool same = l->conf->index == conf->index;
	uint64_t backlog = l->conf->backlog;

	era_use(l->worker, conf->config);
	l->conf = conf;
	era_leave(l->worker, before);
	listener_set_backlog(l, backlog);
	if (!same)
		listener_listen(l);
}

void
listener_close(struct listener *l)
{
	event_del(&l->event);
	close(l->fd);
	LIST_REMOVE(l, link);
	era_leave(l->worker, l->conf->config);
	free(l);
}

static void
listener_accept_queued(struct listener *l, int count)
{
	while (count-- > 0)
		if (listener_accept(l) != ACCEPTED)
			break;
}

/* Who waits, then who came meanwhile, as long as these get fewer: somebody may
 * connect as fast as we accept, and the sessions wait for the end of this. */
static void
listener_take_in(struct listener *l)
{
	int count = sock_queued(l->fd, QUEUE_MOST), last;

	do {
		listener_accept_queued(l, count);
		last = count;
		count = sock_queued(l->fd, 0);
	} while (count > 0 && count <= last / 2);
}

void
listener_drain(struct listener *l)
{
	if (!l->shared) {
		listener_take_in(l);
		shutdown(l->fd, SHUT_RD);
	}
	listener_close(l);
}

/* A client whose handshake is not done yet is in no queue, and would be reset. */
static bool
listener_begin_to_leave(struct listener *l)
{
	if (l->shut || l->shared || sock_is_unix(l->fd))
		return false;
	l->deaf = l->deaf || sock_deafen(l->fd);
	l->leave_at = worker_now(l->worker) + LISTENER_LEAVE_MS;
	l->leave_until = worker_now(l->worker) + LISTENER_LEAVE_MOST_MS;
	return true;
}

bool
listener_leave(struct listener *l)
{
	l->rests = l->turns_away = false;
	if (listener_begin_to_leave(l))
		return true;
	listener_drain(l);
	return false;
}

bool
listener_rest(struct listener *l)
{
	if (l->shut || l->rests || l->turns_away)
		return false;
	l->turns_away = !listener_can_refuse(l);
	if (l->turns_away)
		return false;
	l->rests = true;
	if (listener_begin_to_leave(l))
		return true;
	listener_left(l);
	return false;
}

/* Whoever waits for a place that a limit has not may still get one. */
static bool
listener_waits_on(struct listener *l)
{
	uint64_t now = worker_now(l->worker);

	if (now >= l->leave_until || l->shared)
		return false;
	if (!l->paused)
		listener_take_in(l);
	if (!l->paused || sock_queued(l->fd, 0) == 0)
		return false;
	l->leave_at = now + LISTENER_LEAVE_MS / 4;
	return true;
}

void
listener_left(struct listener *l)
{
	if (!l->rests) {
		if (!listener_waits_on(l))
			listener_drain(l);
		return;
	}
	listener_take_in(l);
	listener_shut(l);
	listener_undeafen(l);
}
