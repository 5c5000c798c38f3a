#include "filewatch.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LOOK_S 2

/* What differs between two states of a file, without reading it. */
struct look {
	dev_t		device;
	ino_t		inode;
	off_t		size;
	struct timespec changed;
};

struct filewatch {
	const char *const *paths;
	void (*changed)(void *);
	void	    *arg;
	struct event timer;
	struct look  looks[]; /* one a path */
};

static struct look
look_at(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct look){ 0 };
	return (struct look){ .device = st.st_dev, .inode = st.st_ino,
		.size = st.st_size, .changed = st.st_mtim };
}

static bool
look_same(const struct look *a, const struct look *b)
{
	return a->device == b->device && a->inode == b->inode &&
	    a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	    a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool
filewatch_look(struct filewatch *w)
{
	bool changed = false;

	for (size_t i = 0; w->paths[i] != NULL; i++) {
		struct look now = look_at(w->paths[i]);

		changed |= !look_same(&now, &w->looks[i]);
		w->looks[i] = now;
	}
	return changed;
}

static void
filewatch_timer_event(evutil_socket_t fd, short what, void *arg)
{
	struct filewatch *w = arg;

	(void)fd, (void)what;
	if (filewatch_look(w))
		w->changed(w->arg);
}

struct filewatch *
filewatch_new(struct event_base *base, const char *const *paths,
    void (*changed)(void *), void *arg)
{
	const struct timeval tv = { .tv_sec = LOOK_S };
	struct filewatch *w;
	size_t count = 0;

	while (paths[count] != NULL)
		count++;
	w = calloc(1, sizeof(*w) + count * sizeof(w->looks[0]));
	if (w == NULL)
		return NULL;
	w->paths = paths;
	w->changed = changed;
	w->arg = arg;
	filewatch_look(w);
	event_assign(&w->timer, base, -1, EV_PERSIST, filewatch_timer_event,
	    w);
	if (event_add(&w->timer, &tv) == 0)
		return w;
	free(w);
	return NULL;
}

void
filewatch_free(struct filewatch *w)
{
	if (w != NULL)
		event_del(&w->timer);
	free(w);
}
