#include "base/rows.h"

#include <errno.h>
#include <sys/mman.h>

/* What a row points to is not lost (lsan_interface.h), where somebody looks for
 * that: nobody else looks into mapped memory. */
__attribute__((weak)) void __lsan_register_root_region(const void *, size_t);
__attribute__((weak)) void __lsan_unregister_root_region(const void *, size_t);

/* Nothing that may be touched counts as memory where the kernel promises no more
 * than it has (vm.overcommit_memory). */
void *
rows_new(size_t size, size_t count)
{
	void *rows = mmap(NULL, size * ROWS_MOST, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (rows == MAP_FAILED)
		return NULL;
	if (__lsan_register_root_region != NULL)
		__lsan_register_root_region(rows, size * ROWS_MOST);
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
	if (rows == NULL)
		return;
	if (__lsan_unregister_root_region != NULL)
		__lsan_unregister_root_region(rows, size * ROWS_MOST);
	munmap(rows, size * ROWS_MOST);
}
