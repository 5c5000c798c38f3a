/* Memory of one owner, freed all at once: a configuration is hundreds of small
 * texts and lists that live and die together.
 *
 * Out of memory is remembered in 'failed', so that a caller who cannot go on
 * just returns and the one who owns the arena asks once, at the end. */
#ifndef SLUICE_CONFIG_ARENA_H
#define SLUICE_CONFIG_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_piece;

struct arena {
	struct arena_piece *pieces;
	bool		    failed;
};

/* Zeroed, or NULL. */
void *arena_alloc(struct arena *, size_t size);

/* A copy with a NUL behind it, or NULL. */
char *arena_text(struct arena *, const char *text, size_t len);

/* Room for one more behind 'count' items of 'size' bytes each: the same array,
 * or a larger one with the items copied, or NULL. */
void *arena_grow(struct arena *, void *items, size_t count, size_t size);

void arena_done(struct arena *);

#endif
