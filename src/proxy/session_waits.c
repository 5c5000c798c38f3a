/* What a session waits for, as long as it does. */
#include "race-internal.h"

static const char *
race_waits(const struct session *s)
{
	if (s->race->state != RACE_WAITING)
		return NULL;
	switch (s->race->want) {
	case WANT_ROOM:
		return "room";
	case WANT_SERVER:
		return "server";
	case WANT_RESUME:
		break;
	}
	return "resume";
}

/* The next answer, or with on_no_server = hold any that is a better one. */
static const char *
route_waits(const struct session *s)
{
	if (!s->is_waiting)
		return NULL;
	return s->worker->pools[s->target->index] != NULL &&
	    s->target->absence.how == ABSENCE_HOLD ? "server" : "name";
}

const char *
session_waits_for(const struct session *s)
{
	const char *what = s->race != NULL ? race_waits(s) : route_waits(s);

	return what != NULL && waitlist_is_paused(race_list(s)) ? "resume" :
	    what;
}
