/* The device that is the system's logger, whose place is fixed: so the test
 * makes a /dev of its own. */
#include "logdevice.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "../skip.h"

#define STUCK_MS 1000
#define RETRY_MS 250

struct place {
	int		  fd; /* the logger's */
	struct logdevice *device;
	uint64_t	  now;
};

static int
logger_open(void)
{
	const struct sockaddr_un at = { AF_UNIX, _PATH_LOG };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)),
	    0);
	return fd;
}

/* Root may have a /dev that nobody else sees. */
static bool
own_dev(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", "/dev", "tmpfs", 0, NULL) == 0;
}

static int
setup(void **state)
{
	const struct log_target target = { .to = LOG_TO_SYSLOG };
	struct place *p;

	*state = NULL;
	if (!own_dev())
		return 0;
	p = calloc(1, sizeof(*p));
	p->fd = logger_open();
	p->now = 5000;
	assert_int_equal(logdevice_open(&p->device, &target), 0);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	if (p == NULL)
		return 0;
	logdevice_close(p->device);
	close(p->fd);
	free(p);
	return 0;
}

/* Until the logger's queue is full, and a second more. */
static void
get_stuck(struct place *p)
{
	do
		logdevice_put(p->device, LOGDEVICE_RECORDS, "x", 1);
	while (logdevice_flush(p->device, p->now) &&
	    !logdevice_waits(p->device));
	p->now += STUCK_MS;
	logdevice_flush(p->device, p->now);
	assert_true(logdevice_is_stuck(p->device));
}

static unsigned
logger_read(struct place *p, const char *line)
{
	char text[64];
	unsigned n = 0;
	ssize_t len;

	while ((len = recv(p->fd, text, sizeof(text), 0)) >= 0)
		if ((size_t)len == strlen(line) &&
		    memcmp(text, line, (size_t)len) == 0)
			n++;
	return n;
}

static void
assert_it_recovers(struct place *p)
{
	assert_true(logger_read(p, "x") > 0);
	p->now += RETRY_MS;
	assert_true(logdevice_may_retry(p->device, p->now));
	assert_true(logdevice_try(p->device, "notice", 6, p->now));
	assert_false(logdevice_is_stuck(p->device));
	assert_int_equal(logger_read(p, "notice"), 1);
}

static void
a_logger_that_stops_reading(void **state)
{
	struct place *p = *state;

	if (p == NULL)
		SKIP("no /dev of its own: needs root, and / to be a mount");
	get_stuck(p);
	assert_int_equal(logdevice_error(p->device), 0);
	assert_false(logdevice_may_retry(p->device, p->now + RETRY_MS));
	assert_it_recovers(p);
}

/* As logrotate does to all that is logged, whatever the state it is in. */
static void
a_stuck_one_is_opened_anew(void **state)
{
	struct place *p = *state;

	if (p == NULL)
		SKIP("no /dev of its own: needs root, and / to be a mount");
	get_stuck(p);
	assert_int_equal(logdevice_reopen(p->device), 0);
	assert_it_recovers(p);
}

#define ON_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_PLACE(a_logger_that_stops_reading),
		ON_PLACE(a_stuck_one_is_opened_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
