#include "manager.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>

#include "control-internal.h"
#include "net/sock.h"
#include "notify.h"

#define STATUS_TEXT 192
#define AGAIN_MS    250
#define AGAIN_MOST  40

static void manager_say_ready(struct control *);

static void
manager_again_event(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;

	(void)fd, (void)what;
	if (c->stop.stage == STOP_RUNNING)
		manager_say_ready(c);
}

static void
manager_again(struct control *c)
{
	const struct timeval tv = { .tv_usec = AGAIN_MS * 1000 };

	if (!event_initialized(&c->manager_event))
		event_assign(&c->manager_event, c->base, -1, 0,
		    manager_again_event, c);
	event_add(&c->manager_event, &tv);
}

/* There is no room in its queue, which all services of a machine share, or we
 * are short of something: that passes.  One that is gone may come back soon. */
static bool
manager_may_hear(struct control *c, int error)
{
	return error == -EAGAIN || sock_is_short(error) ||
	    (error != -EPROTONOSUPPORT && c->manager_tries++ < AGAIN_MOST);
}

static void
manager_say_ready(struct control *c)
{
	size_t listeners = c->config->nlisteners, workers = crew_size(c->crew);
	char status[STATUS_TEXT];
	int error;

	snprintf(status, sizeof(status), "%zu listener%s, %zu worker%s%s",
	    listeners, listeners == 1 ? "" : "s",
	    workers, workers == 1 ? "" : "s", c->reload.last_failed ?
	    "; not reloaded, what was before goes on" : "");
	error = notify_ready(status);
	if (error < 0 && manager_may_hear(c, error))
		manager_again(c);
}

void
manager_ready(struct control *c)
{
	c->manager_tries = 0;
	manager_say_ready(c);
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
