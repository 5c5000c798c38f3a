#include "base/box.h"

#include "base/line.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct box {
	pthread_mutex_t mutex;
	struct box_list items;
	box_drop       *drop;
	unsigned	refs;
	bool		closed;
	int		fd;
};

struct box *
box_new(box_drop *drop)
{
	struct box *box = line_alloc(sizeof(*box));

	if (box == NULL)
		return NULL;
	box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (box->fd < 0) {
		free(box);
		return NULL;
	}
	pthread_mutex_init(&box->mutex, NULL);
	STAILQ_INIT(&box->items);
	box->drop = drop;
	box->refs = 1;
	return box;
}

struct box *
box_ref(struct box *box)
{
	pthread_mutex_lock(&box->mutex);
	box->refs++;
	pthread_mutex_unlock(&box->mutex);
	return box;
}

void
box_unref(struct box *box)
{
	struct box_item *item;
	bool last;

	if (box == NULL)
		return;
	pthread_mutex_lock(&box->mutex);
	last = --box->refs == 0;
	pthread_mutex_unlock(&box->mutex);
	if (!last)
		return;
	while ((item = box_next(&box->items)) != NULL)
		box->drop(item);
	pthread_mutex_destroy(&box->mutex);
	close(box->fd);
	free(box);
}

int
box_fd(const struct box *box)
{
	return box->fd;
}

bool
box_put(struct box *box, struct box_item *item)
{
	bool first, closed;

	pthread_mutex_lock(&box->mutex);
	closed = box->closed;
	first = STAILQ_EMPTY(&box->items);
	if (!closed)
		STAILQ_INSERT_TAIL(&box->items, item, link);
	pthread_mutex_unlock(&box->mutex);
	if (!closed && first)
		eventfd_write(box->fd, 1);
	return !closed;
}

void
box_nudge(struct box *box)
{
	eventfd_write(box->fd, 1);
}

void
box_take(struct box *box, struct box_list *list)
{
	eventfd_t ignored;

	STAILQ_INIT(list);
	eventfd_read(box->fd, &ignored);
	pthread_mutex_lock(&box->mutex);
	STAILQ_CONCAT(list, &box->items);
	pthread_mutex_unlock(&box->mutex);
}

struct box_item *
box_next(struct box_list *list)
{
	struct box_item *item = STAILQ_FIRST(list);

	if (item != NULL)
		STAILQ_REMOVE_HEAD(list, link);
	return item;
}

bool
box_close(struct box *box)
{
	bool closed;

	pthread_mutex_lock(&box->mutex);
	closed = box->closed = STAILQ_EMPTY(&box->items);
	pthread_mutex_unlock(&box->mutex);
	return closed;
}
