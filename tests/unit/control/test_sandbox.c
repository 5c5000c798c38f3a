/* Each kind of thread tries what it must not, and what it has to. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../skip.h"
#include "base/log.h"
#include "callfilter.h"
#include "landlock.h"
#include "privileges.h"

static char folder[] = "/tmp/sluice-sandbox-XXXXXX";
static struct identity identity;
static bool has_filters;

/* --- what is tried; 0 or the errno */

static int
outcome(long result)
{
	return result < 0 ? errno : 0;
}

static int
make_file(const char *in)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/sluice-sandbox-new", in);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int
try_read_file(void)
{
	return outcome(open("/etc/passwd", O_RDONLY));
}

static int
try_make_log(void)
{
	return make_file(folder);
}

static int
try_remove(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/folder", folder);
	return outcome(rmdir(path)) != 0 ? errno : outcome(mkdir(path, 0700));
}

static int
try_list(void)
{
	return outcome(open(folder, O_RDONLY | O_DIRECTORY));
}

static int
try_execute(void)
{
	char *const nothing[] = { NULL };

	return outcome(execve("/nowhere", nothing, nothing));
}

static int
try_tcp(void)
{
	return outcome(socket(AF_INET, SOCK_STREAM, 0));
}

static int
try_netlink(void)
{
	return outcome(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int
try_unix(void)
{
	return outcome(socket(AF_UNIX, SOCK_DGRAM, 0));
}

static int
try_setuid(void)
{
	return outcome(syscall(SYS_setresuid, -1, -1, -1));
}

static int
try_ptrace(void)
{
	return outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int
try_mount(void)
{
	return outcome(umount2("/nowhere", 0));
}

static int
try_signal(void)
{
	return outcome(kill(getppid(), 0));
}

static int
try_signal_itself(void)
{
	return outcome(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0));
}

static int
try_run_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static int
try_memory(void)
{
	void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno :
	    outcome(mprotect(p, 4096, PROT_READ));
}

/* One that nobody listens on: who may, is not refused for that. */
static int
try_low_port(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(787),
		.sin_addr.s_addr = htonl(0x7f4d0001) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? errno :
	    outcome(bind(fd, (const struct sockaddr *)&to, sizeof(to)));
}

/* --- who may */

#define ANY (-1) /* not asked about */

static const struct attempt {
	const char *name;
	int (*attempt)(void);
	int expected[SANDBOX_THREADS];
} ATTEMPTS[] = {
#define ROW(name, main, worker, log, lookup) \
	{ #name, try_##name, { main, worker, log, lookup } }
	ROW(read_file, 0, ENOSYS, EACCES, 0),
	ROW(list, 0, ENOSYS, EACCES, 0),
	ROW(make_log, 0, ENOSYS, 0, EACCES),
	ROW(remove, 0, ENOSYS, ENOSYS, EACCES),
	ROW(execute, ENOENT, ENOSYS, ENOSYS, EPERM),
	ROW(tcp, 0, 0, ENOSYS, 0),
	ROW(netlink, 0, ENOSYS, ENOSYS, 0),
	ROW(unix, 0, 0, 0, 0),
	ROW(setuid, 0, ENOSYS, ENOSYS, EPERM),
	ROW(ptrace, EPERM, ENOSYS, ENOSYS, EPERM),
	ROW(mount, EPERM, ENOSYS, ENOSYS, EPERM),
	ROW(signal, 0, ENOSYS, ENOSYS, EPERM),
	ROW(signal_itself, 0, 0, 0, 0),
	ROW(run_memory, 0, ENOSYS, ENOSYS, 0),
	ROW(memory, 0, 0, 0, 0),
	ROW(low_port, ANY, EACCES, ENOSYS, EACCES),
};

/* By a process of its own: there is no way back. */
static int
in_child(enum sandbox_thread thread, int (*attempt)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		sandbox_prepare(&identity, true);
		sandbox_enter(thread);
		_exit(attempt());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Landlock says the same of files as the list, where there is one. */
static bool
is_known(int expected)
{
	if (expected == EACCES)
		return landlock_version() > 0;
	return expected == 0 || (expected != ANY && has_filters);
}

static void
test_what_each_thread_may(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(ATTEMPTS) / sizeof(*ATTEMPTS); i++)
		for (int t = 0; t < SANDBOX_THREADS; t++) {
			int expected = ATTEMPTS[i].expected[t];
			int got;

			if (!is_known(expected))
				continue;
			got = in_child((enum sandbox_thread)t,
			    ATTEMPTS[i].attempt);
			if (got == expected)
				continue;
			print_message("# thread %d, %s: %s, not %s\n", t,
			    ATTEMPTS[i].name, strerror(got),
			    strerror(expected));
			wrong++;
		}
	assert_int_equal(wrong, 0);
}

/* --- what is left where it is off, or not built in */

static int
privileges_and_seccomp(void)
{
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 1;
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0)
		return 2;
	return try_low_port() == EACCES ? 0 : 3;
}

static void
test_off_leaves_capabilities_to_go(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		sandbox_prepare(&identity, false);
		sandbox_enter(SANDBOX_WORKER);
		_exit(privileges_and_seccomp());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
test_nothing_happens_before_it_is_prepared(void **state)
{
	(void)state;
	sandbox_enter(SANDBOX_WORKER);
	assert_int_equal(try_read_file(), 0);
	assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	assert_true(sandbox_workers_have_raw());
}

static int
raw_of_workers(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	bool has = setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on,
	    sizeof(on)) == 0;

	return (has ? 1 : 0) + (sandbox_workers_have_raw() ? 2 : 0);
}

static void
test_raw_sockets_only_for_who_needs_them(void **state)
{
	(void)state;
	if (geteuid() != 0)
		SKIP("needs root");
	assert_int_equal(in_child(SANDBOX_WORKER, raw_of_workers), 0);
	identity.workers = PRIVILEGE(CAP_NET_RAW);
	assert_int_equal(in_child(SANDBOX_WORKER, raw_of_workers), 3);
	assert_int_equal(in_child(SANDBOX_LOOKUP, raw_of_workers), 2);
	identity.workers = 0;
}

static void
test_every_filter_is_made(void **state)
{
	struct callfilter *filter;

	(void)state;
	for (int t = 0; t < SANDBOX_THREADS; t++) {
		assert_int_equal(callfilter_new(&filter,
		    (enum sandbox_thread)t), 0);
		assert_true((filter != NULL) == has_filters);
		callfilter_free(filter);
	}
	assert_int_equal(callfilter_enter(NULL), 0);
}

static int
begin(void **state)
{
	struct callfilter *filter;
	char path[128];

	(void)state;
	if (mkdtemp(folder) == NULL ||
	    callfilter_new(&filter, SANDBOX_MAIN) < 0)
		return -1;
	has_filters = filter != NULL;
	callfilter_free(filter);
	snprintf(path, sizeof(path), "%s/folder", folder);
	return mkdir(path, 0700);
}

/* Here, since a log writer may not. */
static int
end(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/sluice-sandbox-new", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/folder", folder);
	rmdir(path);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_happens_before_it_is_prepared),
		cmocka_unit_test(test_what_each_thread_may),
		cmocka_unit_test(test_off_leaves_capabilities_to_go),
		cmocka_unit_test(test_raw_sockets_only_for_who_needs_them),
		cmocka_unit_test(test_every_filter_is_made),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
