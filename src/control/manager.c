#include "manager.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>

#include "control-internal.h"
#include "notify.h"

#define STATUS_TEXT 192
#define AGAIN_MS    250

static void
manager_again_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	manager_reloaded(arg);
}

/* There was no room in its queue: all services of a machine share that. */
static void
manager_again(struct control *c)
{
	const struct timeval tv = { .tv_usec = AGAIN_MS * 1000 };

	if (!event_initialized(&c->manager_event))
		event_assign(&c->manager_event, c->base, -1, 0,
		    manager_again_event, c);
	event_add(&c->manager_event, &tv);
}

void
manager_ready(struct control *c)
{
	size_t listeners = c->config->nlisteners, workers = crew_size(c->crew);
	char status[STATUS_TEXT];

	snprintf(status, sizeof(status), "%zu listener%s, %zu worker%s%s",
	    listeners, listeners == 1 ? "" : "s",
	    workers, workers == 1 ? "" : "s", c->reload.last_failed ?
	    "; not reloaded, what was before goes on" : "");
	if (notify_ready(status) == -EAGAIN)
		manager_again(c);
}

/* Who is stopping says how that goes. */
void
manager_reloading(const struct control *c)
{
	if (c->stop.stage == STOP_RUNNING)
		notify_reloading();
}

void
manager_reloaded(struct control *c)
{
	if (c->stop.stage == STOP_RUNNING)
		manager_ready(c);
}
