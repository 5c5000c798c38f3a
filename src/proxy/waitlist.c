#include "proxy/waitlist.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/rows.h"
#include "proxy/mail.h"
#include "proxy/worker.h"
#include "session.h"
#include "waiter.h"

/* OUT -> WAITS -> WOKEN -> AWAKE -> (WAITS again, before all others)
 *
 * Only WAITS -> WOKEN is made by others, under the list's lock. */
enum waiter_state {
	WAITER_OUT,   /* not in the list */
	WAITER_WAITS, /* in the list */
	WAITER_WOKEN, /* its mail is on its way */
	WAITER_AWAKE, /* it has come */
};

struct waiter {
	TAILQ_ENTRY(waiter) link;
	_Atomic enum waiter_state state;
	struct waitlist	   *list;
	bool		    choosy;
	struct session	   *session; /* NULL: has ended since it was woken */
	struct mail	    mail;    /* MAIL_WAKE */
};

struct waitlist *
waitlists_new(size_t count)
{
	struct waitlist *lists = rows_new(sizeof(*lists), 0);

	if (lists == NULL || waitlists_grow(lists, 0, count) == 0)
		return lists;
	rows_free(lists, sizeof(*lists));
	return NULL;
}

int
waitlists_grow(struct waitlist *lists, size_t before, size_t count)
{
	int error = rows_grow(lists, sizeof(*lists), count);

	for (size_t i = before; error == 0 && i < count; i++) {
		pthread_mutex_init(&lists[i].lock, NULL);
		TAILQ_INIT(&lists[i].queue);
	}
	return error;
}

void
waitlists_free(struct waitlist *lists, size_t count)
{
	for (size_t i = 0; lists != NULL && i < count; i++) {
		assert(TAILQ_EMPTY(&lists[i].queue));
		pthread_mutex_destroy(&lists[i].lock);
	}
	rows_free(lists, sizeof(*lists));
}

uint64_t
waitlist_length(const struct waitlist *list)
{
	return atomic_load_explicit(&list->length, memory_order_relaxed);
}

bool
waitlist_is_eager(const struct waitlist *list)
{
	return waitlist_length(list) >
	    atomic_load_explicit(&list->choosy, memory_order_relaxed);
}

/* A worker that has a session takes mail. */
static void
waitlist_wake_first(struct waitlist *list)
{
	struct waiter *waiter = TAILQ_FIRST(&list->queue);

	list->again = list->awake;
	if (list->awake || waiter == NULL)
		return;
	list->awake = true;
	TAILQ_REMOVE(&list->queue, waiter, link);
	waiter->state = WAITER_WOKEN;
	if (!worker_mail(waiter->session->worker, &waiter->mail))
		abort();
}

/* Who waits has counted itself and then looked whether there is room; who makes
 * room does that first and then looks at the count: in one order for all, so
 * that one of both sees the other. */
void
waitlist_wake(struct waitlist *list)
{
	if (atomic_load(&list->length) == 0)
		return;
	pthread_mutex_lock(&list->lock);
	waitlist_wake_first(list);
	pthread_mutex_unlock(&list->lock);
}

void
waitlist_pause(struct waitlist *list, bool pause)
{
	if (!pause)
		atomic_store(&list->resumed, clock_ms());
	atomic_store(&list->paused, pause);
	if (!pause)
		waitlist_wake(list);
}

struct waiter *
waiter_new(struct session *s, struct waitlist *list)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (waiter == NULL)
		return NULL;
	waiter->list = list;
	waiter->session = s;
	waiter->mail.kind = MAIL_WAKE;
	return waiter;
}

static void
waiter_count_choosy(struct waiter *waiter, bool choosy)
{
	if (choosy && !waiter->choosy)
		atomic_fetch_add(&waiter->list->choosy, 1);
	if (!choosy && waiter->choosy)
		atomic_fetch_sub(&waiter->list->choosy, 1);
	waiter->choosy = choosy;
}

bool
waiter_enter(struct waiter *waiter, bool choosy, uint64_t most)
{
	struct waitlist *list = waiter->list;
	bool awake, passes;

	pthread_mutex_lock(&list->lock);
	awake = waiter->state == WAITER_AWAKE;
	if (!awake && waitlist_length(list) >= most) {
		pthread_mutex_unlock(&list->lock);
		return false;
	}
	waiter_count_choosy(waiter, choosy);
	if (awake)
		list->awake = false;
	else
		atomic_fetch_add(&list->length, 1);
	passes = awake && choosy && waitlist_is_eager(list);
	if (awake && !passes)
		TAILQ_INSERT_HEAD(&list->queue, waiter, link);
	else
		TAILQ_INSERT_TAIL(&list->queue, waiter, link);
	waiter->state = WAITER_WAITS;
	if (list->again || passes)
		waitlist_wake_first(list);
	pthread_mutex_unlock(&list->lock);
	return true;
}

bool
waiter_is_awake(const struct waiter *waiter)
{
	return waiter->state == WAITER_AWAKE;
}

void
waiter_leave(struct waiter *waiter)
{
	struct waitlist *list;
	enum waiter_state state;
	bool first;

	if (waiter == NULL)
		return;
	list = waiter->list;
	pthread_mutex_lock(&list->lock);
	state = waiter->state;
	waiter->session = NULL;
	first = state == WAITER_AWAKE || waiter == TAILQ_FIRST(&list->queue);
	if (state == WAITER_WAITS)
		TAILQ_REMOVE(&list->queue, waiter, link);
	if (state == WAITER_WAITS || state == WAITER_AWAKE)
		atomic_fetch_sub(&list->length, 1);
	if (state != WAITER_WOKEN)
		waiter_count_choosy(waiter, false);
	if (state == WAITER_AWAKE)
		list->awake = false;
	if (first)
		waitlist_wake_first(list);
	pthread_mutex_unlock(&list->lock);
	if (state != WAITER_WOKEN)
		free(waiter); /* else waiter_read() will */
}

void
waiter_read(struct mail *mail)
{
	struct waiter *waiter = BOX_OWNER(mail, struct waiter, mail);

	waiter->state = WAITER_AWAKE;
	if (waiter->session == NULL)
		waiter_leave(waiter);
	else
		session_advance(waiter->session);
}
