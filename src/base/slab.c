#include "base/slab.h"

#include "base/line.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* It sees a use after free, and a leak, only of what is the heap's. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SLAB_IS_HEAP true
#else
#define SLAB_IS_HEAP false
#endif

struct slab_item {
	struct slab_item *next;
};

/* Aligned to its own size: an item's address tells its page. */
struct slab_page {
	LIST_ENTRY(slab_page) link; /* slab->with_room */
	struct slab_item *free;
	size_t		  used;
	size_t		  fresh; /* from this one on they never were used */
	alignas(LINE) unsigned char items[];
};

static size_t
slab_room(const struct slab *slab)
{
	return (SLAB_PAGE - sizeof(struct slab_page)) / slab->size;
}

void
slab_init(struct slab *slab, size_t size)
{
	const size_t align = alignof(struct slab_item);

	slab->size = (size + align - 1) & ~(align - 1);
	slab->pages = 0;
	LIST_INIT(&slab->with_room);
	assert(slab_room(slab) > 1);
}

/* mmap(2) aligns to the machine's pages only: twice as much holds one of ours
 * that is aligned, and the rest goes back. */
static void *
slab_map(void)
{
	unsigned char *map, *page, *end;

	map = mmap(NULL, 2 * SLAB_PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return NULL;
	page = map + (-(uintptr_t)map & (SLAB_PAGE - 1));
	end = page + SLAB_PAGE;
	if (page > map)
		munmap(map, (size_t)(page - map));
	if (map + 2 * SLAB_PAGE > end)
		munmap(end, (size_t)(map + 2 * SLAB_PAGE - end));
	return page;
}

static struct slab_page *
slab_page_new(struct slab *slab)
{
	struct slab_page *page = slab_map();

	if (page == NULL)
		return NULL;
	LIST_INSERT_HEAD(&slab->with_room, page, link);
	slab->pages++;
	return page;
}

/* The kernel may be unable to cut a mapping in two: then it stays ours. */
static void
slab_page_free(struct slab *slab, struct slab_page *page)
{
	LIST_REMOVE(page, link);
	if (munmap(page, SLAB_PAGE) == 0)
		slab->pages--;
	else
		LIST_INSERT_HEAD(&slab->with_room, page, link);
}

static void *
slab_page_take(struct slab *slab, struct slab_page *page)
{
	struct slab_item *item = page->free;

	if (item != NULL) {
		page->free = item->next;
		memset(item, 0, slab->size);
	} else {
		item = (void *)(page->items + page->fresh++ * slab->size);
	}
	if (++page->used == slab_room(slab))
		LIST_REMOVE(page, link);
	return item;
}

void *
slab_take(struct slab *slab)
{
	struct slab_page *page = LIST_FIRST(&slab->with_room);

	if (SLAB_IS_HEAP)
		return calloc(1, slab->size);
	if (page == NULL && (page = slab_page_new(slab)) == NULL)
		return NULL;
	return slab_page_take(slab, page);
}

/* The only one with room stays though it is empty, so that who comes and goes
 * does not map and unmap. */
static bool
slab_page_is_spare(const struct slab *slab, const struct slab_page *page)
{
	return page->used == 0 && (LIST_FIRST(&slab->with_room) != page ||
	    LIST_NEXT(page, link) != NULL);
}

static void
slab_page_give(struct slab *slab, struct slab_page *page,
    struct slab_item *item)
{
	item->next = page->free;
	page->free = item;
	if (page->used-- == slab_room(slab))
		LIST_INSERT_HEAD(&slab->with_room, page, link);
	if (slab_page_is_spare(slab, page))
		slab_page_free(slab, page);
}

void
slab_give(struct slab *slab, void *item)
{
	if (SLAB_IS_HEAP)
		free(item);
	else if (item != NULL)
		slab_page_give(slab, (struct slab_page *)
		    ((uintptr_t)item & ~(uintptr_t)(SLAB_PAGE - 1)), item);
}

void
slab_done(struct slab *slab)
{
	struct slab_page *page, *next;

	for (page = LIST_FIRST(&slab->with_room); page != NULL; page = next) {
		next = LIST_NEXT(page, link);
		assert(page->used == 0);
		slab_page_free(slab, page);
	}
}
