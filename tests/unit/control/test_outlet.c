#include "outlet.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define STUCK_MS 1000
#define RETRY_MS 250
#define TELL_MS	 1000
#define START	 5000

struct place {
	char	      folder[32];
	char	      path[64];
	struct config config;
	struct outlet outlet;
	uint64_t      before[LOGDEVICE_KINDS]; /* lost before the device */
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct log_target target = { LOG_TO_FILE, p->path };

	strcpy(p->folder, "/tmp/test_outlet.XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/a\x01", p->folder);
	p->config.global.log_format = LOG_FORMAT_JSON;
	assert_int_equal(outlet_open(&p->outlet, &p->config, "log", &target),
	    0);
	signal(SIGXFSZ, SIG_IGN);
	*state = p;
	return 0;
}

/* Files of this process end there. */
static void
limit_files(rlim_t size)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int
teardown(void **state)
{
	struct place *p = *state;

	limit_files(RLIM_INFINITY);
	outlet_close(&p->outlet);
	unlink(p->path);
	rmdir(p->folder);
	free(p);
	return 0;
}

static void
put(struct place *p, const char *text)
{
	struct message m = { .level = LOG_LEVEL_INFO, .len = strlen(text) };

	strcpy(m.text, text);
	outlet_put_message(&p->outlet, &m);
}

static void
put_record(struct place *p)
{
	const struct closerecord r = { .phase = "relay" };

	outlet_put_record(&p->outlet, &r);
}

static void
flush(struct place *p, uint64_t now)
{
	logdevice_flush(p->outlet.device, now);
}

static void
get_stuck(struct place *p, uint64_t now)
{
	flush(p, now);
	flush(p, now + STUCK_MS);
	assert_true(logdevice_is_stuck(p->outlet.device));
}

static bool
tells(struct place *p, uint64_t now, struct message *m)
{
	uint64_t lost[LOGDEVICE_KINDS];

	for (int kind = 0; kind < LOGDEVICE_KINDS; kind++)
		lost[kind] = p->before[kind] + outlet_dropped(&p->outlet,
		    (enum logdevice_kind)kind);
	memset(m, 0, sizeof(*m));
	return outlet_tells(&p->outlet, lost, now, m);
}

static void
assert_says(const struct place *p, const struct message *m, const char *wanted)
{
	char text[256];

	snprintf(text, sizeof(text), "log: %s/a?: %s", p->folder, wanted);
	assert_string_equal(m->text, text);
	assert_int_equal(m->len, strlen(text));
	assert_int_equal(m->level, LOG_LEVEL_WARN);
}

/* The n-th line of the file has that text. */
static void
assert_line(const struct place *p, unsigned n, const char *wanted)
{
	FILE *f = fopen(p->path, "r");
	char line[LOGDEVICE_LINE] = "";

	assert_non_null(f);
	for (unsigned i = 0; i <= n; i++)
		assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	assert_non_null(strstr(line, wanted));
}

static void
nothing_to_tell(void **state)
{
	struct place *p = *state;
	struct message m;

	put(p, "fine");
	flush(p, START);
	assert_false(outlet_got_stuck(&p->outlet, &m));
	assert_false(tells(p, START, &m));
	assert_line(p, 0, "fine");
}

static void
what_a_full_disk_cost(void **state)
{
	struct place *p = *state;
	struct message m;

	limit_files(0);
	put(p, "one");
	put_record(p);
	put_record(p);
	get_stuck(p, START);
	assert_true(outlet_got_stuck(&p->outlet, &m));
	assert_says(p, &m, "File too large; until it does better, lines are "
	    "dropped");
	assert_false(outlet_got_stuck(&p->outlet, &m)); /* that is known */
	p->before[LOGDEVICE_RECORDS] = 3;
	assert_false(tells(p, START + STUCK_MS + RETRY_MS, &m));
	limit_files(RLIM_INFINITY);
	assert_true(tells(p, START + STUCK_MS + 2 * RETRY_MS, &m));
	assert_says(p, &m, "1 message and 5 records dropped: File too large "
	    "for 1s");
	assert_line(p, 0, "1 message and 5 records dropped");
	assert_false(tells(p, START + 99 * TELL_MS, &m)); /* that is told */

	limit_files(0); /* it happens again */
	put(p, "two");
	get_stuck(p, START + 100 * TELL_MS);
	assert_true(outlet_got_stuck(&p->outlet, &m));
}

/* The device is fine: it only was not fast enough. */
static void
more_than_it_took(void **state)
{
	struct place *p = *state;
	struct message m;

	p->before[LOGDEVICE_RECORDS] = 1;
	assert_true(tells(p, START, &m));
	assert_says(p, &m, "1 record dropped: more came than it took");
	p->before[LOGDEVICE_RECORDS] = 3;
	assert_false(tells(p, START + TELL_MS - 1, &m)); /* not that often */
	assert_true(tells(p, START + TELL_MS, &m));
	assert_says(p, &m, "2 records dropped: more came than it took");
	p->before[LOGDEVICE_MESSAGES] = 2;
	assert_true(tells(p, START + 2 * TELL_MS, &m));
	assert_says(p, &m, "2 messages dropped: more came than it took");
}

/* What waits was said before. */
static void
lines_that_wait_come_first(void **state)
{
	struct place *p = *state;
	struct message m;

	put(p, "waits");
	p->before[LOGDEVICE_MESSAGES] = 1;
	assert_true(tells(p, START, &m));
	assert_line(p, 0, "waits");
	assert_line(p, 1, "1 message dropped");

	limit_files(0);
	put(p, "waits, too");
	p->before[LOGDEVICE_MESSAGES] = 2;
	assert_false(tells(p, START + TELL_MS, &m));
	limit_files(RLIM_INFINITY);
	flush(p, START + TELL_MS + RETRY_MS);
	assert_line(p, 2, "waits, too");
}

static void
stuck_and_nothing_lost(void **state)
{
	const uint64_t lost[LOGDEVICE_KINDS] = { 0 };
	struct place *p = *state;
	struct message m;

	limit_files(0);
	put(p, "one");
	get_stuck(p, START);
	limit_files(RLIM_INFINITY);
	assert_true(outlet_tells(&p->outlet, lost, START + 3 * STUCK_MS, &m));
	assert_says(p, &m, "nothing dropped: File too large for 3s");
}

#define ON_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_PLACE(nothing_to_tell),
		ON_PLACE(what_a_full_disk_cost),
		ON_PLACE(more_than_it_took),
		ON_PLACE(lines_that_wait_come_first),
		ON_PLACE(stuck_and_nothing_lost),
	};

	return cmocka_run_group_tests_name("outlet", tests, NULL, NULL);
}
