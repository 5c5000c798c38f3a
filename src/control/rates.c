#include "rates.h"

#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define SLOTS	  (RATES_SECONDS + 1)
#define WATCHED_S 90 /* after the last look */

struct sample {
	uint64_t now, begun, to_upstream, to_client;
};

struct rates {
	struct crew   *crew;
	struct event   timer;
	size_t	       width;  /* samples a slot: the total, the listeners */
	struct sample *slots;  /* a ring; NULL while nobody looks */
	uint64_t       at[SLOTS]; /* clock_ms() */
	size_t	       count;  /* taken since the ring was made */
	unsigned       left_s; /* until nobody looks any more */
};

static struct sample *
rates_slot(const struct rates *r, size_t n)
{
	return &r->slots[n % SLOTS * r->width];
}

static void
rates_sample_listener(const struct rates *r, size_t i, struct sample *slot)
{
	struct listener_stats sum;
	const struct session_limit *limit;
	struct sample *own = &slot[i + 1];

	limit = &crew_shared(r->crew)->listeners[i];
	crew_sum_listener(r->crew, i, &sum);
	own->now = atomic_load_explicit(&limit->used, memory_order_relaxed);
	own->begun = counter_get(&sum.begun);
	own->to_upstream = counter_get(&sum.bytes_to_upstream);
	own->to_client = counter_get(&sum.bytes_to_client);
	slot->now += own->now;
	slot->begun += own->begun;
	slot->to_upstream += own->to_upstream;
	slot->to_client += own->to_client;
}

static void
rates_sample(struct rates *r)
{
	struct sample *slot = rates_slot(r, r->count);

	memset(slot, 0, sizeof(*slot));
	for (size_t i = 0; i + 1 < r->width; i++)
		rates_sample_listener(r, i, slot);
	r->at[r->count++ % SLOTS] = clock_ms();
}

static void
rates_stop(struct rates *r)
{
	event_del(&r->timer);
	free(r->slots);
	r->slots = NULL;
	r->count = 0;
}

static void
rates_timer_event(evutil_socket_t fd, short what, void *arg)
{
	struct rates *r = arg;

	(void)fd, (void)what;
	if (r->left_s-- == 0)
		rates_stop(r);
	else
		rates_sample(r);
}

struct rates *
rates_new(struct event_base *base, struct crew *crew)
{
	struct rates *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->crew = crew;
	r->width = crew_shared(crew)->nlisteners + 1;
	event_assign(&r->timer, base, -1, EV_PERSIST, rates_timer_event, r);
	return r;
}

void
rates_free(struct rates *r)
{
	if (r != NULL)
		rates_stop(r);
	free(r);
}

void
rates_follow(struct rates *r)
{
	rates_stop(r);
	r->width = crew_shared(r->crew)->nlisteners + 1;
}

void
rates_look(struct rates *r)
{
	const struct timeval second = { .tv_sec = 1 };

	r->left_s = WATCHED_S;
	if (r->slots != NULL)
		return;
	r->slots = calloc(SLOTS * r->width, sizeof(*r->slots));
	if (r->slots == NULL)
		return; /* no rates then */
	rates_sample(r);
	event_add(&r->timer, &second);
}

/* From the sample 'from' to the sample 'to', which are in the ring. */
static void
rates_between(const struct rates *r, size_t from, size_t to, size_t which,
    struct rate *rate)
{
	const struct sample *a = rates_slot(r, from) + which;
	const struct sample *b = rates_slot(r, to) + which;
	uint64_t ms = r->at[to % SLOTS] - r->at[from % SLOTS];
	double s = ms > 0 ? (double)ms / 1000 : 1;

	rate->now = (double)b->now;
	rate->sessions = (double)(b->begun - a->begun) / s;
	rate->to_upstream = (double)(b->to_upstream - a->to_upstream) / s;
	rate->to_client = (double)(b->to_client - a->to_client) / s;
}

bool
rates_get(const struct rates *r, size_t listener, unsigned seconds,
    struct rate *rate)
{
	size_t which = listener == RATES_TOTAL ? 0 : listener + 1;

	if (r->slots == NULL || r->count < 2)
		return false;
	if (seconds > r->count - 1)
		seconds = (unsigned)(r->count - 1);
	if (seconds > RATES_SECONDS)
		seconds = RATES_SECONDS;
	rates_between(r, r->count - 1 - seconds, r->count - 1, which, rate);
	return true;
}

bool
rates_second(const struct rates *r, unsigned ago, struct rate *rate)
{
	if (r->slots == NULL || ago >= RATES_SECONDS || ago + 2 > r->count)
		return false;
	rates_between(r, r->count - 2 - ago, r->count - 1 - ago, 0, rate);
	return true;
}
