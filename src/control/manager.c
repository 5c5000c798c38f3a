#include "manager.h"

#include <stdio.h>

#include "control-internal.h"
#include "notify.h"

#define STATUS_TEXT 192

void
manager_ready(const struct control *c)
{
	size_t listeners = c->config->nlisteners, workers = crew_size(c->crew);
	char status[STATUS_TEXT];

	snprintf(status, sizeof(status), "%zu listener%s, %zu worker%s%s",
	    listeners, listeners == 1 ? "" : "s",
	    workers, workers == 1 ? "" : "s", c->reload.last_failed ?
	    "; not reloaded, what was before goes on" : "");
	notify_ready(status);
}

/* Who is stopping says how that goes. */
void
manager_reloading(const struct control *c)
{
	if (c->stop.stage == STOP_RUNNING)
		notify_reloading();
}

void
manager_reloaded(const struct control *c)
{
	if (c->stop.stage == STOP_RUNNING)
		manager_ready(c);
}
