#include "logwriter.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

/* A log writer between two workers that never run, so that the test can play
 * them, and files. */
struct rig {
	char	       folder[32];
	char	       log[64], access[64];
	struct shared  shared;
	struct worker *workers[2];
	struct config *config;
};

static struct config *
load(const char *global)
{
	struct config_errors errors = { 0 };
	struct config *config;
	char text[512];

	snprintf(text, sizeof(text), "[global]\n%s\n[listener]\n"
	    "bind = 127.0.0.1:1\n[upstream]\nhost = 127.0.0.1\nport = 2\n",
	    global);
	config = config_load_text("proxy.ini", text, strlen(text), &errors);
	assert_non_null(config);
	config_errors_free(&errors);
	return config;
}

static int
setup(void **state)
{
	struct rig *rig = aligned_alloc(alignof(struct rig), sizeof(*rig));

	memset(rig, 0, sizeof(*rig));
	strcpy(rig->folder, "/tmp/test_logwriter.XXXXXX");
	assert_non_null(mkdtemp(rig->folder));
	snprintf(rig->log, sizeof(rig->log), "%s/log", rig->folder);
	snprintf(rig->access, sizeof(rig->access), "%s/access", rig->folder);
	rig->shared.nlisteners = rig->shared.nupstreams = 1;
	rig->shared.log_fd = eventfd(0, EFD_CLOEXEC);
	rig->shared.done_fd = -1;
	rig->shared.workers = rig->workers;
	rig->shared.nworkers = 2;
	for (unsigned i = 0; i < 2; i++)
		rig->workers[i] = worker_new(&rig->shared, i);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	logwriter_set_tap(NULL);
	assert_true(logwriter_stop());
	for (unsigned i = 0; i < 2; i++)
		worker_free(rig->workers[i]);
	close(rig->shared.log_fd);
	unlink(rig->log);
	unlink(rig->access);
	rmdir(rig->folder);
	config_free(rig->config);
	free(rig);
	return 0;
}

/* Opens with log and access_log in those files, and more keys. */
static int
open_log(struct rig *rig, const char *more)
{
	char global[256];

	snprintf(global, sizeof(global), "log = file:%s\n%s", rig->log, more);
	rig->config = load(global);
	return logwriter_open(rig->config, false);
}

static void
read_file(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	text[fread(text, 1, size - 1, f)] = '\0';
	fclose(f);
}

/* What the file has, each line from after 'mark' on. */
static void
assert_lines(const char *path, const char *mark, const char *wanted)
{
	char text[8192], found[8192] = "", *line, *rest = text;

	read_file(path, text, sizeof(text));
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		char *from = strstr(line, mark);

		assert_non_null(from);
		strcat(strcat(found, from + strlen(mark)), "\n");
	}
	assert_string_equal(found, wanted);
}

static void
make_record(struct rig *rig, unsigned worker, unsigned sequence)
{
	struct ring *ring = worker_records(rig->workers[worker]);
	struct closerecord *r = ring_reserve(ring);

	assert_non_null(r);
	memset(r, 0, sizeof(*r));
	r->time = clock_wall();
	r->id = sequence;
	strcpy(r->listener, "pg");
	r->phase = "relay";
	ring_push(ring);
}

static void
before_the_thread_lines_are_written_at_once(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(open_log(rig, ""), 0);
	log_info("one");
	assert_lines(rig->log, "level=", "info msg=\"one\"\n");
	log_info("two");
	assert_lines(rig->log, "level=", "info msg=\"one\"\ninfo msg=\"two\"\n");
}

static void
then_by_the_thread(void **state)
{
	struct rig *rig = *state;

	char wanted[1024] = "", line[16];

	open_log(rig, "");
	assert_int_equal(logwriter_start(&rig->shared), 0);
	assert_true(rig->shared.records_wanted);
	for (int i = 0; i < 100; i++) {
		log_info("%d", i);
		snprintf(line, sizeof(line), "\"%d\"\n", i);
		strcat(wanted, line);
	}
	assert_true(logwriter_stop());
	assert_lines(rig->log, "msg=", wanted);
}

/* As they came: that sessions are ended, their records, the last word. */
static void
records_and_messages_in_the_order_of_time(void **state)
{
	struct rig *rig = *state;

	open_log(rig, "log_format = json");
	log_info("begin");
	for (unsigned i = 1; i < 5; i++)
		make_record(rig, i % 2, i);
	assert_int_equal(logwriter_start(&rig->shared), 0);
	log_info("end");
	assert_true(logwriter_stop());
	assert_lines(rig->log, "Z\",\"", "level\":\"info\",\"msg\":\"begin\"}\n"
#define REST ",\"event\":\"end\",\"listener\":\"pg\",\"client\":\"unknown\"," \
	"\"phase\":\"relay\",\"closed_by\":\"client\",\"how\":\"fin\"," \
	"\"bytes_to_upstream\":0,\"bytes_to_client\":0,\"attempts\":0," \
	"\"queue_ms\":0,\"connect_ms\":0,\"first_byte_ms\":0,\"total_ms\":0," \
	"\"client_rtt_us\":0,\"client_retransmits\":0,\"upstream_rtt_us\":0," \
	"\"upstream_retransmits\":0}\n"
	    "id\":\"0000-0-2\"" REST "id\":\"0000-0-4\"" REST
	    "id\":\"0000-0-1\"" REST "id\":\"0000-0-3\"" REST
	    "level\":\"info\",\"msg\":\"end\"}\n");
}

static void
an_access_log_of_its_own(void **state)
{
	struct rig *rig = *state;
	char more[96], text[1024];

	snprintf(more, sizeof(more), "access_log = file:%s", rig->access);
	open_log(rig, more);
	logwriter_start(&rig->shared);
	log_info("one");
	make_record(rig, 0, 1);
	logwriter_stop();
	assert_lines(rig->log, "msg=", "\"one\"\n");
	read_file(rig->access, text, sizeof(text));
	assert_non_null(strstr(text, " id=0000-0-1 event=end "));
}

/* What names the same file is one device: its lines are not torn apart. */
static void
one_file_is_one_device(void **state)
{
	struct rig *rig = *state;
	char more[96], text[4096];

	snprintf(more, sizeof(more), "access_log = file:%s", rig->log);
	open_log(rig, more);
	make_record(rig, 0, 1);
	logwriter_start(&rig->shared);
	log_info("one");
	logwriter_stop();
	read_file(rig->log, text, sizeof(text));
	assert_true(strstr(text, "id=0000-0-1") < strstr(text, "msg=\"one\""));
}

static void
renamed(void **state)
{
	struct rig *rig = *state;

	open_log(rig, "");
	log_info("one");
	rename(rig->log, rig->access);
	log_info("two");
	logwriter_reopen();
	log_info("three");
	assert_lines(rig->access, "msg=", "\"one\"\n\"two\"\n");
	assert_lines(rig->log, "msg=", "\"three\"\n");
	logwriter_start(&rig->shared);
	rename(rig->log, rig->access);
	logwriter_reopen();
	logwriter_stop();
	assert_lines(rig->log, "msg=", "");
}

static void
a_file_that_cannot_be_opened_ends_the_start(void **state)
{
	struct rig *rig = *state;

	mkdir(rig->access, 0700);
	rig->config = load("log = file:/nowhere/at/all");
	assert_int_equal(logwriter_open(rig->config, false), -ENOENT);
	config_free(rig->config);
	assert_int_equal(open_log(rig, "access_log = file:/nowhere/at/all"),
	    -ENOENT);
	rmdir(rig->access);
}

/* --- another configuration */

/* The records of one worker that has more than there is room for. */
static void
make_too_many_records(struct rig *rig, unsigned room, unsigned more)
{
	struct ring *ring = worker_records(rig->workers[0]);

	for (unsigned i = 0; i < room; i++)
		make_record(rig, 0, i);
	for (unsigned i = 0; i < more; i++)
		assert_null(ring_reserve(ring));
}

static void
go_on_with(struct rig *rig, const char *global)
{
	struct config *config = load(global);
	struct logplan *plan;
	char why[LOGPLAN_WHY];

	assert_int_equal(logwriter_prepare(rig->config, config, &plan, why), 0);
	assert_non_null(plan);
	logwriter_commit(plan);
	config_free(rig->config);
	rig->config = config;
}

/* What the lines of both files say of losses. */
static void
read_losses(const struct rig *rig, char *found)
{
	const char *const paths[] = { rig->log, rig->access };
	static char text[1 << 20];

	found[0] = '\0';
	for (size_t i = 0; i < 2; i++) {
		char *line, *rest = text, *at;

		read_file(paths[i], text, sizeof(text));
		while ((line = strsep(&rest, "\n")) != NULL)
			if (strstr(line, "dropped") != NULL &&
			    (at = strrchr(line, '/')) != NULL)
				strcat(strcat(found, at), "\n");
	}
}

/* Where the records go from then on nothing is lost yet, and where they went
 * nothing is found again. */
static void
a_loss_is_told_once(void **state)
{
	struct rig *rig = *state;
	char there[128], both[192], found[4096];

	snprintf(there, sizeof(there), "log = file:%s", rig->log);
	snprintf(both, sizeof(both), "%s\naccess_log = file:%s", there,
	    rig->access);
	open_log(rig, "");
	make_too_many_records(rig, 1024, 3);
	assert_int_equal(logwriter_start(&rig->shared), 0);
	log_info("one");
	go_on_with(rig, both);
	log_info("two");
	go_on_with(rig, there);
	assert_true(logwriter_stop());
	read_losses(rig, found);
	assert_string_equal(found, "/log: 3 records dropped: more came than it "
	    "took\"\n");
}

/* --- a tap */

static atomic_uint tapped;
static char	   tapped_text[4096];

static void
tap(enum log_format format, const char *line, size_t len)
{
	strcat(tapped_text, format == LOG_FORMAT_JSON ? "json " : "text ");
	strncat(tapped_text, line, len);
	strcat(tapped_text, "\n");
	atomic_fetch_add(&tapped, 1);
}

static void
wait_for_tapped(unsigned count)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i < 10000 && atomic_load(&tapped) < count; i++)
		nanosleep(&pause, NULL);
	assert_int_equal(atomic_load(&tapped), count);
}

/* Also with the access log off, and whatever the format. */
static void
a_tap_hears_everything(void **state)
{
	struct rig *rig = *state;
	char text[1024];

	atomic_store(&tapped, 0);
	tapped_text[0] = '\0';
	open_log(rig, "access_log = off");
	log_info("before");
	logwriter_start(&rig->shared);
	logwriter_ready();
	assert_false(rig->shared.records_wanted);
	logwriter_set_tap(tap);
	assert_true(rig->shared.records_wanted);
	make_record(rig, 1, 7);
	log_warn(-EACCES, "with a \"quote\"");
	wait_for_tapped(4); /* each as text and as JSON */
	logwriter_set_tap(NULL);
	assert_false(rig->shared.records_wanted);
	logwriter_stop();
	assert_non_null(strstr(tapped_text, " id=0000-0-7 event="));
	assert_non_null(strstr(tapped_text, "\"id\":\"0000-0-7\",\"event\":"));
	assert_non_null(strstr(tapped_text, " level=warn msg=\"with a "
	    "\\\"quote\\\": Permission denied\"\n"));
	assert_non_null(strstr(tapped_text, "\"level\":\"warn\",\"msg\":"
	    "\"with a \\\"quote\\\": Permission denied\"}\n"));
	read_file(rig->log, text, sizeof(text));
	assert_null(strstr(text, "event="));
}

static void
timed_out(int number)
{
	static const char text[] = "it waits for stderr\n";

	(void)number;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) > 0)
		_exit(1);
}

/* At the very end signals are blocked, too: nothing would end a daemon whose
 * stderr nobody reads. */
static void
afterwards_nobody_waits_for_stderr(void **state)
{
	struct rig *rig = *state;
	int fds[2], saved = dup(STDERR_FILENO), n = 0;
	char text[64] = "";

	rig->config = load("log = stderr");
	logwriter_open(rig->config, false);
	logwriter_start(&rig->shared);
	assert_true(logwriter_stop());
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	dup2(fds[1], STDERR_FILENO);
	log_warn(0, "one");
	assert_true(read(fds[0], text, sizeof(text)) > 0);
	assert_string_equal(text, "warning: one\n");
	while (write(fds[1], text, sizeof(text)) > 0)
		n++;
	fcntl(fds[1], F_SETFL, 0);
	signal(SIGALRM, timed_out);
	alarm(5);
	log_warn(0, "two");
	alarm(0);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[0]);
	close(fds[1]);
	assert_true(n > 0);
}

#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(before_the_thread_lines_are_written_at_once),
		ON_RIG(then_by_the_thread),
		ON_RIG(records_and_messages_in_the_order_of_time),
		ON_RIG(an_access_log_of_its_own),
		ON_RIG(one_file_is_one_device),
		ON_RIG(renamed),
		ON_RIG(a_file_that_cannot_be_opened_ends_the_start),
		ON_RIG(a_loss_is_told_once),
		ON_RIG(a_tap_hears_everything),
		ON_RIG(afterwards_nobody_waits_for_stderr),
	};

	return cmocka_run_group_tests_name("logwriter", tests, NULL, NULL);
}
