#include "base/crash.h"
#include "base/thread.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

/* cmocka's own */
#undef assert
#define assert(expression) ((expression) ? (void)0 : \
	__assert_fail(#expression, "file.c", 12, __func__))

typedef void way(void);

/* What a child said on stderr that went this way, and its signal. */
static int
run(way *how, char *said, size_t size)
{
	size_t len = 0;
	int fds[2], status;
	ssize_t n;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		const struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		dup2(fds[1], STDERR_FILENO);
		crash_open("sluice 1.2.3 (test)");
		how();
		_exit(1);
	}
	close(fds[1]);
	while (len < size - 1 &&
	    (n = read(fds[0], said + len, size - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
check_says(way *how, int number, const char *first, const char *second)
{
	char said[4096];

	assert_int_equal(run(how, said, sizeof(said)), number);
	assert_non_null(strstr(said, first));
	assert_non_null(strstr(said, second));
	assert_non_null(strstr(said, "sluice 1.2.3 (test)"));
}

/* --- ways */

static void
write_nowhere(void)
{
	*(volatile int *)(uintptr_t)0x10 = 1;
}

static int
use_up(volatile char *before)
{
	volatile char here[4096];

	here[0] = before[0] + 1;
	return here[0] == before[0] ? 0 : use_up(here) + here[0];
}

static void
use_up_the_stack(void)
{
	char first[1] = "";

	use_up(first);
}

static void
fail_an_assertion(void)
{
	int full = 0;

	assert(full == 1 && "quoted");
}

static void
about(const void *arg, struct rawtext *t)
{
	rawtext_add(t, arg);
}

static void *
use_up_the_threads(void *arg)
{
	(void)arg;
	use_up_the_stack();
	return NULL;
}

static void
crash_in_a_thread(void)
{
	static char at[] = ", at something";
	const struct thread thread = { .name = "other",
		.run = use_up_the_threads, .arg = at, .about = about };
	pthread_t id;

	if (thread_start(&id, NULL, &thread) == 0)
		pthread_join(id, NULL);
}

#define TOGETHER 3

/* Not by a barrier, which wakes one after the other. */
static void *
crash_together(void *arg)
{
	static atomic_int there;

	atomic_fetch_add(&there, 1);
	while (atomic_load(&there) < TOGETHER)
		;
	write_nowhere();
	return arg;
}

static void
crash_in_several_threads(void)
{
	const struct thread thread = { .name = "other",
		.run = crash_together };
	pthread_t ids[TOGETHER];

	for (size_t i = 0; i < TOGETHER; i++)
		thread_start(&ids[i], NULL, &thread);
	for (size_t i = 0; i < TOGETHER; i++)
		pthread_join(ids[i], NULL);
}

/* --- tests */

static void
test_a_fault_is_told_with_its_address(void **state)
{
	(void)state;
	check_says(write_nowhere, SIGSEGV,
	    "sluice: crashed: signal 11 (SIGSEGV) at 0x10, thread main",
	    ", pc 0x");
}

static void
test_a_used_up_stack_is_told(void **state)
{
	(void)state;
	check_says(use_up_the_stack, SIGSEGV, "signal 11 (SIGSEGV) at 0x",
	    "thread main");
}

static void
test_a_thread_is_told_with_what_it_was_at(void **state)
{
	(void)state;
	check_says(crash_in_a_thread, SIGSEGV, "signal 11 (SIGSEGV) at 0x",
	    ", thread other, at something, pc 0x");
}

/* The end of one does not keep the other from telling. */
static void
test_several_threads_are_told_once(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		char said[4096];

		assert_int_equal(run(crash_in_several_threads, said,
		    sizeof(said)), SIGSEGV);
		assert_non_null(strstr(said, ", thread other, pc 0x"));
		assert_ptr_equal(strchr(said, '\n'), strrchr(said, '\n'));
	}
}

/* It ends, though nobody reads the pipe that is its stderr. */
static void
test_a_full_pipe_holds_nothing_up(void **state)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int fds[2], status = 0;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	while (write(fds[1], "x", 1) > 0)
		;
	fcntl(fds[1], F_SETFL, 0);
	child = fork();
	if (child == 0) {
		const struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		dup2(fds[1], STDERR_FILENO);
		crash_open("sluice 1.2.3 (test)");
		write_nowhere();
	}
	for (int i = 0; i < 10000 && waitpid(child, &status, WNOHANG) == 0; i++)
		nanosleep(&pause, NULL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	close(fds[0]);
	close(fds[1]);
}

static void
test_an_assertion_is_told(void **state)
{
	(void)state;
	check_says(fail_an_assertion, SIGABRT, "signal 6 (SIGABRT), "
	    "file.c:12: fail_an_assertion: Assertion `full == 1 && 'quoted'' "
	    "failed, thread main", "build id ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_fault_is_told_with_its_address),
		cmocka_unit_test(test_a_used_up_stack_is_told),
		cmocka_unit_test(test_a_thread_is_told_with_what_it_was_at),
		cmocka_unit_test(test_several_threads_are_told_once),
		cmocka_unit_test(test_a_full_pipe_holds_nothing_up),
		cmocka_unit_test(test_an_assertion_is_told),
	};

	/* The sanitizers tell of it in their own way. */
	if (!SLUICE_CRASH)
		return 0;
	return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
