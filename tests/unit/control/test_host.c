#include "host.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What a process does to itself is tried in one of its own. */
static void
assert_in_child(bool (*run)(unsigned), unsigned argument)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run(argument) ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int
next_fd(void)
{
	int fd = open("/", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* 0 to 2 as 'closed' has it, bit by bit; the others are our file. */
static bool
fills_these(unsigned closed)
{
	struct stat null, own, now;
	int file, before;

	file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (stat("/dev/null", &null) < 0 || fstat(file, &own) < 0)
		return false;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(file, fd);
	before = next_fd();
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (closed >> fd & 1)
			close(fd);
	host_fill_standard_fds();
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		bool is_null = closed >> fd & 1;

		if (fstat(fd, &now) < 0 ||
		    !same_file(&now, is_null ? &null : &own) ||
		    (is_null && (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR))
			return false;
	}
	return next_fd() == before;
}

static void
standard_fds_are_filled(void **state)
{
	(void)state;
	for (unsigned closed = 0; closed < 8; closed++)
		assert_in_child(fills_these, closed);
}

/* Raised to 'hard', which is ours from now on. */
static bool
raises_to(unsigned hard)
{
	struct rlimit limit = { .rlim_cur = 20, .rlim_max = hard };

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || host_raise_fds() != hard)
		return false;
	return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur == hard && limit.rlim_max == hard;
}

static bool
raises_to_the_hard_limit(unsigned ignored)
{
	struct rlimit limit;
	uint64_t fds;

	(void)ignored;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 20;
	setrlimit(RLIMIT_NOFILE, &limit);
	fds = host_raise_fds();
	getrlimit(RLIMIT_NOFILE, &limit);
	return fds == limit.rlim_cur && fds <= 1024 * 1024 &&
	    (fds == limit.rlim_max || fds == 1024 * 1024);
}

static void
fds_are_raised(void **state)
{
	(void)state;
	assert_in_child(raises_to, 64);
	assert_in_child(raises_to, 300);
	assert_in_child(raises_to_the_hard_limit, 0);
}

/* All that is open at full load fits, and no more than a few stay unused. */
static void
assert_sessions_fit(const struct config *config, uint64_t fds,
    size_t nworkers, uint64_t listening)
{
	uint64_t sessions = host_max_sessions(config, fds, nworkers);
	uint64_t open = 2 * sessions + listening * nworkers + 4 * nworkers +
	    2 * host_max_pipes(fds, nworkers) * nworkers;

	assert_true(open + 32 <= fds); /* standard, logs, admin, look-ups */
	assert_true(open + 128 >= fds);
}

static void
sessions_fit_into_the_fds(void **state)
{
	struct bind_conf one[] = { { .ports = 1 } };
	struct bind_conf range[] = { { .ports = 1 }, { .ports = 100 } };
	struct listener_conf listeners[] = {
		{ .binds = one, .nbinds = 1 },
		{ .binds = range, .nbinds = 2 },
	};
	struct config config = { .listeners = listeners, .nlisteners = 1 };

	(void)state;
	assert_sessions_fit(&config, 1024, 1, 1);
	assert_sessions_fit(&config, 20000, 2, 1);
	assert_sessions_fit(&config, 1024 * 1024, 64, 1);
	config.nlisteners = 2;
	assert_sessions_fit(&config, 20000, 8, 102);
}

/* So few that hardly anything fits is still enough for somebody. */
static void
sessions_are_never_none(void **state)
{
	struct bind_conf range[] = { { .ports = 1024 } };
	struct listener_conf listener = { .binds = range, .nbinds = 1 };
	struct config config = { .listeners = &listener, .nlisteners = 1 };
	uint64_t before = 0;

	(void)state;
	for (uint64_t fds = 0; fds < 3000; fds++) {
		uint64_t now = host_max_sessions(&config, fds, 2);

		assert_true(now >= 2 && now >= before);
		before = now;
	}
}

static bool
one_cpu_is_one(unsigned ignored)
{
	cpu_set_t set, one;

	(void)ignored;
	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return false;
	for (size_t i = 0; CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &set))
			CPU_SET(i, &one);
	return sched_setaffinity(0, sizeof(one), &one) == 0 &&
	    host_cpus() == 1;
}

static void
cpus_are_those_we_may_use(void **state)
{
	cpu_set_t set;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	assert_true(host_cpus() >= 1);
	assert_true(host_cpus() <= (size_t)CPU_COUNT(&set));
	assert_in_child(one_cpu_is_one, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standard_fds_are_filled),
		cmocka_unit_test(fds_are_raised),
		cmocka_unit_test(sessions_fit_into_the_fds),
		cmocka_unit_test(sessions_are_never_none),
		cmocka_unit_test(cpus_are_those_we_may_use),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
