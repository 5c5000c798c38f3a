/* No server could be connected to: what is told of it. */
#include <errno.h>
#include <stdio.h>

#include "base/units.h"
#include "race-internal.h"

/* Nobody gives up before that is over. */
static bool
race_was_held(const struct session *s)
{
	return race_conf(s)->absence.how == ABSENCE_HOLD;
}

static void
race_time_out(struct session *s)
{
	char *hint = (char *)s->worker->scratch;
	const struct upstream_conf *conf = race_conf(s);
	char ip[ADDR_TEXT], time[UNITS_TEXT];

	s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_TIMEOUT,
		.cause = "connect", .rule = "connect_timeout",
		.of_upstream = true, .limit_ms = conf->connect_timeout };
	if (conf->source_client)
		snprintf(hint, WORKER_SCRATCH, "source = client: do the "
		    "server's answers to %s come back here?",
		    peer_ip_text(&s->peer, ip));
	else if (race_was_held(s))
		snprintf(hint, WORKER_SCRATCH, "tried again until on_no_server "
		    "= hold %s was over", duration_text(conf->absence.hold,
		    time));
	if (conf->source_client || race_was_held(s))
		s->ending.detail = hint;
}

enum race_result
race_lose(struct session *s)
{
	const struct upstream_conf *conf = race_conf(s);
	struct race *race = s->race;

	s->ending = (struct ending){ .by = BY_UPSTREAM, .how = HOW_ERROR,
		.error = race->error, .cause = "connect failed" };
	if (conf->source_client && race->error == -EAFNOSUPPORT) {
		s->ending.cause = "the server has no address of the client's "
		    "family";
		s->ending.rule = "source";
		s->ending.of_upstream = true;
	} else if (race_was_held(s)) {
		s->ending.cause = "connect failed for";
		s->ending.limit_ms = conf->absence.hold;
		s->ending.rule = "on_no_server";
		s->ending.of_upstream = true;
	}
	if (race->timed_out)
		race_time_out(s);
	return RACE_LOST;
}
