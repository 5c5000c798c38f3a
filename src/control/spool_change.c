/* From the devices of one configuration to those of another, between two
 * passes. */
#include "spool-internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void
spool_want_records(struct spool *s)
{
	pthread_mutex_lock(&s->mutex);
	if (s->shared != NULL)
		atomic_store(&s->shared->records_wanted,
		    s->will_record || s->records != NULL ||
		    atomic_load(&s->tap) != NULL);
	pthread_mutex_unlock(&s->mutex);
}

void
spool_change(struct spool *s, struct logplan *plan)
{
	plan->time = clock_wall();
	plan->before = atomic_exchange(&s->plan, NULL);
	pthread_mutex_lock(&s->mutex);
	s->will_record = plan->want.records;
	pthread_mutex_unlock(&s->mutex);
	atomic_store(&s->plan, plan);
	spool_want_records(s);
}

/* The one that was opened for it, or that is open already. */
static struct logdevice *
spool_pick(const struct spool *s, struct logdevice **opened,
    const struct log_target *target)
{
	struct logdevice *d = *opened;

	*opened = NULL;
	if (d != NULL || target == NULL)
		return d;
	return logdevice_is(s->log.device, target) ? s->log.device :
	    s->access.device;
}

static void
spool_sum_up(struct spool *s, struct outlet *o, const uint64_t *lost)
{
	struct message m;

	if (outlet_sums_up(o, lost, s->now, &m))
		spool_say(s, &m);
}

static void
outlet_lost(const struct outlet *o, uint64_t *lost)
{
	for (int kind = 0; kind < LOGDEVICE_KINDS; kind++)
		lost[kind] = outlet_dropped(o, kind);
}

static void
spool_let_leave(struct spool *s, const struct outlet *o, struct leaving *l)
{
	l->outlet = *o;
	outlet_lost(o, l->outlet.told);
	SLIST_INSERT_HEAD(&s->leaving, l, link);
}

/* What was lost so far is told as of the device before. */
static void
spool_turn_to(struct spool *s, struct outlet *o, struct logdevice *device,
    const char *option)
{
	uint64_t lost[LOGDEVICE_KINDS];

	spool_lost(s, o, lost);
	spool_sum_up(s, o, lost);
	*o = (struct outlet){ .device = device, .option = option };
	spool_lost(s, o, o->told);
}

/* What was lost before there was a device for it counts where records go, and was
 * told, or not, where they went. */
static void
spool_send_records(struct spool *s, struct outlet *to)
{
	struct outlet *outlets[] = { &s->log, &s->access };
	uint64_t before[2][LOGDEVICE_KINDS], after[LOGDEVICE_KINDS];

	for (int i = 0; i < 2; i++)
		spool_lost(s, outlets[i], before[i]);
	s->records = to;
	for (int i = 0; i < 2; i++) {
		spool_lost(s, outlets[i], after);
		for (int kind = 0; kind < LOGDEVICE_KINDS; kind++)
			outlets[i]->told[kind] += after[kind] - before[i][kind];
	}
}

/* A device may go from one outlet to the other. */
static void
spool_swap(struct spool *s, struct logplan *plan)
{
	const struct outlet before[] = { s->log, s->access };
	struct logdevice *to_log = spool_pick(s, &plan->opened[0],
	    plan->want.log);
	struct logdevice *to_access = spool_pick(s, &plan->opened[1],
	    plan->want.access);

	if (to_log != s->log.device)
		spool_turn_to(s, &s->log, to_log, "log");
	if (to_access != s->access.device)
		spool_turn_to(s, &s->access, to_access, "access_log");
	s->log.format = s->access.format = plan->want.format;
	spool_send_records(s, !plan->want.records ? NULL :
	    to_access != NULL ? &s->access : &s->log);
	for (int i = 0; i < 2; i++) {
		const struct logdevice *d = before[i].device;

		if (d == NULL || d == to_log || d == to_access)
			continue;
		spool_let_leave(s, &before[i], plan->spare[i]);
		plan->spare[i] = NULL;
	}
}

/* Lines of before go where they would have gone, as far as there is room. */
static void
spool_carry_out(struct spool *s, struct logplan *plan)
{
	if (plan->before != NULL)
		spool_carry_out(s, plan->before);
	spool_lines(s, false, plan->time);
	pthread_mutex_lock(&s->mutex);
	spool_swap(s, plan);
	pthread_mutex_unlock(&s->mutex);
}

void
spool_follow(struct spool *s)
{
	struct logplan *plan = atomic_exchange(&s->plan, NULL);

	if (plan == NULL)
		return;
	spool_carry_out(s, plan);
	logplan_free(plan);
	spool_want_records(s);
}

static void
spool_gone(struct spool *s, struct leaving *l)
{
	uint64_t lost[LOGDEVICE_KINDS];

	outlet_lost(&l->outlet, lost);
	spool_sum_up(s, &l->outlet, lost);
	pthread_mutex_lock(&s->mutex);
	SLIST_REMOVE(&s->leaving, l, leaving, link);
	for (int kind = 0; kind < LOGDEVICE_KINDS; kind++)
		s->dropped[kind] += outlet_dropped(&l->outlet, kind);
	pthread_mutex_unlock(&s->mutex);
	outlet_close(&l->outlet);
	free(l);
}

bool
spool_empty_leaving(struct spool *s)
{
	struct leaving *l, *next;
	bool any = false;

	for (l = SLIST_FIRST(&s->leaving); l != NULL; l = next) {
		next = SLIST_NEXT(l, link);
		any |= logdevice_flush(l->outlet.device, s->now);
		if (!logdevice_waits(l->outlet.device))
			spool_gone(s, l);
	}
	return any;
}

void
spool_forget(struct spool *s)
{
	struct leaving *l;

	while ((l = SLIST_FIRST(&s->leaving)) != NULL)
		spool_gone(s, l);
	logplan_free(atomic_exchange(&s->plan, NULL));
}
