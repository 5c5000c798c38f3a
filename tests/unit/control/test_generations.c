/* Which configurations main holds, and until when. */
#include "generations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Our own reference; the generations have another. */
static struct snapshot *
come(struct generations *g)
{
	static const char text[] = "[listener a]\nbind = 127.0.0.1:1\n"
	    "[upstream a]\nserver = 127.0.0.1:2\n";
	struct config_errors errors = { 0 };
	struct config *config = config_load_text("test", text, strlen(text),
	    &errors);
	struct snapshot *snapshot;

	config_errors_free(&errors);
	assert_non_null(config);
	snapshot = snapshot_new(config);
	assert_non_null(snapshot);
	assert_int_equal(generations_reserve(g), 0);
	generations_add(g, snapshot_ref(snapshot));
	return snapshot;
}

static void
assert_held(const struct generations *g, const struct snapshot *const *held,
    size_t count)
{
	const struct config **configs = generations_configs(g);

	assert_non_null(configs);
	assert_int_equal(g->count, count);
	for (size_t i = 0; i < count; i++)
		assert_ptr_equal(configs[i], snapshot_config(held[i]));
	free(configs);
}

/* In the order in which they came; the current one stays although nobody else
 * has it. */
static void
who_is_used_stays(void **state)
{
	struct generations g = { 0 };
	struct snapshot *all[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		all[i] = come(&g);
	generations_sweep(&g);
	assert_held(&g, (const struct snapshot *const *)all, 4);
	snapshot_unref(all[1]);
	snapshot_unref(all[3]);
	generations_sweep(&g);
	assert_held(&g, (const struct snapshot *[]){ all[0], all[2], all[3] },
	    3);
	snapshot_unref(all[2]);
	generations_sweep(&g);
	assert_held(&g, (const struct snapshot *[]){ all[0], all[3] }, 2);
	snapshot_unref(all[0]);
	generations_done(&g);
}

/* What it says is asked for later, but its places are free. */
static void
the_first_is_known_and_keeps_no_place(void **state)
{
	struct generations g = { 0 };
	struct snapshot *first = come(&g), *second = come(&g);

	(void)state;
	assert_ptr_equal(g.first, first);
	snapshot_unref(first);
	generations_sweep(&g);
	assert_held(&g, (const struct snapshot *[]){ second }, 1);
	assert_true(snapshot_is_ours_alone(g.first, 1));
	snapshot_unref(second);
	generations_done(&g);
	assert_null(g.first);
}

/* Nor is it gone as long as it is current. */
static void
the_first_alone_is_current(void **state)
{
	struct generations g = { 0 };

	(void)state;
	snapshot_unref(come(&g));
	generations_sweep(&g);
	assert_int_equal(g.count, 1);
	generations_done(&g);
	assert_int_equal(g.count, 0);
}

/* Others may use one for longer. */
static void
done_lets_go_of_all(void **state)
{
	struct generations g = { 0 };
	struct snapshot *second;

	(void)state;
	snapshot_unref(come(&g));
	second = come(&g);
	snapshot_unref(come(&g));
	snapshot_ref(second);
	generations_sweep(&g);
	assert_int_equal(g.count, 2);
	snapshot_unref(second);
	assert_true(snapshot_is_ours_alone(second, 2));
	generations_done(&g);
	assert_true(snapshot_is_ours_alone(second, 1));
	snapshot_unref(second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_used_stays),
		cmocka_unit_test(the_first_is_known_and_keeps_no_place),
		cmocka_unit_test(the_first_alone_is_current),
		cmocka_unit_test(done_lets_go_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
