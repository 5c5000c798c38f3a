#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct arena_piece {
	struct arena_piece *next;
	_Alignas(max_align_t) unsigned char data[];
};

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct arena_piece *piece = NULL;

	if (size <= SIZE_MAX - sizeof(*piece))
		piece = calloc(1, sizeof(*piece) + size);
	if (piece == NULL) {
		arena->failed = true;
		return NULL;
	}
	piece->next = arena->pieces;
	arena->pieces = piece;
	return piece->data;
}

char *
arena_text(struct arena *arena, const char *text, size_t len)
{
	char *copy = arena_alloc(arena, len + 1);

	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}

/* Arrays double, so only at a power of two is there something to do. */
void *
arena_grow(struct arena *arena, void *items, size_t count, size_t size)
{
	size_t bytes;
	void *larger;

	if ((count & (count - 1)) != 0)
		return items;
	if (__builtin_mul_overflow(count > 0 ? 2 * count : 1, size, &bytes))
		bytes = SIZE_MAX;
	larger = arena_alloc(arena, bytes);
	if (larger != NULL && count > 0)
		memcpy(larger, items, count * size);
	return larger;
}

void
arena_done(struct arena *arena)
{
	struct arena_piece *next;

	for (; arena->pieces != NULL; arena->pieces = next) {
		next = arena->pieces->next;
		free(arena->pieces);
	}
}
