/* CONNECT: reach a server.  The client's bytes wait in the kernel meanwhile, so
 * a fail-over loses none; its FIN is a half-close, only its reset ends us. */
#include <errno.h>

#include "race.h"
#include "session.h"
#include "worker-internal.h"

static enum phase_answer
connect_answer(struct session *s, enum race_result result)
{
	switch (result) {
	case RACE_RUNNING:
		return PHASE_WAIT;
	case RACE_LOST:
		return PHASE_END;
	case RACE_WON:
		break;
	}
	race_free(s);
	return PHASE_NEXT;
}

enum phase_answer
phase_connect(struct session *s)
{
	if (conn_check(&s->client)) {
		s->ending = (struct ending){ .by = BY_CLIENT, .how = HOW_RST,
			.error = s->client.error };
		return PHASE_END;
	}
	if (s->race == NULL && !race_new(s)) {
		s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_ERROR,
			.error = -ENOMEM };
		return PHASE_END;
	}
	return connect_answer(s, race_run(s));
}

uint64_t
phase_connect_deadline(const struct session *s)
{
	return race_deadline(s);
}

enum phase_answer
phase_connect_expire(struct session *s)
{
	return connect_answer(s, race_expire(s));
}
