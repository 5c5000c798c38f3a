/* rates.c: what is known before, after a second, and once nobody looks. */
#include "rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char CONFIG[] =
	"[listener one]\nbind = 127.0.0.1:1\nupstream = u\n"
	"[listener two]\nbind = 127.0.0.1:2\nupstream = u\n"
	"[upstream u]\nhost = 127.0.0.1\nport = 9\n";

struct scene {
	struct config	  *config;
	struct crew	  *crew;
	struct event_base *base;
	struct rates	  *rates;
};

static int
begin(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct config_errors errors;

	s->config = config_load_text("test.ini", CONFIG, strlen(CONFIG),
	    &errors);
	config_errors_free(&errors);
	assert_non_null(s->config);
	s->crew = crew_new(s->config, 2, 100);
	s->base = event_base_new();
	s->rates = rates_new(s->base, s->crew);
	assert_non_null(s->rates);
	*state = s;
	return 0;
}

static int
end(void **state)
{
	struct scene *s = *state;

	rates_free(s->rates);
	event_base_free(s->base);
	crew_free(s->crew);
	config_free(s->config);
	free(s);
	return 0;
}

/* As the worker would. */
static void
count(struct scene *s, size_t worker, size_t listener, uint64_t begun,
    uint64_t bytes)
{
	struct listener_stats *row = &worker_stats(
	    crew_worker(s->crew, worker))->listeners[listener];

	counter_add(&row->begun, begun);
	counter_add(&row->bytes_to_client, bytes);
}

static void
turn(struct scene *s, unsigned times)
{
	while (times-- > 0)
		event_base_loop(s->base, EVLOOP_ONCE);
}

static bool
near(double value, double wanted)
{
	return value > wanted * 0.5 && value <= wanted * 1.01;
}

static void
test_nothing_is_known_without_a_look(void **state)
{
	struct scene *s = *state;
	struct rate rate;

	assert_false(rates_get(s->rates, RATES_TOTAL, 1, &rate));
	assert_false(rates_second(s->rates, 0, &rate));
	assert_int_equal(event_base_loop(s->base, EVLOOP_NONBLOCK), 1);
}

static void
test_one_look_is_no_rate(void **state)
{
	struct scene *s = *state;
	struct rate rate;

	rates_look(s->rates);
	rates_look(s->rates);
	assert_false(rates_get(s->rates, RATES_TOTAL, 60, &rate));
	assert_false(rates_second(s->rates, 0, &rate));
}

static void
test_rates_by_listener_and_in_all(void **state)
{
	struct scene *s = *state;
	struct rate rate;

	count(s, 0, 0, 1000, 1000000);
	rates_look(s->rates);
	count(s, 0, 0, 10, 500);
	count(s, 1, 0, 20, 0);
	count(s, 1, 1, 30, 0);
	turn(s, 1);
	assert_true(rates_get(s->rates, 0, 1, &rate));
	assert_true(near(rate.sessions, 30));
	assert_true(near(rate.to_client, 500));
	assert_true(rate.to_upstream == 0 && rate.now == 0);
	assert_true(rates_get(s->rates, 1, 10, &rate));
	assert_true(near(rate.sessions, 30));
	assert_true(rates_get(s->rates, RATES_TOTAL, 60, &rate));
	assert_true(near(rate.sessions, 60));
	assert_true(rates_second(s->rates, 0, &rate));
	assert_true(near(rate.sessions, 60));
	assert_false(rates_second(s->rates, 1, &rate));
	turn(s, 1);
	assert_true(rates_second(s->rates, 0, &rate));
	assert_true(rate.sessions == 0);
	assert_true(rates_second(s->rates, 1, &rate));
	assert_true(near(rate.sessions, 60));
	assert_true(rates_get(s->rates, RATES_TOTAL, 60, &rate));
	assert_true(near(rate.sessions, 30));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_nothing_is_known_without_a_look, begin, end),
		cmocka_unit_test_setup_teardown(
		    test_one_look_is_no_rate, begin, end),
		cmocka_unit_test_setup_teardown(
		    test_rates_by_listener_and_in_all, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
