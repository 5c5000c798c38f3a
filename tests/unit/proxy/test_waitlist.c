#include "proxy/waitlist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "waiter.h"
#include "worker-internal.h"
#include "workers.h"

#define COUNT 4

/* Sessions of two workers whose mail the test hands out.  They have ended, so
 * that nothing comes of it when they are advanced. */
struct room {
	struct shared	 shared;
	struct waitlist *list;
	struct worker	*workers[2];
	struct session	 sessions[COUNT];
	struct waiter	*waiters[COUNT];
};

static int
setup(void **state)
{
	struct room *room = line_alloc(sizeof(*room));

	room->shared.log_fd = room->shared.done_fd = -1;
	room->shared.nupstreams = 1;
	room->list = room->shared.waits = waitlists_new(1);
	for (int i = 0; i < 2; i++)
		room->workers[i] = worker_new(&room->shared, (unsigned)i);
	for (int i = 0; i < COUNT; i++) {
		room->sessions[i].worker = room->workers[i % 2];
		room->sessions[i].ended = true;
		room->waiters[i] = waiter_new(&room->sessions[i], room->list);
		assert_non_null(room->waiters[i]);
	}
	*state = room;
	return 0;
}

/* Reads what has come; a worker without sessions waits for nothing else. */
static void
read_mail(struct room *room)
{
	for (int i = 0; i < 2; i++) {
		struct mail *mail = mail_new(MAIL_DRAIN);

		put(room->workers[i], mail); /* so that a turn comes to an end */
		worker_turn(room->workers[i]);
	}
}

static int
teardown(void **state)
{
	struct room *room = *state;

	for (int i = 0; i < COUNT; i++)
		waiter_leave(room->waiters[i]);
	read_mail(room);
	for (int i = 0; i < 2; i++)
		worker_free(room->workers[i]);
	waitlists_free(room->list, 1);
	free(room);
	return 0;
}

static void
leave(struct room *room, int i)
{
	waiter_leave(room->waiters[i]);
	room->waiters[i] = NULL;
}

static void
enter(struct waiter *waiter, bool choosy)
{
	assert_true(waiter_enter(waiter, choosy, COUNT));
}

static void
all_enter(struct room *room)
{
	for (int i = 0; i < COUNT; i++)
		enter(room->waiters[i], false);
	assert_int_equal(waitlist_length(room->list), COUNT);
}

/* Who is awake, as letters. */
static const char *
awake(struct room *room)
{
	static char text[COUNT + 1];
	size_t n = 0;

	read_mail(room);
	for (int i = 0; i < COUNT; i++)
		if (room->waiters[i] != NULL &&
		    waiter_is_awake(room->waiters[i]))
			text[n++] = (char)('a' + i);
	text[n] = '\0';
	return text;
}

static void
nobody_is_woken_without_a_cause(void **state)
{
	struct room *room = *state;

	waitlist_wake(room->list);
	all_enter(room);
	assert_string_equal(awake(room), "");
}

static void
first_come_first_served(void **state)
{
	struct room *room = *state;

	all_enter(room);
	waitlist_wake(room->list);
	assert_string_equal(awake(room), "a");
	assert_int_equal(waitlist_length(room->list), COUNT);
}

/* Who came later may be on a worker that is quicker. */
static void
one_is_awake_at_a_time(void **state)
{
	struct room *room = *state;

	all_enter(room);
	waitlist_wake(room->list);
	waitlist_wake(room->list);
	assert_string_equal(awake(room), "a");
	waitlist_wake(room->list);
	assert_string_equal(awake(room), "a");
}

/* It had looked before that. */
static void
room_that_comes_while_one_is_awake_is_looked_at_again(void **state)
{
	struct room *room = *state;

	all_enter(room);
	waitlist_wake(room->list);
	assert_string_equal(awake(room), "a");
	waitlist_wake(room->list);
	enter(room->waiters[0], false);
	assert_string_equal(awake(room), "a");
	enter(room->waiters[0], false);
	assert_string_equal(awake(room), "");
}

static void
who_has_found_a_server_wakes_the_next(void **state)
{
	struct room *room = *state;

	all_enter(room);
	waitlist_wake(room->list);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(awake(room)[0], 'a' + i);
		leave(room, i);
	}
	assert_string_equal(awake(room), "");
	assert_int_equal(waitlist_length(room->list), 0);
}

static void
who_found_none_waits_before_all_others(void **state)
{
	struct room *room = *state;

	all_enter(room);
	waitlist_wake(room->list);
	assert_string_equal(awake(room), "a");
	enter(room->waiters[0], false);
	assert_string_equal(awake(room), "");
	waitlist_wake(room->list);
	assert_string_equal(awake(room), "a");
}

static void
who_leaves_is_passed_over(void **state)
{
	struct room *room = *state;

	all_enter(room);
	leave(room, 1);
	leave(room, 2);
	assert_string_equal(awake(room), "");
	assert_int_equal(waitlist_length(room->list), COUNT - 2);
	waitlist_wake(room->list);
	assert_string_equal(awake(room), "a");
	leave(room, 0);
	assert_string_equal(awake(room), "d");
}

/* However many ask at once; who was in may go back. */
static void
who_is_too_many_does_not_come_in(void **state)
{
	struct room *room = *state;

	assert_false(waiter_enter(room->waiters[0], false, 0));
	enter(room->waiters[0], false);
	enter(room->waiters[1], false);
	assert_false(waiter_enter(room->waiters[2], true, 2));
	assert_int_equal(waitlist_length(room->list), 2);
	assert_true(waitlist_is_eager(room->list));
	waitlist_wake(room->list);
	assert_string_equal(awake(room), "a");
	assert_true(waiter_enter(room->waiters[0], false, 1));
	leave(room, 2);
	assert_string_equal(awake(room), "");
	assert_true(waiter_enter(room->waiters[3], false, 3));
}

/* It may have been the only one that knew what is waited for by now. */
static void
when_the_first_gives_up_the_next_has_a_look(void **state)
{
	struct room *room = *state;

	all_enter(room);
	leave(room, 0);
	assert_string_equal(awake(room), "b");
	enter(room->waiters[1], false);
	assert_string_equal(awake(room), "");
}

/* What there is may not be for it. */
static void
who_is_choosy_lets_others_pass(void **state)
{
	struct room *room = *state;

	enter(room->waiters[0], true);
	enter(room->waiters[1], true);
	assert_false(waitlist_is_eager(room->list));
	enter(room->waiters[2], false);
	assert_true(waitlist_is_eager(room->list));
	waitlist_wake(room->list);
	assert_string_equal(awake(room), "a");
	enter(room->waiters[0], true);
	assert_string_equal(awake(room), "b");
	enter(room->waiters[1], true);
	assert_string_equal(awake(room), "c");
	leave(room, 2);
	assert_false(waitlist_is_eager(room->list));
	assert_string_equal(awake(room), "a");
	enter(room->waiters[0], true);
	assert_string_equal(awake(room), "");
	leave(room, 0);
	leave(room, 1);
	assert_string_equal(awake(room), "");
	assert_int_equal(room->list->choosy, 0);
}

/* Its mail is on its way when it ends. */
static void
a_wake_up_for_who_has_ended_goes_on(void **state)
{
	struct room *room = *state;

	all_enter(room);
	waitlist_wake(room->list);
	leave(room, 0);
	assert_string_equal(awake(room), "b");
}

static void
who_ends_awake_has_taken_nothing(void **state)
{
	struct room *room = *state;

	all_enter(room);
	waitlist_wake(room->list);
	assert_string_equal(awake(room), "a");
	leave(room, 0);
	assert_string_equal(awake(room), "b");
}

static void
a_pause_ends_with_a_wake_up(void **state)
{
	struct room *room = *state;

	assert_false(waitlist_is_paused(room->list));
	waitlist_pause(room->list, true);
	assert_true(waitlist_is_paused(room->list));
	all_enter(room);
	assert_string_equal(awake(room), "");
	waitlist_pause(room->list, false);
	assert_false(waitlist_is_paused(room->list));
	assert_string_equal(awake(room), "a");
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ROOM(nobody_is_woken_without_a_cause),
		IN_ROOM(first_come_first_served),
		IN_ROOM(one_is_awake_at_a_time),
		IN_ROOM(room_that_comes_while_one_is_awake_is_looked_at_again),
		IN_ROOM(who_has_found_a_server_wakes_the_next),
		IN_ROOM(who_found_none_waits_before_all_others),
		IN_ROOM(who_leaves_is_passed_over),
		IN_ROOM(who_is_too_many_does_not_come_in),
		IN_ROOM(when_the_first_gives_up_the_next_has_a_look),
		IN_ROOM(who_is_choosy_lets_others_pass),
		IN_ROOM(a_wake_up_for_who_has_ended_goes_on),
		IN_ROOM(who_ends_awake_has_taken_nothing),
		IN_ROOM(a_pause_ends_with_a_wake_up),
	};
	int failed;

	workers_prepare();
	failed = cmocka_run_group_tests_name("waitlist", tests, NULL, NULL);
	libevent_global_shutdown();
	return failed;
}
