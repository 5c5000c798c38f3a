/* Tables that grow and never move: who reads a row needs not know that there
 * are more of them by now.  Address space is set aside for ROWS_MOST rows, and
 * memory is taken only by those that are written. */
#ifndef SLUICE_BASE_ROWS_H
#define SLUICE_BASE_ROWS_H

#include <stddef.h>

#define ROWS_MOST 16384

/* A table of 'count' zeroed rows of 'size' bytes, on a page of its own, where
 * only those may be touched.  NULL without memory, or for more than ROWS_MOST. */
void *rows_new(size_t size, size_t count);

/* That many at least may be touched from now on.  0, -ENOMEM, or -E2BIG for more
 * than ROWS_MOST: nothing has changed then. */
int rows_grow(void *rows, size_t size, size_t count);

void rows_free(void *rows, size_t size); /* NULL is fine */

#endif
