#include "base/slab.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SIZE  600
#define COUNT 500

static void *items[COUNT];
static bool is_heap;

/* Under the address sanitizer there are none. */
static void
assert_pages(const struct slab *slab, size_t pages)
{
	assert_int_equal(slab->pages, is_heap ? 0 : pages);
}

static bool
is_filled(const unsigned char *item, int byte)
{
	for (size_t i = 0; i < SIZE; i++)
		if (item[i] != byte)
			return false;
	return true;
}

/* Takes what is missing, zeroed and nobody else's. */
static void
fill(struct slab *slab)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (items[i] != NULL)
			continue;
		items[i] = slab_take(slab);
		assert_non_null(items[i]);
		assert_int_equal((uintptr_t)items[i] % alignof(void *), 0);
		assert_true(is_filled(items[i], 0));
		memset(items[i], (int)(i & 0xff), SIZE);
	}
	for (size_t i = 0; i < COUNT; i++)
		assert_true(is_filled(items[i], (int)(i & 0xff)));
}

static void
give(struct slab *slab, size_t first, size_t step)
{
	for (size_t i = first; i < COUNT; i += step) {
		slab_give(slab, items[i]);
		items[i] = NULL;
	}
}

static void
test_each_has_its_own(void **state)
{
	struct slab slab;

	(void)state;
	slab_init(&slab, SIZE);
	fill(&slab);
	for (size_t step = 2; step < 40; step += 5) {
		give(&slab, step / 2, step);
		fill(&slab);
	}
	give(&slab, 0, 1);
	slab_done(&slab);
	assert_int_equal(slab.pages, 0);
}

static void
test_pages_go_back(void **state)
{
	struct slab slab;
	size_t most;

	(void)state;
	slab_init(&slab, SIZE);
	fill(&slab);
	most = slab.pages;
	assert_true(most <= COUNT * (SIZE + 8) / (SLAB_PAGE - 1000) + 1);
	give(&slab, 0, 1);
	assert_pages(&slab, 1);
	fill(&slab);
	assert_pages(&slab, most); /* and the room is used again */
	give(&slab, 0, 2);
	fill(&slab);
	assert_pages(&slab, most);
	give(&slab, 0, 1);
	slab_done(&slab);
}

/* Who comes and goes does not ask the system for each. */
static void
test_the_last_page_stays(void **state)
{
	struct slab slab;

	(void)state;
	slab_init(&slab, SIZE);
	for (int i = 0; i < 3; i++)
		slab_give(&slab, slab_take(&slab));
	slab_give(&slab, NULL);
	assert_pages(&slab, 1);
	slab_done(&slab);
	assert_int_equal(slab.pages, 0);
}

static int
look_for_pages(void **state)
{
	struct slab slab;

	(void)state;
	slab_init(&slab, SIZE);
	slab_give(&slab, slab_take(&slab));
	is_heap = slab.pages == 0;
	slab_done(&slab);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_its_own),
		cmocka_unit_test(test_pages_go_back),
		cmocka_unit_test(test_the_last_page_stays),
	};

	return cmocka_run_group_tests_name("slab", tests,
	    look_for_pages, NULL);
}
