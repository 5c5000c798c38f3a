#include "logqueue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static int
setup(void **state)
{
	struct logqueue *q = calloc(1, sizeof(*q));

	pthread_mutex_init(&q->mutex, NULL);
	*state = q;
	return 0;
}

static int
teardown(void **state)
{
	free(*state);
	return 0;
}

static void
put(struct logqueue *q, enum log_level level, const char *text)
{
	logqueue_put(q, level, text, strlen(text));
}

static void
assert_is(const struct message *m, const char *wanted)
{
	assert_int_equal(m->len, strlen(wanted));
	assert_memory_equal(m->text, wanted, m->len);
}

static void
assert_takes(struct logqueue *q, const char *wanted)
{
	struct message m;

	assert_true(logqueue_take(q, &m));
	assert_is(&m, wanted);
}

static void
assert_counts(struct logqueue *q, uint64_t now, const char *wanted)
{
	struct message m;

	assert_true(logqueue_take_count(q, &m, now));
	assert_is(&m, wanted);
}

static void
in_order(void **state)
{
	struct logqueue *q = *state;
	struct message m;
	uint64_t first;

	assert_false(logqueue_take(q, &m));
	assert_true(logqueue_oldest(q) == UINT64_MAX);
	put(q, LOG_LEVEL_INFO, "one");
	first = logqueue_oldest(q);
	put(q, LOG_LEVEL_ERROR, "two");
	assert_true(logqueue_oldest(q) == first);
	assert_takes(q, "one");
	assert_true(logqueue_oldest(q) >= first);
	assert_true(logqueue_take(q, &m));
	assert_int_equal(m.level, LOG_LEVEL_ERROR);
	assert_false(logqueue_take(q, &m));
}

static void
full_means_dropped_and_counted(void **state)
{
	struct logqueue *q = *state;
	struct message m;
	char text[16];

	for (unsigned i = 0; i < LOGQUEUE_ROWS + 5; i++) {
		snprintf(text, sizeof(text), "%u", i);
		put(q, LOG_LEVEL_INFO, text);
	}
	assert_int_equal(counter_get(&q->dropped), 5);
	assert_takes(q, "0");
	put(q, LOG_LEVEL_INFO, "more");
	assert_int_equal(counter_get(&q->dropped), 5);
	for (unsigned i = 1; i < LOGQUEUE_ROWS; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_takes(q, text);
	}
	assert_takes(q, "more");
	assert_false(logqueue_take(q, &m));
}

/* A count is of when it is told. */
static void
a_count_has_a_time(void **state)
{
	struct logqueue *q = *state;
	uint64_t before, last;
	struct message m;

	put(q, LOG_LEVEL_WARN, "again");
	put(q, LOG_LEVEL_WARN, "again");
	assert_takes(q, "again");
	before = clock_wall();
	memset(&m, 0, sizeof(m));
	assert_true(logqueue_take_count(q, &m, UINT64_MAX));
	last = clock_wall();
	assert_in_range(m.time, before, last);
}

/* Who has found no message asks for a count, and leaves the message that has come
 * meanwhile for when he has looked at what was before it. */
static void
a_count_is_no_message(void **state)
{
	struct logqueue *q = *state;
	struct message m;

	put(q, LOG_LEVEL_WARN, "again");
	assert_takes(q, "again");
	put(q, LOG_LEVEL_INFO, "just come");
	assert_false(logqueue_take_count(q, &m, UINT64_MAX));
	put(q, LOG_LEVEL_WARN, "again");
	assert_counts(q, UINT64_MAX, "again (repeated 1 time)");
	assert_takes(q, "just come");
}

/* A flood of one message fills no queue. */
static void
repeats_do_not_fill_it(void **state)
{
	struct logqueue *q = *state;
	struct message m;

	assert_true(logqueue_due(q) == UINT64_MAX);
	for (unsigned i = 0; i < 1001; i++)
		put(q, LOG_LEVEL_WARN, "again");
	assert_int_equal(counter_get(&q->dropped), 0);
	assert_true(logqueue_due(q) != UINT64_MAX);
	assert_takes(q, "again");
	assert_false(logqueue_take_count(q, &m, 0));
	assert_counts(q, logqueue_due(q), "again (repeated 1000 times)");
	assert_true(logqueue_due(q) == UINT64_MAX);
	put(q, LOG_LEVEL_WARN, "again");
	put(q, LOG_LEVEL_WARN, "again");
	assert_takes(q, "again");
	assert_counts(q, UINT64_MAX, "again (repeated 1 time)");
}

#define ON_QUEUE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_QUEUE(in_order),
		ON_QUEUE(full_means_dropped_and_counted),
		ON_QUEUE(a_count_has_a_time),
		ON_QUEUE(a_count_is_no_message),
		ON_QUEUE(repeats_do_not_fill_it),
	};

	return cmocka_run_group_tests_name("logqueue", tests, NULL, NULL);
}
