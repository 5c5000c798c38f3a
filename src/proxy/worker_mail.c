/* What mail tells a worker to do. */
#include "listener.h"
#include "proxy/waitlist.h"
#include "waiter.h"
#include "worker-internal.h"

/* A timer may come a moment before its time, and is then set for the rest. */
static void
worker_arm_leaving(struct worker *w)
{
	uint64_t now = worker_now(w), first = UINT64_MAX, ms;
	struct timeval tv;
	struct listener *l;

	LIST_FOREACH(l, &w->listeners, link)
		if (l->leave_at != 0 && l->leave_at < first)
			first = l->leave_at;
	if (first == UINT64_MAX || event_pending(&w->leave_event, EV_TIMEOUT,
	    NULL))
		return;
	ms = first > now ? first - now : 0;
	tv = (struct timeval){ .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	event_add(&w->leave_event, &tv);
}

void
worker_leave_event(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct listener *l, *next;

	(void)fd, (void)what;
	for (l = LIST_FIRST(&w->listeners); l != NULL; l = next) {
		next = LIST_NEXT(l, link);
		if (l->leave_at != 0 && l->leave_at <= worker_now(w))
			listener_left(l);
	}
	worker_arm_leaving(w);
}

static void
worker_take_socket(struct worker *w, const struct listen_fd *order)
{
	switch (order->order) {
	case LISTEN_OPEN:
		listener_open(w, order);
		break;
	case LISTEN_KEEP:
		listener_obey(order->listener, order->conf);
		break;
	case LISTEN_LEAVE:
		if (listener_leave(order->listener))
			worker_arm_leaving(w);
		break;
	}
}

static void
worker_take_snapshot(struct worker *w, struct mail *mail)
{
	snapshot_unref(w->snapshot);
	w->snapshot = mail->snapshot;
	mail->snapshot = NULL;
	era_clear_places(w, snapshot_config(w->snapshot));
	era_enter(w, mail->era);
	mail->era = NULL;
	while (mail->nfds > 0)
		worker_take_socket(w, &mail->fds[--mail->nfds]);
	era_sweep(w);
}

/* Where it was accepted the configuration may be another by now. */
static void
worker_take_client(struct worker *w, struct mail *mail)
{
	const struct config *config = mail->listener->config;
	struct era *era = NULL;

	atomic_fetch_sub_explicit(&w->live, 1, memory_order_relaxed);
	if (!era_is_known(w, config)) {
		era = era_new(mail->snapshot);
		if (era != NULL)
			era_enter(w, era);
	}
	worker_adopt(w, mail->listener, &mail->client, &mail->peer);
	era_sweep(w);
}

/* Sessions that waited for the answer go on, or wait for the next. */
static void
worker_take_endpoints(struct worker *w, struct mail *mail)
{
	size_t i = mail->pool->set->upstream;
	struct session *s, *next;

	pool_unref(w->pools[i]);
	w->pools[i] = mail->pool;
	mail->pool = NULL;
	for (s = LIST_FIRST(&w->routing[i]); s != NULL; s = next) {
		next = LIST_NEXT(s, waiting);
		s->answered = true;
		session_advance(s);
	}
	waitlist_wake(&w->shared->waits[i]);
}

static void
worker_listen_how(struct worker *w, struct listener *l, enum listen_how how)
{
	switch (how) {
	case LISTEN_ON:
		listener_listen(l);
		break;
	case LISTEN_OFF:
		listener_shut(l);
		break;
	case LISTEN_RESTS:
		if (listener_rest(l))
			worker_arm_leaving(w);
		break;
	}
}

static void
worker_listen(struct worker *w, const struct mail *mail)
{
	struct listener *l;

	LIST_FOREACH(l, &w->listeners, link)
		if (l->conf == mail->listener)
			worker_listen_how(w, l, mail->listens);
}

/* Who is kept waiting for nothing is let go: see ADMIT. */
static void
worker_drain_held(struct worker *w)
{
	struct session *s, *next;

	for (s = LIST_FIRST(&w->sessions); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		if (s->held)
			session_expire(s);
	}
}

/* Who goes on to listen finds who is queued. */
static void
worker_drain(struct worker *w, bool goes_on)
{
	w->draining = true;
	while (!LIST_EMPTY(&w->listeners))
		if (goes_on)
			listener_close(LIST_FIRST(&w->listeners));
		else
			listener_drain(LIST_FIRST(&w->listeners));
	worker_drain_held(w);
}

static void
worker_kill(struct worker *w, const struct ending *ending)
{
	w->draining = w->killed = true;
	while (!LIST_EMPTY(&w->listeners))
		listener_close(LIST_FIRST(&w->listeners));
	while (!LIST_EMPTY(&w->sessions))
		session_end(LIST_FIRST(&w->sessions), ending);
}

static void
worker_read(struct worker *w, struct mail *mail)
{
	switch (mail->kind) {
	case MAIL_SNAPSHOT:
		worker_take_snapshot(w, mail);
		break;
	case MAIL_ENDPOINTS:
		worker_take_endpoints(w, mail);
		break;
	case MAIL_ADOPT:
		worker_take_client(w, mail);
		break;
	case MAIL_DRAIN:
		worker_drain(w, mail->goes_on);
		break;
	case MAIL_KILL:
		worker_kill(w, &mail->ending);
		break;
	case MAIL_VISIT:
		visit_run(w, mail);
		return; /* it goes back */
	case MAIL_LISTEN:
		worker_listen(w, mail);
		break;
	case MAIL_WAKE:
		waiter_read(mail);
		return; /* it is the waiter's */
	}
	mail_free(mail);
}

void
worker_mail_event(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct box_list list;
	struct mail *mail;

	(void)fd, (void)what;
	box_take(w->mailbox, &list);
	while ((mail = mail_next(&list)) != NULL)
		worker_read(w, mail);
}
