#include "base/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdalign.h>
#include <string.h>
#include <cmocka.h>

struct record {
	uint64_t number, twice;
	char	 rest[21]; /* an odd size */
};

static void
test_in_order_and_full(void **state)
{
	struct ring *ring = ring_new(4, sizeof(struct record));

	(void)state;
	assert_non_null(ring);
	assert_null(ring_peek(ring));
	for (uint64_t round = 0; round < 10; round++) {
		for (uint64_t i = 0; i < 4; i++) {
			struct record *record = ring_reserve(ring);

			assert_non_null(record);
			assert_int_equal((uintptr_t)record % alignof(
			    struct record), 0);
			memset(record, 0xee, sizeof(*record));
			record->number = i;
			ring_push(ring);
		}
		assert_null(ring_reserve(ring));
		assert_int_equal(ring_dropped(ring), round + 1);
		for (uint64_t i = 0; i < 4; i++) {
			const struct record *record = ring_peek(ring);

			assert_int_equal(record->number, i);
			assert_ptr_equal(ring_peek(ring), record);
			ring_pop(ring);
		}
		assert_null(ring_peek(ring));
	}
	ring_free(ring);
}

static void
test_reserved_is_not_yet_there(void **state)
{
	struct ring *ring = ring_new(1, 1);

	(void)state;
	assert_non_null(ring_reserve(ring));
	assert_null(ring_peek(ring));
	ring_push(ring);
	assert_non_null(ring_peek(ring));
	ring_free(ring);
	ring_free(NULL);
}

static void
test_too_large_is_no_memory(void **state)
{
	(void)state;
	assert_null(ring_new((size_t)1 << 62, 64));
	assert_null(ring_new(2, SIZE_MAX));
	assert_null(ring_new(1, SIZE_MAX - 64));
}

#define MANY 200000

static void *
writer(void *arg)
{
	struct ring *ring = arg;

	for (uint64_t i = 1; i <= MANY; i++) {
		struct record *record = ring_reserve(ring);

		if (record == NULL) {
			sched_yield();
			continue;
		}
		record->number = i;
		record->twice = 2 * i;
		ring_push(ring);
	}
	return NULL;
}

/* What arrives is whole and in order; what does not is counted. */
static void
test_two_threads(void **state)
{
	struct ring *ring = ring_new(64, sizeof(struct record));
	uint64_t last = 0, got = 0;
	bool joined = false;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, writer, ring), 0);
	for (;;) {
		const struct record *record = ring_peek(ring);

		if (record == NULL && joined)
			break;
		if (record == NULL) {
			joined = pthread_tryjoin_np(thread, NULL) == 0;
			continue;
		}
		assert_true(record->number > last);
		assert_int_equal(record->twice, 2 * record->number);
		last = record->number;
		got++;
		ring_pop(ring);
	}
	assert_int_equal(got + ring_dropped(ring), MANY);
	ring_free(ring);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order_and_full),
		cmocka_unit_test(test_reserved_is_not_yet_there),
		cmocka_unit_test(test_too_large_is_no_memory),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
