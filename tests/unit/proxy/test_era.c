/* Which configurations a worker holds, and the addresses that go with them. */
#include "era.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/places.h"
#include "config/snapshot.h"
#include "proxy/waitlist.h"
#include "worker-internal.h"

#define ROOM 8

struct rig {
	struct shared	 shared;
	struct worker	*worker;
	struct snapshot *snapshots[4];
	const struct config *configs[4];
	size_t		 count;
};

static int
rig_make(void **state)
{
	struct rig *rig = aligned_alloc(alignof(struct rig), sizeof(*rig));

	memset(rig, 0, sizeof(*rig));
	rig->shared.nlisteners = rig->shared.nupstreams = ROOM;
	rig->worker = worker_new(&rig->shared, 0);
	assert_non_null(rig->worker);
	*state = rig;
	return 0;
}

static int
rig_remove(void **state)
{
	struct rig *rig = *state;

	worker_free(rig->worker);
	for (size_t i = 0; i < rig->count; i++)
		snapshot_unref(rig->snapshots[i]);
	free(rig);
	return 0;
}

/* One letter a listener and its upstream.  'live' are the last so many that came
 * before. */
static const struct config *
come(struct rig *rig, const char *names, size_t live)
{
	struct config_errors errors = { 0 };
	struct config *config;
	char text[512] = "";

	for (; *names != '\0'; names++)
		sprintf(text + strlen(text), "[listener %c]\n"
		    "bind = 127.0.0.1:%d\n[upstream %c]\n"
		    "server = 127.0.0.1:9\n", *names, 1000 + *names, *names);
	config = config_load_text("test", text, strlen(text), &errors);
	config_errors_free(&errors);
	assert_non_null(config);
	assert_int_equal(config_places(config, rig->configs + rig->count -
	    live, live, ROOM), 0);
	rig->snapshots[rig->count] = snapshot_new(config);
	rig->configs[rig->count] = config;
	return rig->configs[rig->count++];
}

/* As MAIL_SNAPSHOT does. */
static void
enter(struct rig *rig)
{
	struct snapshot *snapshot = rig->snapshots[rig->count - 1];
	struct worker *w = rig->worker;

	snapshot_unref(w->snapshot);
	w->snapshot = snapshot_ref(snapshot);
	era_clear_places(w, snapshot_config(snapshot));
	era_enter(w, era_new(snapshot));
	era_sweep(w);
}

static void
resolve(struct rig *rig, size_t place)
{
	struct endpoint_set *set = endpoint_set_new(place, 0);

	rig->worker->pools[place] = pool_new(set, 0);
	assert_non_null(rig->worker->pools[place]);
}

static void
one_is_there_while_it_is_used(void **state)
{
	struct rig *rig = *state;
	struct worker *w = rig->worker;
	const struct config *first = come(rig, "a", 0), *second;

	enter(rig);
	assert_true(era_is_known(w, first));
	era_use(w, first);
	era_use(w, first);
	second = come(rig, "b", 1);
	assert_false(era_is_known(w, second));
	enter(rig);
	assert_true(era_is_known(w, first) && era_is_known(w, second));
	era_leave(w, first);
	assert_true(era_is_known(w, first));
	assert_false(snapshot_is_ours_alone(rig->snapshots[0], 1));
	era_leave(w, first);
	assert_false(era_is_known(w, first));
	assert_true(snapshot_is_ours_alone(rig->snapshots[0], 1));
	era_use(w, second);
	era_leave(w, second);
	era_sweep(w);
	assert_true(era_is_known(w, second));
	assert_false(snapshot_is_ours_alone(rig->snapshots[1], 1));
}

static void
who_brings_it_again_adds_nothing(void **state)
{
	struct rig *rig = *state;
	struct worker *w = rig->worker;
	const struct config *first = come(rig, "a", 0);
	struct snapshot *snapshot;

	enter(rig);
	era_use(w, first);
	era_enter(w, era_new(rig->snapshots[0]));
	era_leave(w, first);
	assert_true(era_is_known(w, first));
	era_use(w, first);
	era_enter(w, era_new(rig->snapshots[0]));
	come(rig, "a", 1);
	enter(rig);
	snapshot = era_snapshot(w, first);
	assert_ptr_equal(snapshot, rig->snapshots[0]);
	snapshot_unref(snapshot);
	era_leave(w, first);
	assert_null(era_snapshot(w, first));
	assert_true(snapshot_is_ours_alone(rig->snapshots[0], 1));
}

/* A client of the first may come by mail when nobody here knows it any more. */
static void
addresses_stay_until_the_place_is_anothers(void **state)
{
	struct rig *rig = *state;
	struct worker *w = rig->worker;

	come(rig, "ab", 0);
	enter(rig);
	resolve(rig, 0);
	resolve(rig, 1);
	come(rig, "b", 1);
	enter(rig);
	assert_false(era_is_known(w, rig->configs[0]));
	assert_non_null(w->pools[0]);
	era_enter(w, era_new(rig->snapshots[0]));
	era_use(w, rig->configs[0]);
	assert_non_null(w->pools[0]);
	era_leave(w, rig->configs[0]);
	come(rig, "bc", 1);
	enter(rig);
	assert_null(w->pools[0]);
	assert_non_null(w->pools[1]);
}

static void
addresses_of_one_that_goes_on_stay(void **state)
{
	struct rig *rig = *state;
	struct worker *w = rig->worker;

	come(rig, "ab", 0);
	enter(rig);
	resolve(rig, 0);
	era_use(w, rig->configs[0]);
	come(rig, "b", 1);
	enter(rig);
	come(rig, "ba", 2);
	enter(rig);
	assert_non_null(w->pools[0]);
	era_leave(w, rig->configs[0]);
	assert_non_null(w->pools[0]);
}

#define ON_RIG(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(one_is_there_while_it_is_used),
		ON_RIG(who_brings_it_again_adds_nothing),
		ON_RIG(addresses_stay_until_the_place_is_anothers),
		ON_RIG(addresses_of_one_that_goes_on_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
