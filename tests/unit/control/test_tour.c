/* Tours that are under way when all ends. */
#include "tour.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "net/conn.h"

static char name[] = "a";
static struct upstream_conf upstreams[] = { { .name = name } };
static struct listener_conf listeners[] = { { .name = name,
	.upstream = &upstreams[0] } };
static const struct config config = { .listeners = listeners, .nlisteners = 1,
	.upstreams = upstreams, .nupstreams = 1, .listener_places = 1,
	.upstream_places = 1 };

static void
nobody_comes_back(void *owner)
{
	(void)owner;
	fail();
}

/* Workers that have stopped refuse it, and it waits at home for a loop that
 * does not turn any more. */
static void
one_that_nobody_takes_in(void **state)
{
	struct mail *mail = mail_new(MAIL_KILL);
	struct event_base *base = conn_base_new();
	struct crew *crew = crew_new(&config, 1, 10);
	struct tours *tours;

	(void)state;
	assert_non_null(mail);
	assert_non_null(base);
	assert_non_null(crew);
	mail->ending = (struct ending){ .by = BY_PROXY, .how = HOW_DRAIN };
	assert_int_equal(crew_start(crew, &mail), 0);
	crew_join(crew);
	tours = tours_new(base, crew);
	assert_non_null(tours);
	for (int i = 0; i < 3; i++) {
		struct tour *t = tour_new(tours, nobody_comes_back, NULL);

		assert_non_null(t);
		tour_go(t);
		assert_null(tour_visit(t));
	}
	tours_free(tours);
	crew_free(crew);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_nobody_takes_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
