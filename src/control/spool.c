#include "spool-internal.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"

#define TROUBLE_MS 100 /* how often a device in trouble is looked at */
#define FINISH_MS  10
#define TELL_MS	   250 /* how soon it is looked whether to tell a loss */
#define PASS_MOST  1024 /* records of one ring, before the others' turn */

/* --- what was lost */

static size_t
spool_workers(const struct spool *s)
{
	return s->shared != NULL ? s->shared->nworkers : 0;
}

static uint64_t
spool_dropped_before(const struct spool *s, enum logdevice_kind kind)
{
	uint64_t dropped = 0;

	if (kind == LOGDEVICE_MESSAGES)
		return counter_get(&s->queue.dropped);
	for (size_t i = 0; i < spool_workers(s); i++)
		dropped += ring_dropped(worker_records(s->shared->workers[i]));
	return dropped;
}

uint64_t
spool_dropped(struct spool *s, enum logdevice_kind kind)
{
	const struct leaving *l;
	uint64_t dropped;

	pthread_mutex_lock(&s->mutex);
	dropped = outlet_dropped(&s->log, kind) +
	    outlet_dropped(&s->access, kind) + s->dropped[kind];
	SLIST_FOREACH(l, &s->leaving, link)
		dropped += outlet_dropped(&l->outlet, kind);
	pthread_mutex_unlock(&s->mutex);
	return dropped + spool_dropped_before(s, kind);
}

/* Of what was to go to that outlet. */
void
spool_lost(const struct spool *s, const struct outlet *o, uint64_t *lost)
{
	for (int kind = 0; kind < LOGDEVICE_KINDS; kind++) {
		const struct outlet *to = kind == LOGDEVICE_RECORDS ?
		    s->records : &s->log;

		lost[kind] = outlet_dropped(o, kind);
		if (o == to)
			lost[kind] += spool_dropped_before(s, kind);
	}
}

static bool
spool_has_to_tell(const struct spool *s, const struct outlet *o)
{
	uint64_t lost[LOGDEVICE_KINDS];

	spool_lost(s, o, lost);
	return o->device != NULL && outlet_has_lost(o, lost);
}

/* --- a pass */

static bool
spool_room(struct spool *s, struct outlet *o)
{
	if (!logdevice_room(o->device))
		logdevice_flush(o->device, s->now);
	return logdevice_room(o->device);
}

static void
spool_tap_message(struct spool *s, const struct message *m)
{
	spool_tap *tap = atomic_load(&s->tap);
	char line[LOGDEVICE_LINE];

	if (tap == NULL)
		return;
	tap(LOG_FORMAT_TEXT, line, logline_message(LOGDEVICE_FILE,
	    LOG_FORMAT_TEXT, m, line));
	tap(LOG_FORMAT_JSON, line, logline_message(LOGDEVICE_FILE,
	    LOG_FORMAT_JSON, m, line));
}

static void
spool_tap_record(struct spool *s, const struct closerecord *r)
{
	spool_tap *tap = atomic_load(&s->tap);
	char line[LOGDEVICE_LINE];

	if (tap == NULL)
		return;
	tap(LOG_FORMAT_TEXT, line, logline_record(LOGDEVICE_FILE,
	    LOG_FORMAT_TEXT, r, line));
	tap(LOG_FORMAT_JSON, line, logline_record(LOGDEVICE_FILE,
	    LOG_FORMAT_JSON, r, line));
}

/* One that has no place may be of a plan that came during this pass. */
static bool
spool_record(struct spool *s, const struct closerecord *r)
{
	if (s->records == NULL && atomic_load(&s->plan) != NULL)
		return false;
	if (s->records != NULL) {
		if (!spool_room(s, s->records))
			return false;
		outlet_put_record(s->records, r);
	}
	spool_tap_record(s, r);
	return true;
}

static bool
spool_ring(struct spool *s, struct ring *ring, uint64_t until)
{
	const struct closerecord *r;
	unsigned n = 0;

	while (n < PASS_MOST && (r = ring_peek(ring)) != NULL &&
	    r->time <= until && spool_record(s, r)) {
		ring_pop(ring);
		n++;
	}
	return n > 0;
}

/* Those that were made until then. */
static bool
spool_rings(struct spool *s, uint64_t until)
{
	bool any = false;

	for (size_t i = 0; i < spool_workers(s); i++)
		any |= spool_ring(s, worker_records(s->shared->workers[i]),
		    until);
	return any;
}

/* Where there was no message, none is taken that has come meanwhile: records that
 * were made before it may not be written yet. */
static bool
spool_take(struct spool *s, struct message *m, bool message, bool all)
{
	if (message)
		return logqueue_take(&s->queue, m);
	return logqueue_take_count(&s->queue, m, all ? UINT64_MAX : s->now);
}

/* In the order of time, as far as it is there: that sessions are ended comes
 * before their records, and the last word after all of them.  'until' is a time
 * (clock_wall()) whose later lines stay where they are. */
bool
spool_lines(struct spool *s, bool all, uint64_t until)
{
	bool any = false;
	struct message m;

	for (unsigned n = 0; n < LOGQUEUE_ROWS; n++) {
		uint64_t oldest = logqueue_oldest(&s->queue);

		any |= spool_rings(s, oldest < until ? oldest : until);
		if (oldest > until && until != UINT64_MAX)
			break;
		if (!spool_room(s, &s->log) ||
		    !spool_take(s, &m, oldest != UINT64_MAX, all))
			break;
		outlet_put_message(&s->log, &m);
		spool_tap_message(s, &m);
		any = true;
	}
	return any;
}

void
spool_say(struct spool *s, const struct message *m)
{
	logqueue_put(&s->queue, m->level, m->text, m->len);
}

/* What is wrong with one device is said by the other, and what was lost on it
 * also by itself, once it takes lines again. */
static void
spool_look_after(struct spool *s, struct outlet *o)
{
	uint64_t lost[LOGDEVICE_KINDS];
	struct message m;

	spool_lost(s, o, lost);
	if (outlet_got_stuck(o, &m) && o != &s->log)
		spool_say(s, &m);
	if (!outlet_tells(o, lost, s->now, &m))
		return;
	if (o != &s->log)
		spool_say(s, &m);
	else
		spool_tap_message(s, &m);
}

/* --- a pass as a whole */

static void
spool_begin_pass(struct spool *s, struct outlet *o, bool reopen)
{
	struct message m;

	if (o->device == NULL)
		return;
	if (reopen && outlet_reopen(o, &m))
		spool_say(s, &m);
	spool_look_after(s, o);
}

static bool
spool_flush(struct spool *s, struct outlet *o)
{
	return o->device != NULL && logdevice_flush(o->device, s->now);
}

bool
spool_pass(struct spool *s, bool all)
{
	bool reopen = atomic_exchange(&s->reopening, false), any;

	s->now = clock_ms();
	spool_follow(s);
	spool_begin_pass(s, &s->log, reopen);
	spool_begin_pass(s, &s->access, reopen);
	outlet_take_crash(&s->log);
	any = spool_lines(s, all, UINT64_MAX);
	any |= spool_flush(s, &s->log);
	any |= spool_flush(s, &s->access);
	any |= spool_empty_leaving(s);
	return any;
}

/* --- waiting for the next one */

static int
outlet_poll_fd(const struct outlet *o)
{
	return o->device != NULL ? logdevice_poll_fd(o->device) : -1;
}

static bool
outlet_in_trouble(const struct outlet *o)
{
	return o->device != NULL && logdevice_since(o->device) != 0;
}

static int
spool_timeout(struct spool *s)
{
	uint64_t due = logqueue_due(&s->queue);

	if (outlet_in_trouble(&s->log) || outlet_in_trouble(&s->access) ||
	    !SLIST_EMPTY(&s->leaving))
		return TROUBLE_MS;
	if (spool_has_to_tell(s, &s->log) || spool_has_to_tell(s, &s->access))
		return TELL_MS;
	if (due == UINT64_MAX)
		return -1;
	return due > s->now ? (int)(due - s->now) : 0;
}

static bool
spool_poll(struct spool *s, int wake_fd, int timeout)
{
	struct pollfd fds[] = {
		{ wake_fd, POLLIN, 0 },
		{ outlet_poll_fd(&s->log), POLLOUT, 0 },
		{ outlet_poll_fd(&s->access), POLLOUT, 0 },
	};
	eventfd_t ignored;

	poll(fds, 3, timeout);
	if (fds[0].revents != 0)
		eventfd_read(wake_fd, &ignored);
	return fds[1].revents != 0 || fds[2].revents != 0;
}

bool
spool_wait(struct spool *s, int wake_fd)
{
	return spool_poll(s, wake_fd, spool_timeout(s));
}

static bool
spool_waits(const struct spool *s)
{
	return (s->log.device != NULL && logdevice_waits(s->log.device)) ||
	    (s->access.device != NULL && logdevice_waits(s->access.device)) ||
	    !SLIST_EMPTY(&s->leaving);
}

void
spool_finish(struct spool *s, bool all, uint64_t until)
{
	while (spool_pass(s, all) || (spool_waits(s) && s->now < until))
		if (spool_waits(s))
			spool_poll(s, -1, FINISH_MS);
}

/* --- the devices */

int
spool_open(struct spool *s, const struct config *config,
    const struct logwant *want)
{
	int error = outlet_open(&s->log, config, "log", want->log);

	if (error < 0)
		return error;
	s->records = want->records ? &s->log : NULL;
	s->will_record = want->records;
	if (want->access == NULL)
		return 0;
	s->records = &s->access;
	error = outlet_open(&s->access, config, "access_log", want->access);
	if (error < 0)
		outlet_close(&s->log);
	return error;
}

void
spool_close(struct spool *s)
{
	crash_set_log(STDERR_FILENO, CRASH_PLAIN);
	outlet_close(&s->log);
	outlet_close(&s->access);
	spool_forget(s);
}

static void
outlet_warn_early(const struct outlet *o)
{
	if (o->device != NULL && logdevice_is_stuck(o->device))
		log_warn(-logdevice_error(o->device), "%s: nobody takes "
		    "messages for %s, they are lost until somebody does",
		    o->option, logdevice_name(o->device));
}

void
spool_warn(struct spool *s)
{
	outlet_warn_early(&s->log);
	outlet_warn_early(&s->access);
}

static void
outlet_give(struct outlet *o, uid_t uid, gid_t gid)
{
	int error = o->device != NULL ? logdevice_give(o->device, uid, gid) : 0;

	if (error < 0)
		log_warn(error, "%s: cannot give %s away, it may not open anew",
		    o->option, logdevice_name(o->device));
}

void
spool_give(struct spool *s, uid_t uid, gid_t gid)
{
	outlet_give(&s->log, uid, gid);
	outlet_give(&s->access, uid, gid);
}
