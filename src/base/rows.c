#include "base/rows.h"

#include <errno.h>
#include <sys/mman.h>

/* Nothing that may be touched counts as memory where the kernel promises no more
 * than it has (vm.overcommit_memory). */
void *
rows_new(size_t size, size_t count)
{
	void *rows = mmap(NULL, size * ROWS_MOST, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (rows == MAP_FAILED)
		return NULL;
	if (rows_grow(rows, size, count) == 0)
		return rows;
	rows_free(rows, size);
	return NULL;
}

int
rows_grow(void *rows, size_t size, size_t count)
{
	if (count > ROWS_MOST)
		return -E2BIG;
	if (count == 0)
		return 0;
	return mprotect(rows, size * count, PROT_READ | PROT_WRITE) == 0 ? 0 :
	    -ENOMEM;
}

void
rows_free(void *rows, size_t size)
{
	if (rows != NULL)
		munmap(rows, size * ROWS_MOST);
}
