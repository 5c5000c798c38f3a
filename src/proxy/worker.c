#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rows.h"
#include "base/thread.h"
#include "limit.h"
#include "listener.h"
#include "worker-internal.h"

#define RECORDS 1024

uint64_t
worker_now(struct worker *w)
{
	if (w->now == 0)
		w->now = clock_ms();
	return w->now;
}

/* xorshift64 (Marsaglia, 2003). */
uint64_t
worker_random(struct worker *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random;
}

static void
worker_arm_wheel(struct worker *w, uint64_t at)
{
	uint64_t now = worker_now(w), ms = at > now ? at - now : 0;
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	w->wheel_armed = event_add(&w->wheel_event, &tv) == 0 ? at :
	    UINT64_MAX;
}

void
worker_set_timer(struct worker *w, struct wheel_entry *entry, uint64_t deadline)
{
	uint64_t at;

	wheel_set(&w->wheel, entry, deadline);
	at = wheel_next(&w->wheel);
	if (at < w->wheel_armed)
		worker_arm_wheel(w, at);
}

static void
worker_wheel_event(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct wheel_entry *entry;
	uint64_t next;

	(void)fd, (void)what;
	w->wheel_armed = UINT64_MAX;
	while ((entry = wheel_expire(&w->wheel, worker_now(w))) != NULL) {
		struct session *s = (struct session *)((char *)entry -
		    offsetof(struct session, timer));

		session_expire(s);
	}
	next = wheel_next(&w->wheel);
	if (next < w->wheel_armed)
		worker_arm_wheel(w, next);
}

static void
worker_resume(struct worker *w)
{
	const struct timeval tv = { .tv_usec = LISTENER_RESUME_MS * 1000 };
	struct listener *l;

	w->paused = false;
	LIST_FOREACH(l, &w->listeners, link)
		if (!listener_resume(l))
			w->paused = true;
	if (w->paused)
		event_add(&w->resume_event, &tv);
}

static void
worker_resume_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	worker_resume(arg);
}

void
worker_tell_failure(struct worker *w)
{
	if (!atomic_exchange_explicit(&w->shared->failed_told, true,
	    memory_order_acq_rel))
		eventfd_write(w->shared->failed_fd, 1);
}

void
worker_release(struct worker *w, const struct listener_conf *conf)
{
	limit_give(w->shared, conf);
	if (w->paused)
		worker_resume(w);
}

void
worker_adopt(struct worker *w, const struct listener_conf *conf,
    struct conn *client, const struct peer *peer)
{
	if (!w->killed && era_is_known(w, conf->config) &&
	    session_new(w, conf, client, peer))
		return;
	if (!w->killed)
		log_error(-ENOMEM, "listener %s: client refused", conf->name);
	counter_add(&w->stats.listeners[conf->index].refused, 1);
	conn_reset(client);
	worker_release(w, conf);
}

/* One pass over the queue as it stood: who has work left again goes behind the
 * fresh events of the next turn. */
static void
worker_run_queue(struct worker *w)
{
	struct relay mark = { 0 }, *r;

	relay_wait(&mark, &w->queue);
	while ((r = TAILQ_FIRST(&w->queue)) != &mark) {
		relay_wait(r, NULL);
		session_advance(r->session);
	}
	relay_wait(&mark, NULL);
}

static bool
worker_done(struct worker *w)
{
	return w->draining && LIST_EMPTY(&w->sessions) &&
	    box_close(w->mailbox);
}

/* Once a turn, and only a log writer that sleeps. */
static void
worker_tell_log(struct worker *w)
{
	if (!w->records_pending)
		return;
	w->records_pending = false;
	if (atomic_exchange(&w->shared->log_asleep, false))
		eventfd_write(w->shared->log_fd, 1);
}

/* Before the first configuration there is no bulk. */
static unsigned
worker_bulk_share(const struct worker *w)
{
	return w->snapshot == NULL ? 100 :
	    (unsigned)snapshot_config(w->snapshot)->global.bulk_share;
}

void
worker_turn(struct worker *w)
{
	int flags = EVLOOP_ONCE;

	if (!TAILQ_EMPTY(&w->queue) || gate_ready(&w->gate))
		flags |= EVLOOP_NONBLOCK;
	w->now = 0;
	note_turn(&w->note);
	event_base_loop(w->base, flags);
	worker_run_queue(w);
	gate_run(&w->gate, worker_bulk_share(w));
	session_reap(w);
	worker_tell_log(w);
}

static void *
worker_run(void *arg)
{
	struct worker *w = arg;

	if (w->shared->began != NULL)
		w->shared->began(w->index);
	while (!worker_done(w))
		worker_turn(w);
	note_end(&w->note);
	eventfd_write(w->shared->done_fd, 1);
	return NULL;
}

/* libevent keeps the memory that a timer took when it was first added: this is
 * the time for it to fail. */
static int
worker_reserve_timers(struct worker *w)
{
	const struct timeval tv = { .tv_sec = 1 };
	int error = event_add(&w->wheel_event, &tv) |
	    event_add(&w->resume_event, &tv) |
	    event_add(&w->leave_event, &tv);

	event_del(&w->wheel_event);
	event_del(&w->resume_event);
	event_del(&w->leave_event);
	return error;
}

/* The slab keeps a page from now on: who has none at the start says so, and
 * turns no client away for it. */
static bool
worker_reserve_session(struct worker *w)
{
	void *session = slab_take(&w->slab);

	slab_give(&w->slab, session);
	return session != NULL;
}

static int
worker_init_events(struct worker *w)
{
	event_assign(&w->wheel_event, w->base, -1, 0, worker_wheel_event, w);
	event_assign(&w->resume_event, w->base, -1, 0, worker_resume_event, w);
	event_assign(&w->leave_event, w->base, -1, 0, worker_leave_event, w);
	event_assign(&w->mail_event, w->base, box_fd(w->mailbox),
	    EV_READ | EV_PERSIST, worker_mail_event, w);
	return worker_reserve_timers(w) | event_add(&w->mail_event, NULL) |
	    gate_open(&w->gate, w->base) |
	    doubts_open(&w->doubts, w->base, &w->queue) |
	    refill_open(&w->refill, w->base, &w->queue);
}

static void
worker_init_lists(struct worker *w)
{
	LIST_INIT(&w->eras);
	LIST_INIT(&w->listeners);
	slab_init(&w->slab, sizeof(struct session));
	LIST_INIT(&w->sessions);
	LIST_INIT(&w->ended);
	LIST_INIT(&w->visits);
	TAILQ_INIT(&w->queue);
	wheel_init(&w->wheel, clock_ms());
	w->wheel_armed = UINT64_MAX;
}

struct worker *
worker_new(struct shared *shared, unsigned index)
{
	struct worker *w = aligned_alloc(alignof(struct worker), sizeof(*w));
	int error;

	if (w == NULL)
		return NULL;
	memset(w, 0, offsetof(struct worker, scratch));
	w->shared = shared;
	w->index = index;
	w->random = clock_ms() * 0x9e3779b97f4a7c15ULL + shared->boot + index;
	worker_init_lists(w);
	w->base = conn_base_new();
	w->mailbox = mail_box_new();
	w->records = ring_new(RECORDS, sizeof(struct closerecord));
	w->pools = rows_new(sizeof(*w->pools), shared->nupstreams);
	w->routing = rows_new(sizeof(*w->routing), shared->nupstreams);
	if (stats_init(&w->stats, shared->nlisteners, shared->nupstreams) &&
	    w->base != NULL && w->mailbox != NULL && w->records != NULL &&
	    w->pools != NULL && w->routing != NULL &&
	    worker_reserve_session(w) && worker_init_events(w) == 0)
		return w;
	error = errno;
	worker_free(w);
	errno = error;
	return NULL;
}

void
worker_activity(const struct worker *w, struct activity *a)
{
	note_read(&w->note, a);
	a->session = session_id_of(w, a->session);
}

void
worker_nudge(struct worker *w)
{
	box_nudge(w->mailbox);
}

/* ", in phase relay of session 5f2a-1-42" */
static void
worker_about(const void *arg, struct rawtext *t)
{
	struct activity a;

	worker_activity(arg, &a);
	if (a.phase == NULL)
		return;
	rawtext_add(t, ", in phase ");
	rawtext_add(t, a.phase);
	rawtext_add(t, " of session ");
	closerecord_id_raw(a.session, t);
}

int
worker_start(struct worker *w)
{
	struct thread thread = { .run = worker_run, .arg = w,
		.about = worker_about };

	snprintf(thread.name, sizeof(thread.name), "worker-%u", w->index);
	return thread_start(&w->thread, NULL, &thread);
}

/* A client on its way counts as the receiver's already: in a burst it would
 * look idle until it has read its mail, and be given everything. */
bool
worker_mail(struct worker *w, struct mail *mail)
{
	bool adopt = mail->kind == MAIL_ADOPT, taken;

	if (adopt)
		atomic_fetch_add_explicit(&w->live, 1, memory_order_relaxed);
	taken = box_put(w->mailbox, &mail->item);
	if (adopt && !taken)
		atomic_fetch_sub_explicit(&w->live, 1, memory_order_relaxed);
	return taken;
}

void
worker_join(struct worker *w)
{
	pthread_join(w->thread, NULL);
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; w->pools != NULL && i < w->shared->nupstreams; i++)
		pool_unref(w->pools[i]);
	box_unref(w->mailbox);
	gate_close(&w->gate);
	doubts_close(&w->doubts);
	refill_close(&w->refill);
	if (w->base != NULL)
		event_base_free(w->base);
	ring_free(w->records);
	era_forget_all(w);
	snapshot_unref(w->snapshot);
	slab_done(&w->slab);
	spill_pool_done(&w->spills);
	pipe_pool_done(&w->pipes);
	stats_done(&w->stats);
	rows_free(w->pools, sizeof(*w->pools));
	rows_free(w->routing, sizeof(*w->routing));
	free(w);
}

int
worker_grow(struct worker *w, size_t nlisteners, size_t nupstreams)
{
	int error = stats_grow(&w->stats, nlisteners, nupstreams);

	if (error == 0)
		error = rows_grow(w->pools, sizeof(*w->pools), nupstreams);
	return error < 0 ? error : rows_grow(w->routing, sizeof(*w->routing),
	    nupstreams);
}

uint64_t
worker_sessions(const struct worker *w)
{
	return atomic_load_explicit(&w->live, memory_order_relaxed);
}

const struct worker_stats *
worker_stats(const struct worker *w)
{
	return &w->stats;
}

struct ring *
worker_records(struct worker *w)
{
	return w->records;
}
