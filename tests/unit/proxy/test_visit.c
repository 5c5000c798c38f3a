#include "proxy/visit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "workers.h"

#define MOST 400 /* sessions of a test */

/* Clients of one worker, and who looks at them. */
struct view {
	struct rig  *rig;
	struct box  *home;
	struct visit visit;
	int	     clients[MOST]; /* -1: ended */
	uint64_t     ids[MOST];	    /* seen by the visits, in their order */
	size_t	     seen;
};

static struct view *
view_new(struct rig *rig)
{
	struct view *view = calloc(1, sizeof(*view));

	assert_non_null(view);
	view->rig = rig;
	view->home = box_new(NULL);
	for (size_t i = 0; i < MOST; i++)
		view->clients[i] = -1;
	visit_init(&view->visit, view->home);
	return view;
}

static void
view_free(struct view *view)
{
	for (size_t i = 0; i < MOST; i++)
		if (view->clients[i] >= 0)
			peer_reset(view->clients[i]);
	wait_for_sessions(view->rig, 0);
	box_unref(view->home);
	free(view);
}

/* Session 'i' is the one with id 0xabcd... + i + 1; it waits for the addresses
 * of its upstream, and so needs no server. */
static void
begin(struct view *view, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		view->clients[i] = peer_connect(&view->rig->at);
		wait_for_sessions(view->rig, view->rig->limit.used > i ?
		    view->rig->limit.used : i + 1);
	}
}

static void
end(struct view *view, size_t i)
{
	uint64_t before = view->rig->limit.used;

	peer_reset(view->clients[i]);
	view->clients[i] = -1;
	wait_for_sessions(view->rig, before - 1);
}

static uint64_t
id_of(size_t i)
{
	return (UINT64_C(0xabcd) << 48) + i + 1;
}

static void
rig_wait(struct rig *rig)
{
	rig_load(rig, "", "connect_timeout = 60s");
	rig_new_workers(rig, 1);
	put_snapshot(rig, 0);
	rig_start(rig);
}

static void
send_out(struct visit *v, struct rig *rig)
{
	assert_true(worker_mail(rig->workers[0], &v->mail));
}

/* The visit, once it is back. */
static void
come_back(struct visit *v)
{
	struct box_list list;

	assert_true(comes_readable(box_fd(v->home)));
	box_take(v->home, &list);
	assert_ptr_equal(visit_next(&list), v);
	assert_null(visit_next(&list));
}

/* One turn; what it found is noted. */
static void
turn(struct view *view)
{
	struct visit *v = &view->visit;

	send_out(v, view->rig);
	come_back(v);
	assert_true(v->found <= v->most);
	for (size_t i = 0; v->action == VISIT_LIST && i < v->found; i++) {
		assert_true(view->seen < MOST);
		view->ids[view->seen++] = v->infos[i].id;
	}
}

static size_t
to_the_end(struct view *view)
{
	size_t found = 0;

	do {
		turn(view);
		found += view->visit.found;
	} while (!view->visit.done);
	return found;
}

/* --- listing */

static void
nobody_is_there(void **state)
{
	struct view *view;

	rig_wait(*state);
	view = view_new(*state);
	assert_int_equal(to_the_end(view), 0);
	view_free(view);
}

static void
everybody_once_youngest_first(void **state)
{
	struct view *view;

	rig_wait(*state);
	view = view_new(*state);
	begin(view, 0, 23);
	view->visit.most = 5;
	assert_int_equal(to_the_end(view), 23);
	for (size_t i = 0; i < 23; i++)
		assert_int_equal(view->ids[i], id_of(22 - i));
	view->seen = 0;
	assert_int_equal(to_the_end(view), 23); /* the same visit, once more */
	view_free(view);
}

static void
no_more_than_the_budget_a_turn(void **state)
{
	struct view *view;

	rig_wait(*state);
	view = view_new(*state);
	begin(view, 0, VISIT_BUDGET + 44);
	turn(view);
	assert_int_equal(view->visit.found, VISIT_BUDGET);
	assert_false(view->visit.done);
	turn(view);
	assert_int_equal(view->visit.found, 44);
	assert_true(view->visit.done);

	strcpy(view->visit.filter.listener, "another"); /* a look costs too */
	turn(view);
	assert_int_equal(view->visit.found, 0);
	assert_false(view->visit.done);
	turn(view);
	assert_true(view->visit.done);
	view_free(view);
}

static void
place_survives_the_end_of_its_session(void **state)
{
	struct view *view;

	rig_wait(*state);
	view = view_new(*state);
	begin(view, 0, 10);
	view->visit.most = 2;
	turn(view); /* 9, 8; 7 is next */
	end(view, 7);
	end(view, 6);
	end(view, 9); /* that was seen */
	end(view, 3);
	turn(view); /* 5, 4 */
	to_the_end(view);
	assert_int_equal(view->seen, 7);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(view->ids[i],
		    id_of((const size_t[]){ 9, 8, 5, 4, 2, 1, 0 }[i]));
	view_free(view);
}

static void
all_end_in_between(void **state)
{
	struct view *view;

	rig_wait(*state);
	view = view_new(*state);
	begin(view, 0, 4);
	view->visit.most = 1;
	turn(view);
	for (size_t i = 0; i < 4; i++)
		end(view, i);
	turn(view);
	assert_int_equal(view->visit.found, 0);
	assert_true(view->visit.done);
	view_free(view);
}

static void
who_comes_later_is_not_seen(void **state)
{
	struct view *view;

	rig_wait(*state);
	view = view_new(*state);
	begin(view, 0, 4);
	view->visit.most = 2;
	turn(view);
	begin(view, 4, 3);
	to_the_end(view);
	assert_int_equal(view->seen, 4);

	view->seen = 0; /* the next page, of a visit of its own */
	view->visit.below = 3;
	assert_int_equal(to_the_end(view), 2);
	assert_int_equal(view->ids[0], id_of(1));
	assert_int_equal(view->ids[1], id_of(0));
	view_free(view);
}

/* Both would look at the same session next. */
static void
two_visits_at_once(void **state)
{
	struct view *one, *two;

	rig_wait(*state);
	one = view_new(*state);
	two = view_new(*state);
	begin(one, 0, 5);
	one->visit.most = two->visit.most = 1;
	turn(one);
	turn(two);
	end(one, 3);
	turn(one);
	turn(two);
	assert_int_equal(one->ids[1], id_of(2));
	assert_int_equal(two->ids[1], id_of(2));
	assert_int_equal(to_the_end(one), 2);
	assert_int_equal(to_the_end(two), 2);
	view_free(one);
	view_free(two);
}

static void
tells_what_a_session_does(void **state)
{
	char text[ADDR_TEXT], client[ADDR_TEXT];
	struct rig *rig = *state;
	struct session_info *info;
	uint64_t until = 0;
	struct view *view;
	struct addr from;
	struct talk t;

	rig_run(rig, 1, "");
	view = view_new(rig);
	talk_begin(rig, &t);
	view->visit.filter.min_age_ms = 30;
	while (to_the_end(view) == 0 && patient(&until))
		;
	view->visit.filter.min_age_ms = 0;
	view->seen = 0;
	talk(&t);
	shutdown(t.server, SHUT_WR);
	assert_int_equal(peer_end(t.client), 0);
	turn(view);
	assert_int_equal(view->visit.found, 1);
	info = &view->visit.infos[0];
	assert_int_equal(info->id, id_of(0));
	assert_int_equal(info->order, 1);
	assert_string_equal(info->listener, "web");
	assert_string_equal(info->upstream, "api");
	assert_string_equal(info->server, addr_text(&rig->server_at, text));
	from = addr_of(t.client);
	assert_string_equal(peer_text(&info->client, text),
	    addr_text(&from, client));
	assert_string_equal(info->phase, "relay");
	assert_int_equal(info->bytes_to_upstream, 8);
	assert_int_equal(info->bytes_to_client, 6);
	assert_int_equal(info->attempts, 1);
	assert_true(info->upstream_fin);
	assert_false(info->client_fin);
	assert_true(info->idle_ms + 30 <= info->age_ms);
	close(t.client);
	close(t.server);
	view_free(view);
}

/* --- filters */

static size_t
found_by(struct view *view, const struct visit_filter *filter)
{
	view->visit.filter = *filter;
	return to_the_end(view);
}

static struct prefix
prefix(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(&p, text), 0);
	return p;
}

static void
filters_leave_out(void **state)
{
	struct visit_filter f = { 0 };
	struct rig *rig = *state;
	uint64_t until = 0;
	struct view *view;
	struct talk t[3];

	rig_run(rig, 1, "");
	view = view_new(rig);
	for (int i = 0; i < 3; i++) {
		talk_begin(rig, &t[i]);
		talk(&t[i]);
	}
	assert_int_equal(found_by(view, &f), 3);
	strcpy(f.listener, "web");
	strcpy(f.upstream, "api");
	addr_text(&rig->server_at, f.server);
	f.client = prefix("127.0.0.0/8");
	assert_int_equal(found_by(view, &f), 3);

	assert_int_equal(found_by(view, &(struct visit_filter){
	    .listener = "we" }), 0);
	assert_int_equal(found_by(view, &(struct visit_filter){
	    .upstream = "web" }), 0);
	assert_int_equal(found_by(view, &(struct visit_filter){
	    .server = "127.0.0.1:1" }), 0);
	assert_int_equal(found_by(view, &(struct visit_filter){
	    .client = prefix("127.0.0.2") }), 0);
	assert_int_equal(found_by(view, &(struct visit_filter){
	    .client = prefix("unix") }), 0);
	assert_int_equal(found_by(view, &(struct visit_filter){
	    .min_age_ms = 600000 }), 0);
	while (found_by(view, &(struct visit_filter){
	    .min_age_ms = 50 }) < 3 && patient(&until))
		view->seen = 0;
	assert_int_equal(view->visit.found, 3);

	view->seen = 0;
	view->visit.filter = (struct visit_filter){ .id = id_of(1) };
	view->visit.most = 1;
	turn(view);
	assert_int_equal(view->visit.found, 1);
	assert_true(view->visit.done); /* there is no other of that id */
	assert_int_equal(view->ids[0], id_of(1));
	f.id = id_of(1); /* all at once */
	assert_int_equal(found_by(view, &f), 1);
	assert_int_equal(found_by(view, &(struct visit_filter){
	    .id = id_of(3) }), 0);
	for (int i = 0; i < 3; i++)
		talk_end(&t[i]);
	view_free(view);
}

/* Before there is a server, no server's name finds the session. */
static void
no_server_is_no_match(void **state)
{
	struct view *view;

	rig_wait(*state);
	view = view_new(*state);
	begin(view, 0, 1);
	assert_int_equal(found_by(view, &(struct visit_filter){
	    .server = "127.0.0.1:2" }), 0);
	assert_int_equal(found_by(view, &(struct visit_filter){
	    .upstream = "api" }), 1);
	assert_string_equal(view->visit.infos[0].server, "");
	assert_string_equal(view->visit.infos[0].phase, "wait");
	assert_string_equal(view->visit.infos[0].waits_for, "name");
	view_free(view);
}

/* --- killing */

static void
killed_by_id_and_told_by_whom(void **state)
{
	struct rig *rig = *state;
	struct closerecord r;
	struct view *view;
	struct talk t[2];

	rig_run(rig, 1, "");
	view = view_new(rig);
	for (int i = 0; i < 2; i++) {
		talk_begin(rig, &t[i]);
		talk(&t[i]);
	}
	view->visit.action = VISIT_KILL;
	view->visit.filter.id = id_of(0);
	strcpy(view->visit.who, "killed by root");
	assert_int_equal(to_the_end(view), 1);
	talk_is_cut(&t[0]);
	talk(&t[1]);
	r = next_record(rig, 0);
	assert_int_equal(r.id, id_of(0));
	assert_int_equal(r.ending.by, BY_PROXY);
	assert_int_equal(r.ending.how, HOW_KILL);
	assert_null(r.ending.detail);
	assert_string_equal(r.detail, "killed by root");
	assert_int_equal(to_the_end(view), 0); /* it is gone */
	talk_end(&t[1]);
	view_free(view);
}

/* All its time is in the queue: no server was tried. */
static void
killed_before_there_is_a_server(void **state)
{
	struct rig *rig = *state;
	struct closerecord r;
	uint64_t until = 0;
	struct view *view;

	rig_wait(rig);
	view = view_new(rig);
	begin(view, 0, 1);
	view->visit.filter.min_age_ms = 30;
	while (to_the_end(view) == 0 && patient(&until))
		;
	view->visit.action = VISIT_KILL;
	assert_int_equal(to_the_end(view), 1);
	r = next_record(rig, 0);
	assert_string_equal(r.phase, "route");
	assert_int_equal(r.attempts, 0);
	assert_true(r.queue_ms >= 30);
	assert_int_equal(r.queue_ms, r.total_ms);
	assert_int_equal(r.connect_ms, 0);
	view_free(view);
}

/* What is done to the sessions of a server leaves those on their way alone. */
static void
only_those_that_are_connected(void **state)
{
	struct rig *rig = *state;
	struct view *view;

	rig_wait(rig);
	view = view_new(rig);
	begin(view, 0, 3);
	view->visit.filter.connected = true;
	assert_int_equal(to_the_end(view), 0);
	view->visit.filter.connected = false;
	view->visit.filter.draining = true;
	assert_int_equal(to_the_end(view), 0);
	view->visit.filter.draining = false;
	assert_int_equal(to_the_end(view), 3);
	view_free(view);
}

static void
killing_takes_several_turns(void **state)
{
	struct view *view;
	size_t turns = 0;

	rig_wait(*state);
	view = view_new(*state);
	begin(view, 0, 100);
	view->visit.action = VISIT_KILL;
	do {
		turn(view);
		assert_in_range(view->visit.found, 1, VISIT_BUDGET / 8);
		turns++;
	} while (!view->visit.done);
	assert_in_range(turns, 4, 8);
	wait_for_sessions(view->rig, 0);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(peer_end(view->clients[i]), -ECONNRESET);
	view_free(view);
}

/* Another visit's place moves on as with any end. */
static void
killed_while_they_are_listed(void **state)
{
	struct view *list, *kill;

	rig_wait(*state);
	list = view_new(*state);
	kill = view_new(*state);
	begin(list, 0, 20);
	list->visit.most = 3;
	turn(list);
	kill->visit.action = VISIT_KILL;
	to_the_end(kill);
	assert_int_equal(to_the_end(list), 0);
	view_free(list);
	view_free(kill);
}

/* --- the end of either */

static void
cancelled_is_free_to_go(void **state)
{
	struct view *view;

	rig_wait(*state);
	view = view_new(*state);
	begin(view, 0, 4);
	view->visit.most = 1;
	turn(view);
	view->visit.action = VISIT_CANCEL;
	turn(view);
	assert_true(view->visit.done);
	assert_int_equal(view->visit.found, 0);
	memset(&view->visit, 0xff, sizeof(view->visit));
	end(view, 2); /* who was next */
	end(view, 3);
	view_free(view);
}

/* Who refuses the visit knows nothing of it any more. */
static void
worker_stops_meanwhile(void **state)
{
	struct rig *rig = *state;
	struct view *view;

	rig_wait(rig);
	view = view_new(rig);
	begin(view, 0, 4);
	view->visit.most = 1;
	turn(view);
	put_word(rig->workers[0], MAIL_KILL);
	wait_for_end(rig, 1);
	assert_false(worker_mail(rig->workers[0], &view->visit.mail));
	memset(&view->visit, 0xff, sizeof(view->visit));
	view_free(view);
	rig_join(rig, 0);
}

static void
visited_while_it_drains(void **state)
{
	struct rig *rig = *state;
	struct view *view;

	rig_wait(rig);
	view = view_new(rig);
	begin(view, 0, 5);
	view->visit.most = 2;
	turn(view);
	put_word(rig->workers[0], MAIL_DRAIN);
	assert_int_equal(to_the_end(view), 3);
	for (size_t i = 0; i < 5; i++)
		end(view, i);
	wait_for_end(rig, 1);
	view_free(view);
	rig_join(rig, 0);
}

/* In the box of a worker that never ran it is its sender's. */
static void
never_read(void **state)
{
	struct rig *rig = *state;
	struct view *view = view_new(rig);

	rig_load(rig, "", "");
	rig_new_workers(rig, 1);
	send_out(&view->visit, rig);
	worker_free(rig->workers[0]);
	rig->workers[0] = NULL;
	close(rig->listening);
	view_free(view);
}

#define ON_RIG(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(nobody_is_there),
		ON_RIG(everybody_once_youngest_first),
		ON_RIG(no_more_than_the_budget_a_turn),
		ON_RIG(place_survives_the_end_of_its_session),
		ON_RIG(all_end_in_between),
		ON_RIG(who_comes_later_is_not_seen),
		ON_RIG(two_visits_at_once),
		ON_RIG(tells_what_a_session_does),
		ON_RIG(filters_leave_out),
		ON_RIG(no_server_is_no_match),
		ON_RIG(killed_by_id_and_told_by_whom),
		ON_RIG(killed_before_there_is_a_server),
		ON_RIG(only_those_that_are_connected),
		ON_RIG(killing_takes_several_turns),
		ON_RIG(killed_while_they_are_listed),
		ON_RIG(cancelled_is_free_to_go),
		ON_RIG(worker_stops_meanwhile),
		ON_RIG(visited_while_it_drains),
		ON_RIG(never_read),
	};
	int failed;

	workers_prepare();
	failed = cmocka_run_group_tests_name("visit", tests, NULL, NULL);
	libevent_global_shutdown(); /* its notes hide leaks */
	return failed;
}
