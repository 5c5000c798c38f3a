/* What is drained, to people and to programs. */
#include <event2/buffer.h>

#include "base/clock.h"
#include "base/human.h"
#include "base/units.h"
#include "drains.h"
#include "json.h"

/* ", at 50/s, all gone in 4m10s"; or that they may stay. */
static void
draining_text_pace(const struct draining *d, struct evbuffer *out)
{
	uint64_t left = draining_time_left(d);
	char rate[UNITS_TEXT], time[HUMAN_TEXT];

	if (draining_left(d) == 0)
		return;
	if (d->drain == NULL)
		evbuffer_add_printf(out, ", which may stay");
	if (d->rate.count > 0)
		evbuffer_add_printf(out, ", %s", rate_text(d->rate.count,
		    d->rate.per, rate));
	if (left != PACE_NEVER)
		evbuffer_add_printf(out, ", the last in %s",
		    human_duration(left, time));
}

void
draining_text(const struct draining *d, struct evbuffer *out)
{
	char name[DRAINING_TEXT], at[CLOCK_TEXT], age[HUMAN_TEXT];

	evbuffer_add_printf(out, "%s DRAINS for %s, since %.19sZ, by %s; %ju "
	    "ended, %ju left", draining_name(d, name),
	    human_duration(clock_ms() - d->since, age),
	    clock_text(d->at, at), d->who, (uintmax_t)draining_ended(d),
	    (uintmax_t)draining_left(d));
	draining_text_pace(d, out);
	evbuffer_add(out, "\n", 1);
}

void
drains_text(const struct drains *drains, struct evbuffer *out)
{
	const struct draining *d = NULL;

	if (drains_next(drains, NULL) != NULL)
		evbuffer_add(out, "\n", 1);
	while ((d = drains_next(drains, d)) != NULL)
		draining_text(d, out);
}

static const char *
draining_key(const struct draining *d)
{
	return d->of == DRAIN_LISTENER ? "listener" : "upstream";
}

static void
draining_json(const struct draining *d, struct json *j)
{
	uint64_t left = draining_time_left(d);
	char text[CLOCK_TEXT + UNITS_TEXT];

	json_begin(j, NULL, '{');
	json_text(j, draining_key(d), d->name);
	if (d->of == DRAIN_SERVER)
		json_text(j, "server", d->server);
	json_text(j, "by", d->who);
	json_text(j, "at", clock_text(d->at, text));
	json_number(j, "ended", draining_ended(d));
	json_number(j, "left", draining_left(d));
	json_text(j, "rate", d->rate.count == 0 ? NULL :
	    rate_text(d->rate.count, d->rate.per, text));
	if (left == PACE_NEVER)
		json_text(j, "left_ms", NULL);
	else
		json_number(j, "left_ms", left);
	json_end(j, '}');
}

void
drains_json(const struct drains *drains, struct json *j)
{
	const struct draining *d = NULL;

	json_begin(j, "drains", '[');
	while ((d = drains_next(drains, d)) != NULL)
		draining_json(d, j);
	json_end(j, ']');
}
