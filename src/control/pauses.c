#include "pauses.h"

#include <event2/buffer.h>
#include <stdio.h>

#include "admin.h"
#include "base/human.h"
#include "proxy/waitlist.h"

const struct change *
pauses_find(struct servers *servers, const struct upstream_conf *upstream)
{
	return changes_find(servers_changes(servers), upstream->name, "", "",
	    CHANGE_PAUSE);
}

int
pauses_begin(struct servers *servers, const struct upstream_conf *upstream,
    uint64_t waited, const char *who)
{
	struct change change = { .kind = CHANGE_PAUSE, .value = 1,
		.waited = waited, .at = clock_wall(), .since = clock_ms() };

	if (pauses_find(servers, upstream) != NULL)
		return 0;
	snprintf(change.who, sizeof(change.who), "%s", who);
	return changes_set(servers_changes(servers), upstream->name, "",
	    &change);
}

void
pauses_end(struct servers *servers, const struct upstream_conf *upstream)
{
	changes_drop(servers_changes(servers), upstream->name, "",
	    CHANGE_PAUSE);
}

uint64_t
pauses_waiting(const struct admin_view *view,
    const struct upstream_conf *upstream)
{
	return waitlist_length(&crew_shared(view->crew)->
	    waits[upstream->index]);
}

static void
pause_line(const struct admin_view *view, const struct upstream_conf *upstream,
    const struct change *pause, struct evbuffer *out)
{
	uint64_t waiting = pauses_waiting(view, upstream);
	char at[CLOCK_TEXT], age[HUMAN_TEXT];

	evbuffer_add_printf(out, "%s is PAUSED for %s, since %.19sZ, by %s; "
	    "%ju client%s\n", upstream->name,
	    human_duration(clock_ms() - pause->since, age),
	    clock_text(pause->at, at), pause->who, (uintmax_t)waiting,
	    waiting == 1 ? " waits" : "s wait");
}

void
pauses_text(const struct admin_view *view, struct evbuffer *out)
{
	const struct config *config = view->config;
	bool any = false;

	for (size_t i = 0; i < config->nupstreams; i++) {
		const struct change *pause = pauses_find(view->servers,
		    &config->upstreams[i]);

		if (pause == NULL)
			continue;
		if (!any)
			evbuffer_add(out, "\n", 1);
		any = true;
		pause_line(view, &config->upstreams[i], pause, out);
	}
}
