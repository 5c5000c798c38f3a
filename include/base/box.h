/* A box that any thread puts things into and one thread takes them out of,
 * when its descriptor says that there are some: a mutex, a list, an eventfd. */
#ifndef SLUICE_BASE_BOX_H
#define SLUICE_BASE_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct box;

/* Embedded in what is put into a box. */
struct box_item {
	STAILQ_ENTRY(box_item) link;
};
STAILQ_HEAD(box_list, box_item);

/* What an item is embedded in. */
#define BOX_OWNER(item, type, member) \
	((type *)(void *)((char *)(item) - offsetof(type, member)))

/* Frees an item that nobody took. */
typedef void box_drop(struct box_item *);

/* With one reference; NULL without memory or descriptors. */
struct box *box_new(box_drop *);
struct box *box_ref(struct box *); /* any thread, as is the next */
void	    box_unref(struct box *); /* the last drops what is in it; NULL is fine */

int box_fd(const struct box *); /* readable: something is there */

/* False once closed: the item stays the sender's.  Any thread. */
bool box_put(struct box *, struct box_item *);

/* Wakes who takes things out, who may find nothing.  Any thread. */
void box_nudge(struct box *);

/* Moves everything into 'list', the oldest first. */
void box_take(struct box *, struct box_list *list);

/* Takes the oldest out of such a list; NULL: it is empty. */
struct box_item *box_next(struct box_list *list);

/* Refuses items from now on, unless some came in: false, take them first. */
bool box_close(struct box *);

#endif
