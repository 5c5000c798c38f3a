/* Memory for many objects of one size, for one thread: without a header for
 * each, and given back to the system page by page, as soon as those in it are
 * free.  malloc(3) would keep it where a small block that stays lies among
 * them. */
#ifndef SLUICE_BASE_SLAB_H
#define SLUICE_BASE_SLAB_H

#include <stddef.h>
#include <sys/queue.h>

#define SLAB_PAGE (32 * 1024)

struct slab_page;
LIST_HEAD(slab_pages, slab_page);

struct slab {
	size_t		  size;
	size_t		  pages; /* mapped; none under the address sanitizer,
				    for which every object is the heap's */
	struct slab_pages with_room;
};

/* For objects of 'size' bytes, of which a page has to hold a few. */
void slab_init(struct slab *, size_t size);

/* Zeroed and aligned as pointers are; NULL without memory. */
void *slab_take(struct slab *);
void  slab_give(struct slab *, void *); /* NULL is fine */

/* Everything was given back. */
void slab_done(struct slab *);

#endif
