#include "events.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "admin-internal.h"
#include "logwriter.h"

#define ROOM (256 * 1024) /* of lines that a watcher has not taken yet */

/* Once one line is lost all are, until the watcher has taken what there is: so
 * the place where they are missing is where it is told of them. */
struct watcher {
	LIST_ENTRY(watcher)  link;
	struct admin_stream *stream;
	enum log_format	     format;
	uint64_t	     lost;
	size_t		     len;
	char		     lines[ROOM];
};

/* The log writer knows one tap, which takes no argument: so there is one
 * hub. */
static struct events {
	struct event	event;
	bool		ending;
	pthread_mutex_t mutex; /* for what follows */
	LIST_HEAD(, watcher) list;
	bool		told; /* main will look */
	int		fd;   /* eventfd: by which it is told; -1: not open */
} events = { .mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

/* --- the log writer's side */

static void
watcher_put(struct watcher *w, const char *line, size_t len)
{
	if (w->lost > 0 || len + 1 > ROOM - w->len) {
		w->lost++;
		return;
	}
	memcpy(w->lines + w->len, line, len);
	w->lines[w->len + len] = '\n';
	w->len += len + 1;
}

static void
events_tap(enum log_format format, const char *line, size_t len)
{
	struct watcher *w;
	bool tell = false;

	pthread_mutex_lock(&events.mutex);
	LIST_FOREACH(w, &events.list, link) {
		if (w->format != format)
			continue;
		watcher_put(w, line, len);
		tell = !events.told;
	}
	events.told |= tell;
	pthread_mutex_unlock(&events.mutex);
	if (tell)
		eventfd_write(events.fd, 1);
}

/* --- the main thread's */

static void
watcher_tell_lost(struct watcher *w, struct evbuffer *out)
{
	const char *text = "event=lost count=%llu\n";

	if (w->format == LOG_FORMAT_JSON)
		text = "{\"event\":\"lost\",\"count\":%llu}\n";
	if (w->lost > 0)
		evbuffer_add_printf(out, text, (unsigned long long)w->lost);
}

static enum admin_more
watcher_fill(void *arg, struct evbuffer *out)
{
	struct watcher *w = arg;

	pthread_mutex_lock(&events.mutex);
	evbuffer_add(out, w->lines, w->len);
	watcher_tell_lost(w, out);
	w->len = 0;
	w->lost = 0;
	pthread_mutex_unlock(&events.mutex);
	return events.ending ? ADMIN_DONE : ADMIN_WAIT;
}

static void
watcher_done(void *arg)
{
	struct watcher *w = arg;
	bool last;

	pthread_mutex_lock(&events.mutex);
	LIST_REMOVE(w, link);
	last = LIST_EMPTY(&events.list);
	pthread_mutex_unlock(&events.mutex);
	if (last)
		logwriter_set_tap(NULL);
	free(w);
}

static const struct admin_source WATCHER = { .fill = watcher_fill,
	.done = watcher_done, .endless = true };

/* Only main changes the list. */
static void
events_wake(void)
{
	struct watcher *w;

	LIST_FOREACH(w, &events.list, link)
		admin_stream_wake(w->stream);
}

static void
events_told_event(evutil_socket_t fd, short what, void *arg)
{
	eventfd_t ignored;

	(void)what, (void)arg;
	eventfd_read(fd, &ignored);
	pthread_mutex_lock(&events.mutex);
	events.told = false;
	pthread_mutex_unlock(&events.mutex);
	events_wake();
}

int
events_open(struct event_base *base)
{
	events.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (events.fd < 0)
		return -errno;
	event_assign(&events.event, base, events.fd, EV_READ | EV_PERSIST,
	    events_told_event, NULL);
	if (event_add(&events.event, NULL) == 0)
		return 0;
	close(events.fd);
	events.fd = -1;
	return -ENOMEM;
}

void
events_end(void)
{
	events.ending = true;
	events_wake();
}

void
events_close(void)
{
	if (events.fd < 0)
		return;
	event_del(&events.event);
	close(events.fd);
	events.fd = -1;
}

/* --- the page */

static bool
events_query(struct admin_request *req)
{
	const char *name, *value;

	for (size_t i = 0; admin_query_at(req, i, &name, &value); i++)
		if (strcmp(name, "format") != 0 ||
		    (strcmp(value, "json") != 0 && strcmp(value, "text") != 0)) {
			admin_fail(req, 400, "events take format=json or "
			    "format=text, and nothing else");
			return false;
		}
	return true;
}

void
api_events(struct admin_request *req)
{
	bool text = admin_wants_text(req);
	struct admin_stream *stream;
	struct watcher *w;

	if (!events_query(req))
		return;
	w = malloc(sizeof(*w));
	if (w == NULL) {
		admin_fail(req, 500, "out of memory");
		return;
	}
	w->format = text ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
	w->lost = 0;
	w->len = 0;
	pthread_mutex_lock(&events.mutex);
	LIST_INSERT_HEAD(&events.list, w, link);
	pthread_mutex_unlock(&events.mutex);
	logwriter_set_tap(events_tap);
	stream = admin_stream(req, text ? ADMIN_TEXT : ADMIN_LINES, &WATCHER,
	    w);
	if (stream != NULL)
		w->stream = stream;
}
