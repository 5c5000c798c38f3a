#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"

static char logged[LOG_LINE];

static void
keep_line(enum log_level level, const char *line, size_t len)
{
	(void)level;
	snprintf(logged, sizeof(logged), "%.*s", (int)len, line);
}

static int
log_to_us(void **state)
{
	(void)state;
	logged[0] = '\0';
	log_set_sink(keep_line);
	return 0;
}

static int
log_to_stderr(void **state)
{
	(void)state;
	log_set_sink(NULL);
	return unsetenv("NOTIFY_SOCKET");
}

/* A service manager: who is named so, and reads later. */
static int
manager(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct addr addr;

	assert_true(fd >= 0);
	assert_int_equal(addr_from_path(&addr, path), 0);
	assert_int_equal(bind(fd, &addr.sa, addr.len), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
	return fd;
}

static void
assert_heard(int fd, const char *wanted)
{
	char text[1024];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, wanted);
}

static void
assert_heard_all(int fd)
{
	notify_ready("2 workers");
	assert_heard(fd, "READY=1\nSTATUS=2 workers");
	notify_status("draining, 3 sessions");
	assert_heard(fd, "STATUS=draining, 3 sessions");
	notify_alive();
	assert_heard(fd, "WATCHDOG=1");
	notify_stopping();
	assert_heard(fd, "STOPPING=1");
	assert_int_equal(recv(fd, NULL, 0, 0), -1);
	assert_int_equal(errno, EAGAIN);
	assert_string_equal(logged, "");
}

static void
speaks_to_a_path(void **state)
{
	char folder[] = "/tmp/notify-XXXXXX", path[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	fd = manager(path);
	assert_heard_all(fd);
	assert_string_equal(getenv("NOTIFY_SOCKET"), path);
	close(fd);
	unlink(path);
	rmdir(folder);
}

static void
speaks_to_an_abstract_name(void **state)
{
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@notify-test/%d", (int)getpid());
	fd = manager(name);
	assert_heard_all(fd);
	close(fd);
}

/* A manager compares it with its own clock: it knows no other answer by it. */
static void
says_when_it_reloads(void **state)
{
	char name[64], text[256];
	uint64_t before = clock_us(), said;
	ssize_t n;
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@notify-test/%d", (int)getpid());
	fd = manager(name);
	notify_reloading();
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%" SCNu64,
	    &said), 1);
	assert_true(said >= before && said <= clock_us());
	close(fd);
}

/* One that came with a message, or -1. */
static int
received_fd(int fd, char *text, size_t size)
{
	char space[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov = { text, size - 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = space, .msg_controllen = sizeof(space) };
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int got = -1;

	assert_true(n > 0);
	text[n] = '\0';
	if (head != NULL)
		memcpy(&got, CMSG_DATA(head), sizeof(got));
	return got;
}

static void
hands_descriptors_over(void **state)
{
	char name[64], text[64], byte = 0;
	int fd, got, fds[2];

	(void)state;
	snprintf(name, sizeof(name), "@notify-test/%d", (int)getpid());
	fd = manager(name);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(notify_fds("FDSTORE=1\nFDNAME=a", &fds[1], 1), 0);
	got = received_fd(fd, text, sizeof(text));
	assert_string_equal(text, "FDSTORE=1\nFDNAME=a");
	assert_int_equal(write(got, "x", 1), 1);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(notify_fds("FDSTOREREMOVE=1\nFDNAME=a", NULL, 0), 0);
	assert_int_equal(received_fd(fd, text, sizeof(text)), -1);
	assert_string_equal(text, "FDSTOREREMOVE=1\nFDNAME=a");
	close(got);
	close(fds[0]);
	close(fds[1]);
	close(fd);
}

static void *
close_what_comes(void *arg)
{
	struct pollfd comes = { *(int *)arg, POLLIN, 0 };
	char text[64];

	assert_int_equal(poll(&comes, 1, 10000), 1);
	close(received_fd(*(int *)arg, text, sizeof(text)));
	assert_string_equal(text, "BARRIER=1");
	return NULL;
}

static void
a_barrier_waits_for_the_manager(void **state)
{
	pthread_t thread;
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@notify-test/%d", (int)getpid());
	fd = manager(name);
	assert_int_equal(notify_barrier(50), -ETIMEDOUT);
	close_what_comes(&fd);
	assert_int_equal(pthread_create(&thread, NULL, close_what_comes, &fd),
	    0);
	assert_int_equal(notify_barrier(10000), 0);
	pthread_join(thread, NULL);
	close(fd);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_barrier(10000), 0);
}

static void
is_quiet_without_a_manager(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_ready("fine");
	notify_stopping();
	setenv("NOTIFY_SOCKET", "", 1);
	notify_status("fine");
	assert_string_equal(logged, "");
}

static void
a_long_status_is_cut(void **state)
{
	char name[64], status[2000], text[2000];
	ssize_t n;
	int fd;

	(void)state;
	memset(status, 'x', sizeof(status) - 1);
	status[sizeof(status) - 1] = '\0';
	snprintf(name, sizeof(name), "@notify-test/%d", (int)getpid());
	fd = manager(name);
	notify_ready(status);
	n = recv(fd, text, sizeof(text), 0);
	assert_true(n > 100 && n < 1000);
	assert_memory_equal(text, "READY=1\nSTATUS=xxxxx", 20);
	for (ssize_t i = 20; i < n; i++)
		assert_int_equal(text[i], 'x');
	close(fd);
}

static void
assert_fails(const char *socket, int error)
{
	char wanted[LOG_LINE];

	setenv("NOTIFY_SOCKET", socket, 1);
	logged[0] = '\0';
	notify_stopping();
	snprintf(wanted, sizeof(wanted),
	    "cannot notify the service manager: %s", strerror(error));
	assert_non_null(strstr(logged, wanted));
}

static void
says_that_nobody_hears(void **state)
{
	char path[300];

	(void)state;
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_fails("/nobody/is/here", ENOENT);
	assert_fails("@notify-test/nobody", ECONNREFUSED);
	assert_fails(path, ENAMETOOLONG);
	assert_fails("vsock:2:1234", EPROTONOSUPPORT);
}

/* A manager that does not read: it may take some, and never our time. */
static void
never_waits(void **state)
{
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@notify-test/%d", (int)getpid());
	fd = manager(name);
	for (int i = 0; i < 100000 && logged[0] == '\0'; i++)
		notify_status("still here");
	assert_non_null(strstr(logged, strerror(EAGAIN)));
	assert_int_equal(notify_ready("fine"), -EAGAIN);
	assert_true(recv(fd, logged, sizeof(logged), 0) > 0);
	assert_int_equal(notify_ready("fine"), 0);
	close(fd);
}

/* But what must not be lost is offered for a while. */
static void
descriptors_are_offered_for_a_moment(void **state)
{
	uint64_t before;
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@notify-test/%d", (int)getpid());
	fd = manager(name);
	for (int i = 0; i < 100000 && logged[0] == '\0'; i++)
		notify_status("still here");
	before = clock_ms();
	assert_int_equal(notify_fds("FDSTORE=1\nFDNAME=a", &fd, 1), -EAGAIN);
	assert_true(clock_ms() - before >= 90);
	close(fd);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, log_to_us, log_to_stderr)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(speaks_to_a_path),
		TEST(speaks_to_an_abstract_name),
		TEST(says_when_it_reloads),
		TEST(hands_descriptors_over),
		TEST(a_barrier_waits_for_the_manager),
		TEST(is_quiet_without_a_manager),
		TEST(a_long_status_is_cut),
		TEST(says_that_nobody_hears),
		TEST(never_waits),
		TEST(descriptors_are_offered_for_a_moment),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
