#include "logdevice.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../skip.h"

#define STUCK_MS 1000
#define RETRY_MS 250

struct place {
	char		  folder[32];
	char		  path[64]; /* of the log */
	char		  other[64];
	struct logdevice *device;
	uint64_t	  now;
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->folder, "/tmp/test_logdevice.XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/log", p->folder);
	snprintf(p->other, sizeof(p->other), "%s/log.1", p->folder);
	p->now = 5000;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	logdevice_close(p->device);
	unlink(p->path);
	unlink(p->other);
	rmdir(p->folder);
	free(p);
	return 0;
}

static int
open_at(struct place *p)
{
	const struct log_target target = { LOG_TO_FILE, p->path };

	return logdevice_open(&p->device, &target);
}

static void
put(struct place *p, enum logdevice_kind kind, const char *line)
{
	logdevice_put(p->device, kind, line, strlen(line));
}

static bool
flush(struct place *p)
{
	return logdevice_flush(p->device, p->now);
}

static void
assert_file(const char *path, const char *wanted)
{
	char text[4096] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(text, wanted);
}

static void
assert_dropped(struct place *p, uint64_t messages, uint64_t records)
{
	assert_int_equal(logdevice_dropped(p->device, LOGDEVICE_MESSAGES),
	    messages);
	assert_int_equal(logdevice_dropped(p->device, LOGDEVICE_RECORDS),
	    records);
}

/* Files of this process end there; partly written is what fits. */
static void
limit_files(rlim_t size)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Until the device counts as stuck. */
static void
get_stuck(struct place *p)
{
	flush(p);
	assert_false(logdevice_is_stuck(p->device));
	assert_true(logdevice_since(p->device) == p->now);
	p->now += STUCK_MS;
	flush(p);
	assert_true(logdevice_is_stuck(p->device));
}

static void
a_file_is_made_and_appended_to(void **state)
{
	struct place *p = *state;
	struct stat st;
	mode_t old = umask(0);

	assert_int_equal(open_at(p), 0);
	umask(old);
	stat(p->path, &st);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(logdevice_style(p->device), LOGDEVICE_FILE);
	assert_string_equal(logdevice_name(p->device), p->path);
	put(p, LOGDEVICE_MESSAGES, "one");
	put(p, LOGDEVICE_RECORDS, "two");
	assert_file(p->path, "");
	assert_true(logdevice_waits(p->device));
	assert_true(flush(p));
	assert_false(flush(p));
	assert_false(logdevice_waits(p->device));
	assert_file(p->path, "one\ntwo\n");
	logdevice_close(p->device);
	assert_int_equal(open_at(p), 0);
	put(p, LOGDEVICE_MESSAGES, "three");
	flush(p);
	assert_file(p->path, "one\ntwo\nthree\n");
	assert_dropped(p, 0, 0);
}

static void
what_cannot_be_opened(void **state)
{
	struct place *p = *state;

	rmdir(p->folder);
	assert_int_equal(open_at(p), -ENOENT);
	mkdir(p->folder, 0700);
	mkdir(p->path, 0700);
	assert_int_equal(open_at(p), -EISDIR);
	rmdir(p->path);
	mkfifo(p->path, 0600);
	assert_int_equal(open_at(p), -ENXIO); /* at once, without a reader */
	assert_null(p->device);
}

static void
a_file_that_was_renamed(void **state)
{
	struct place *p = *state;

	open_at(p);
	put(p, LOGDEVICE_RECORDS, "one");
	flush(p);
	rename(p->path, p->other);
	put(p, LOGDEVICE_RECORDS, "two");
	flush(p);
	assert_int_equal(logdevice_reopen(p->device), 0);
	put(p, LOGDEVICE_RECORDS, "three");
	flush(p);
	assert_file(p->other, "one\ntwo\n");
	assert_file(p->path, "three\n");
}

static void
a_file_that_cannot_be_opened_anew(void **state)
{
	struct place *p = *state;

	open_at(p);
	rename(p->path, p->other);
	mkdir(p->path, 0700);
	assert_int_equal(logdevice_reopen(p->device), -EISDIR);
	put(p, LOGDEVICE_RECORDS, "one");
	flush(p);
	assert_file(p->other, "one\n");
	rmdir(p->path);
}

/* Who owns the folder of a log must not choose what root writes to. */
static void
a_link_of_somebody_else(void **state)
{
	struct place *p = *state;

	if (getuid() != 0)
		SKIP("needs root");
	assert_int_equal(symlink(p->other, p->path), 0);
	assert_int_equal(open_at(p), 0); /* root's own is fine */
	assert_int_equal(unlink(p->other), 0);
	logdevice_close(p->device);
	p->device = NULL;
	assert_int_equal(lchown(p->path, 12, 34), 0);
	assert_int_equal(open_at(p), -EACCES);
	assert_int_equal(access(p->other, F_OK), -1);
	close(open(p->other, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(open_at(p), -EACCES);
}

/* Only a file of our own making: in a folder of somebody else's, another could
 * be anything. */
static void
only_what_we_made_is_given_away(void **state)
{
	struct place *p = *state;
	struct stat st;

	if (getuid() != 0)
		SKIP("needs root");
	open_at(p);
	assert_int_equal(logdevice_give(p->device, 12, 34), 0);
	stat(p->path, &st);
	assert_int_equal(st.st_uid, 12);
	assert_int_equal(st.st_gid, 34);
	logdevice_close(p->device);
	assert_int_equal(chown(p->path, 0, 0), 0);
	open_at(p);
	assert_int_equal(logdevice_give(p->device, 12, 34), 0);
	stat(p->path, &st);
	assert_int_equal(st.st_uid, 0);
}

/* Catalogue 96: a full disk takes half a line; what comes after it begins a
 * line of its own. */
static void
a_full_disk(void **state)
{
	struct place *p = *state;

	open_at(p);
	limit_files(10);
	put(p, LOGDEVICE_RECORDS, "first");
	put(p, LOGDEVICE_RECORDS, "second");
	put(p, LOGDEVICE_MESSAGES, "third");
	get_stuck(p);
	assert_int_equal(logdevice_error(p->device), EFBIG);
	assert_int_equal(logdevice_poll_fd(p->device), -1);
	assert_file(p->path, "first\nseco");
	assert_dropped(p, 1, 1);
	assert_true(logdevice_room(p->device));
	put(p, LOGDEVICE_RECORDS, "fourth");
	assert_dropped(p, 1, 2);
	assert_false(logdevice_waits(p->device));
	assert_false(logdevice_may_retry(p->device, p->now));
	p->now += RETRY_MS;
	assert_true(logdevice_may_retry(p->device, p->now));
	assert_false(logdevice_try(p->device, "notice", 6, p->now));
	assert_true(logdevice_is_stuck(p->device));
	assert_int_equal(logdevice_since(p->device), 5000);
	assert_false(logdevice_may_retry(p->device, p->now));
	assert_dropped(p, 1, 2);
	limit_files(RLIM_INFINITY);
	p->now += RETRY_MS;
	assert_true(logdevice_try(p->device, "notice", 6, p->now));
	assert_false(logdevice_is_stuck(p->device));
	assert_int_equal(logdevice_since(p->device), 0);
	put(p, LOGDEVICE_RECORDS, "fifth");
	flush(p);
	assert_file(p->path, "first\nseco\nnotice\nfifth\n");
	assert_dropped(p, 1, 2);
}

/* The notice may be torn as well, or just its newline be written. */
static void
a_disk_that_is_full_again(void **state)
{
	struct place *p = *state;

	open_at(p);
	for (rlim_t limit = 2; limit < 9; limit++) {
		limit_files(limit);
		if (limit == 2) {
			put(p, LOGDEVICE_RECORDS, "first");
			get_stuck(p);
		}
		p->now += RETRY_MS;
		assert_false(logdevice_try(p->device, "no", 2, p->now));
	}
	assert_file(p->path, "fi\nn\nn\nn");
	limit_files(RLIM_INFINITY);
	p->now += RETRY_MS;
	assert_true(logdevice_try(p->device, "no", 2, p->now));
	assert_file(p->path, "fi\nn\nn\nn\nno\n");
	assert_dropped(p, 0, 1);
}

/* A short lack of space costs nothing. */
static void
a_disk_that_has_space_in_time(void **state)
{
	struct place *p = *state;

	open_at(p);
	limit_files(8);
	put(p, LOGDEVICE_RECORDS, "first");
	put(p, LOGDEVICE_RECORDS, "second");
	flush(p);
	limit_files(RLIM_INFINITY);
	p->now += RETRY_MS - 1;
	assert_false(flush(p)); /* not asked that often */
	p->now++;
	assert_true(flush(p));
	assert_file(p->path, "first\nsecond\n");
	assert_int_equal(logdevice_since(p->device), 0);
	assert_dropped(p, 0, 0);
}

/* No half line at the beginning of a new file. */
static void
opened_anew_on_a_full_disk(void **state)
{
	struct place *p = *state;

	open_at(p);
	limit_files(8);
	put(p, LOGDEVICE_RECORDS, "first");
	put(p, LOGDEVICE_RECORDS, "second");
	put(p, LOGDEVICE_RECORDS, "third");
	flush(p);
	rename(p->path, p->other);
	limit_files(RLIM_INFINITY);
	assert_int_equal(logdevice_reopen(p->device), 0);
	flush(p);
	assert_file(p->other, "first\nse");
	assert_file(p->path, "third\n");
	assert_dropped(p, 0, 1);
}

/* The same file: the line's other half follows, and at once. */
static void
opened_anew_where_it_was(void **state)
{
	struct place *p = *state;

	open_at(p);
	limit_files(8);
	put(p, LOGDEVICE_RECORDS, "first");
	put(p, LOGDEVICE_RECORDS, "second");
	flush(p);
	limit_files(RLIM_INFINITY);
	assert_int_equal(logdevice_reopen(p->device), 0);
	assert_true(flush(p));
	assert_file(p->path, "first\nsecond\n");
	assert_dropped(p, 0, 0);
}

static int
lowest_free_fd(void)
{
	int fd = dup(STDOUT_FILENO);

	close(fd);
	return fd;
}

static void
opened_anew_often(void **state)
{
	struct place *p = *state;
	int before;

	open_at(p);
	before = lowest_free_fd();
	for (int i = 0; i < 10; i++) {
		rename(p->path, p->other);
		assert_int_equal(logdevice_reopen(p->device), 0);
	}
	assert_true(lowest_free_fd() <= before);
}

/* What kind each line is of is known up to the last one that fits. */
static void
the_kinds_of_a_full_buffer(void **state)
{
	struct place *p = *state;
	unsigned n = 0;

	open_at(p);
	limit_files(0);
	put(p, LOGDEVICE_RECORDS, "");
	for (; logdevice_room(p->device); n++)
		put(p, LOGDEVICE_MESSAGES, "");
	get_stuck(p);
	assert_dropped(p, n, 1);
	limit_files(RLIM_INFINITY);
}

static void
opened_anew_when_stuck(void **state)
{
	struct place *p = *state;

	open_at(p);
	limit_files(2);
	put(p, LOGDEVICE_RECORDS, "first");
	get_stuck(p);
	rename(p->path, p->other);
	limit_files(RLIM_INFINITY);
	assert_int_equal(logdevice_reopen(p->device), 0);
	assert_true(logdevice_may_retry(p->device, p->now));
	assert_true(logdevice_try(p->device, "notice", 6, p->now));
	assert_file(p->other, "fi");
	assert_file(p->path, "notice\n");
	assert_dropped(p, 0, 1);
}

/* Fills the device until it has no room for more; returns how many lines. */
static unsigned
fill(struct place *p, const char *line)
{
	unsigned n = 0;

	while (flush(p), logdevice_room(p->device)) {
		put(p, n % 3 == 0 ? LOGDEVICE_MESSAGES : LOGDEVICE_RECORDS,
		    line);
		n++;
	}
	return n;
}

static int
open_fifo(struct place *p)
{
	int fd;

	mkfifo(p->path, 0600);
	fd = open(p->path, O_RDONLY | O_NONBLOCK);
	assert_int_equal(open_at(p), 0);
	return fd;
}

/* Reads what is there; all of it is whole lines.  Returns how many. */
static unsigned
read_lines(int fd, const char *line)
{
	size_t len = strlen(line), have = 0;
	char text[8192];
	unsigned n = 0;
	ssize_t got;

	while ((got = read(fd, text + have, sizeof(text) - have)) > 0) {
		have += (size_t)got;
		while (have > len) {
			assert_memory_equal(text, line, len);
			assert_int_equal(text[len], '\n');
			have -= len + 1;
			memmove(text, text + len + 1, have);
			n++;
		}
	}
	assert_int_equal(have, 0);
	return n;
}

/* Catalogue 96: a reader that stopped. */
static void
a_stopped_reader(void **state)
{
	struct place *p = *state;
	char line[301];
	int fd = open_fifo(p);
	unsigned n, got;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	n = fill(p, line);
	assert_false(logdevice_is_stuck(p->device));
	assert_true(logdevice_poll_fd(p->device) >= 0);
	p->now += STUCK_MS;
	assert_false(flush(p));
	assert_true(logdevice_is_stuck(p->device));
	assert_int_equal(logdevice_error(p->device), 0);
	assert_false(logdevice_may_retry(p->device, p->now));
	put(p, LOGDEVICE_RECORDS, line);
	n++;
	got = read_lines(fd, line);
	assert_int_equal(got + logdevice_dropped(p->device,
	    LOGDEVICE_MESSAGES) + logdevice_dropped(p->device,
	    LOGDEVICE_RECORDS), n);
	/* a third of them, rounded either way, from where it began */
	assert_in_range(logdevice_dropped(p->device, LOGDEVICE_MESSAGES),
	    (n - got) / 3 - 1, (n - got) / 3 + 1);
	assert_true(logdevice_may_retry(p->device, p->now));
	assert_true(logdevice_try(p->device, line, 300, p->now));
	assert_int_equal(read_lines(fd, line), 1);
	close(fd);
}

/* One that is slow, but reads, loses nothing. */
static void
a_slow_reader(void **state)
{
	struct place *p = *state;
	const char *line = "0123456789012345678901234567890123456789";
	int fd = open_fifo(p);
	unsigned n = 0, got = 0;

	for (int i = 0; i < 20; i++) {
		n += fill(p, line);
		p->now += STUCK_MS - 1;
		got += read_lines(fd, line);
	}
	while (flush(p))
		got += read_lines(fd, line);
	assert_int_equal(got, n);
	assert_dropped(p, 0, 0);
	close(fd);
}

/* --- a reader that hears what it wants to */

#define HEARD_MOST (8 << 20)

struct reader {
	int    fd;
	char  *text;
	size_t len;
};

static void
reader_open(struct reader *r, int fd)
{
	*r = (struct reader){ fd, malloc(HEARD_MOST), 0 };
	assert_non_null(r->text);
}

static void
reader_close(struct reader *r)
{
	close(r->fd);
	free(r->text);
}

static void
hear(struct reader *r, size_t most)
{
	ssize_t got;

	while (most > 0 && (got = read(r->fd, r->text + r->len, most)) > 0) {
		r->len += (size_t)got;
		most -= (size_t)got;
		assert_true(r->len < HEARD_MOST / 2);
	}
}

/* All there is, and that ends with a line. */
static void
hear_lines(struct reader *r)
{
	hear(r, HEARD_MOST / 2);
	assert_true(r->len == 0 || r->text[r->len - 1] == '\n');
}

/* The n-th line, of a length of its own. */
static size_t
numbered(char *line, unsigned n)
{
	size_t len = 8 + n * 37 % 900;

	memset(line, 'x', len);
	snprintf(line, len, "%u ", n);
	line[strlen(line)] = 'x';
	return len;
}

/* Puts lines until there is no room, and counts on. */
static void
put_numbered(struct place *p, unsigned *n)
{
	char line[1024];

	while (logdevice_room(p->device)) {
		size_t len = numbered(line, *n);

		logdevice_put(p->device, LOGDEVICE_RECORDS, line, len);
		++*n;
	}
}

static void
assert_heard(const struct reader *r, unsigned n)
{
	char line[1024];
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		size_t len = numbered(line, i);

		assert_true(at + len < r->len);
		assert_memory_equal(r->text + at, line, len);
		assert_int_equal(r->text[at + len], '\n');
		at += len + 1;
	}
	assert_int_equal(at, r->len);
}

/* However much waits and however little is taken, no line is torn while the
 * pipe is full, and none is lost or out of its place. */
static void
a_reader_that_takes_some(void **state)
{
	struct place *p = *state;
	struct reader r;
	unsigned n = 0;

	reader_open(&r, open_fifo(p));
	for (unsigned i = 0; i < 50; i++) {
		put_numbered(p, &n);
		flush(p);
		if (i % 7 == 6)
			hear_lines(&r);
		else
			hear(&r, i % 7 * 3001);
	}
	while (logdevice_waits(p->device)) {
		flush(p);
		hear_lines(&r);
	}
	hear_lines(&r);
	assert_heard(&r, n);
	assert_dropped(p, 0, 0);
	reader_close(&r);
}

/* It was a file before: a pipe takes whole lines. */
static void
a_pipe_in_the_files_place(void **state)
{
	struct place *p = *state;
	struct reader r;
	unsigned n = 0;

	open_at(p);
	rename(p->path, p->other);
	mkfifo(p->path, 0600);
	reader_open(&r, open(p->path, O_RDONLY | O_NONBLOCK));
	assert_int_equal(logdevice_reopen(p->device), 0);
	for (int i = 0; i < 3; i++) {
		put_numbered(p, &n);
		flush(p);
	}
	hear_lines(&r);
	reader_close(&r);
}

/* The buffer's last byte is one; what would be behind it is not. */
static void
full_to_the_last_byte(void **state)
{
	struct place *p = *state;
	char line[LOGDEVICE_LINE];
	int fd = open_fifo(p);

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (int i = 0; i < 2; i++) {
		while (logdevice_room(p->device))
			put(p, LOGDEVICE_RECORDS, line);
		flush(p);
	}
	assert_true(logdevice_waits(p->device));
	put(p, LOGDEVICE_RECORDS, "");
	assert_true(logdevice_room(p->device));
	put(p, LOGDEVICE_RECORDS, line);
	assert_dropped(p, 0, 0);
	close(fd);
}

static void
a_reader_that_left(void **state)
{
	struct place *p = *state;
	int fd = open_fifo(p);

	close(fd);
	put(p, LOGDEVICE_RECORDS, "one");
	get_stuck(p);
	assert_int_equal(logdevice_error(p->device), EPIPE);
	assert_int_equal(logdevice_poll_fd(p->device), -1);
	assert_dropped(p, 0, 1);
	fd = open(p->path, O_RDONLY | O_NONBLOCK);
	assert_false(logdevice_may_retry(p->device, p->now));
	p->now += RETRY_MS;
	assert_true(logdevice_try(p->device, "notice", 6, p->now));
	assert_int_equal(read_lines(fd, "notice"), 1);
	close(fd);
}

/* --- stderr */

static void
open_stderr(struct place *p, int fd)
{
	const struct log_target target = { .to = LOG_TO_STDERR };
	int saved = dup(STDERR_FILENO);

	dup2(fd, STDERR_FILENO);
	assert_int_equal(logdevice_open(&p->device, &target), 0);
	dup2(saved, STDERR_FILENO);
	close(saved);
}

/* Whoever else has the pipe may not expect that it does not block. */
static void
stderr_stays_as_it_is(void **state)
{
	struct place *p = *state;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	open_stderr(p, fds[1]);
	assert_int_equal(logdevice_style(p->device), LOGDEVICE_PLAIN);
	assert_string_equal(logdevice_name(p->device), "stderr");
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	fill(p, "x");
	assert_true(read_lines(fds[0], "x") > 1000);
	assert_int_equal(logdevice_reopen(p->device), 0);
	close(fds[0]);
	close(fds[1]);
}

/* One that cannot be opened once more, and must not be waited for either. */
static void
stderr_is_a_socket(void **state)
{
	struct place *p = *state;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	open_stderr(p, fds[1]);
	fill(p, "x");
	assert_true(logdevice_poll_fd(p->device) >= 0);
	assert_true(read_lines(fds[0], "x") > 10);
	close(fds[0]);
	close(fds[1]);
}

/* Others append to the same file by the same descriptor. */
static void
stderr_is_a_file(void **state)
{
	struct place *p = *state;
	int fd = open(p->path, O_WRONLY | O_CREAT, 0600);

	open_stderr(p, fd);
	assert_int_equal(write(fd, "one\n", 4), 4);
	put(p, LOGDEVICE_MESSAGES, "two");
	flush(p);
	assert_int_equal(write(fd, "three\n", 6), 6);
	assert_file(p->path, "one\ntwo\nthree\n");
	close(fd);
}

static void
set_journal(int fd, int more)
{
	struct stat st;
	char text[64];

	fstat(fd, &st);
	snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino + (uintmax_t)more);
	setenv("JOURNAL_STREAM", text, 1);
}

static void
stderr_is_the_journal(void **state)
{
	struct place *p = *state;
	int fd = open(p->path, O_WRONLY | O_CREAT, 0600);

	set_journal(fd, 0);
	open_stderr(p, fd);
	assert_int_equal(logdevice_style(p->device), LOGDEVICE_JOURNAL);
	logdevice_close(p->device);
	set_journal(fd, 1); /* redirected since */
	open_stderr(p, fd);
	assert_int_equal(logdevice_style(p->device), LOGDEVICE_PLAIN);
	unsetenv("JOURNAL_STREAM");
	close(fd);
}

#define ON_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_PLACE(a_file_is_made_and_appended_to),
		ON_PLACE(what_cannot_be_opened),
		ON_PLACE(a_file_that_was_renamed),
		ON_PLACE(a_file_that_cannot_be_opened_anew),
		ON_PLACE(a_link_of_somebody_else),
		ON_PLACE(only_what_we_made_is_given_away),
		ON_PLACE(a_full_disk),
		ON_PLACE(a_disk_that_is_full_again),
		ON_PLACE(a_disk_that_has_space_in_time),
		ON_PLACE(opened_anew_on_a_full_disk),
		ON_PLACE(opened_anew_where_it_was),
		ON_PLACE(opened_anew_often),
		ON_PLACE(the_kinds_of_a_full_buffer),
		ON_PLACE(opened_anew_when_stuck),
		ON_PLACE(a_stopped_reader),
		ON_PLACE(a_slow_reader),
		ON_PLACE(a_reader_that_takes_some),
		ON_PLACE(a_pipe_in_the_files_place),
		ON_PLACE(full_to_the_last_byte),
		ON_PLACE(a_reader_that_left),
		ON_PLACE(stderr_stays_as_it_is),
		ON_PLACE(stderr_is_a_socket),
		ON_PLACE(stderr_is_a_file),
		ON_PLACE(stderr_is_the_journal),
	};

	return cmocka_run_group_tests_name("logdevice", tests, NULL, NULL);
}
