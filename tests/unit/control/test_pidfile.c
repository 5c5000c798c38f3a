#include "pidfile.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/sluice-pidfile-XXXXXX";
static const struct config conf = { .global = { .pid_file = path } };

static unsigned locks;	 /* that were asked for */
static unsigned leaving; /* how many holders leave just before the lock */

/* Between the open and the lock of a second daemon the first one ends, and
 * removes its file. */
int
fcntl(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	if (command == F_OFD_SETLK && locks++ < leaving)
		unlink(path);
	return (int)syscall(SYS_fcntl, fd, command, arg);
}

static int
setup(void **state)
{
	(void)state;
	locks = leaving = 0;
	close(mkstemp(path));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	strcpy(path + strlen(path) - 6, "XXXXXX");
	return 0;
}

static void
check_text(void)
{
	char wanted[32], text[32] = "";
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	snprintf(wanted, sizeof(wanted), "%d\n", (int)getpid());
	assert_string_equal(text, wanted);
}

/* What is locked is what others find under the name. */
static void
a_holder_that_leaves_is_seen(void **state)
{
	int fd;

	(void)state;
	leaving = 2;
	fd = pidfile_open(&conf);
	assert_true(fd > 0);
	assert_int_equal(locks, 3);
	assert_int_equal(pidfile_write(fd), 0);
	check_text();
	pidfile_close(conf.global.pid_file, fd);
	assert_int_equal(access(path, F_OK), -1);
}

/* Each try of the above has its file closed. */
static void
nothing_stays_open(void **state)
{
	int before = dup(STDOUT_FILENO), after, fd;

	(void)state;
	close(before);
	leaving = 5;
	fd = pidfile_open(&conf);
	assert_true(fd > 0);
	pidfile_close(conf.global.pid_file, fd);
	after = dup(STDOUT_FILENO);
	close(after);
	assert_int_equal(before, after);
}

/* What was there is gone, however long it was. */
static void
old_text_goes(void **state)
{
	int fd = open(path, O_WRONLY);

	(void)state;
	assert_int_equal(write(fd, "1234567890 and more\n", 20), 20);
	close(fd);
	fd = pidfile_open(&conf);
	assert_int_equal(pidfile_write(fd), 0);
	check_text();
	pidfile_close(conf.global.pid_file, fd);
}

/* Anybody may know who runs; nobody else may say so. */
static void
others_may_read_it(void **state)
{
	mode_t old = umask(0);
	struct stat st;
	int fd;

	(void)state;
	unlink(path);
	fd = pidfile_open(&conf);
	umask(old);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	pidfile_close(conf.global.pid_file, fd);
}

static void
no_file_is_fine(void **state)
{
	static const struct config none = { 0 };

	(void)state;
	assert_int_equal(pidfile_open(&none), 0);
	assert_int_equal(pidfile_write(0), 0);
	pidfile_close(none.global.pid_file, 0);
	assert_int_equal(locks, 0);
	assert_int_not_equal(fcntl(STDIN_FILENO, F_GETFD), -1);
}

/* One that is not ours any more stays. */
static void
a_successors_file_stays(void **state)
{
	int fd = pidfile_open(&conf), other;

	(void)state;
	assert_int_equal(pidfile_write(fd), 0);
	unlink(path);
	other = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(other >= 0);
	close(other);
	pidfile_close(conf.global.pid_file, fd);
	assert_int_equal(access(path, F_OK), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_holder_that_leaves_is_seen,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_stays_open, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(old_text_goes, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(others_may_read_it, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(no_file_is_fine, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(a_successors_file_stays, setup,
		    teardown),
	};

	return cmocka_run_group_tests_name("pidfile", tests, NULL, NULL);
}
