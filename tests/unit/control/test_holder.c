#include "holder.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../net/loopback.h"
#include "../skip.h"

/* How we are called, by anybody who asks. */
static int
be_called(const char *name)
{
	return prctl(PR_SET_NAME, name);
}

static void
assert_found(const struct addr *addr, const char *name, pid_t pid)
{
	char text[HOLDER_TEXT], wanted[HOLDER_TEXT];

	memset(text, 'x', sizeof(text));
	holder_find(addr, NULL, text);
	snprintf(wanted, sizeof(wanted), " (held by %s, pid %d)", name,
	    (int)pid);
	assert_string_equal(text, wanted);
}

static void
assert_nobody(const struct addr *addr)
{
	char text[HOLDER_TEXT];

	memset(text, 'x', sizeof(text));
	holder_find(addr, NULL, text);
	assert_string_equal(text, "");
}

static void
finds_who_listens(void **state)
{
	int fd = peer_listen(1);
	struct addr at = addr_of(fd);

	(void)state;
	be_called("holder-test");
	assert_found(&at, "holder-test", getpid());
	close(fd);
	assert_nobody(&at);
}

static void
finds_who_listens_on_ipv6(void **state)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct addr at = loopback("::1", 0);

	(void)state;
	if (fd < 0 || bind(fd, &at.sa, at.len) < 0) {
		close(fd);
		SKIP("no IPv6 here");
	}
	assert_int_equal(listen(fd, 1), 0);
	be_called("holder-test");
	at = addr_of(fd);
	assert_found(&at, "holder-test", getpid());

	/* A socket of both families is in the table of IPv6 alone. */
	close(fd);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	at = loopback("::", 0);
	assert_int_equal(bind(fd, &at.sa, at.len), 0);
	assert_int_equal(listen(fd, 1), 0);
	at = addr_of(fd);
	at = loopback("127.0.0.1", addr_port(&at));
	assert_found(&at, "holder-test", getpid());
	close(fd);
}

static void
names_may_be_odd(void **state)
{
	int fd = peer_listen(1);
	struct addr at = addr_of(fd);

	(void)state;
	be_called("(a) b, pid 1)");
	assert_found(&at, "(a) b, pid 1)", getpid());
	be_called("");
	assert_found(&at, "", getpid());
	be_called("holder-test");
	close(fd);
}

/* Connections from or to a port hold nothing. */
static void
who_only_talks_holds_nothing(void **state)
{
	int listening = peer_listen(1), client, server;
	struct addr at = addr_of(listening), from;

	(void)state;
	client = peer_connect(&at);
	server = peer_accept(listening);
	from = addr_of(client);
	assert_nobody(&from);
	close(listening);
	assert_nobody(&at);
	close(client);
	close(server);
}

/* A path that nobody listens on any more is not held. */
static void
finds_who_listens_on_a_path(void **state)
{
	char folder[] = "/tmp/holder-XXXXXX", path[64];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct addr at;

	(void)state;
	be_called("holder-test");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a path", folder);
	assert_int_equal(addr_from_path(&at, path), 0);
	assert_int_equal(bind(fd, &at.sa, at.len), 0);
	assert_nobody(&at);
	assert_int_equal(listen(fd, 1), 0);
	assert_found(&at, "holder-test", getpid());
	close(fd);
	assert_nobody(&at);
	unlink(path);
	rmdir(folder);
}

/* Listens, says its port and stays. */
static void __attribute__((noreturn))
hold(const struct addr *at)
{
	int port, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct addr own;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	be_called("another");
	if (bind(fd, &at->sa, at->len) < 0 || listen(fd, 1) < 0)
		_exit(1);
	own = addr_of(fd);
	port = addr_port(&own);
	if (write(STDOUT_FILENO, &port, sizeof(port)) < 0)
		_exit(1);
	for (;;)
		pause();
}

/* Another process that listens, and ends with us. */
static pid_t
hold_elsewhere(struct addr *at)
{
	int fds[2], port = 0;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close_range(STDERR_FILENO + 1, ~0u, 0); /* what is ours */
		hold(at);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &port, sizeof(port)), sizeof(port));
	close(fds[0]);
	addr_set_port(at, (uint16_t)port);
	return pid;
}

static void
end_elsewhere(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
finds_another_process(void **state)
{
	struct addr at = loopback("127.0.0.1", 0);
	pid_t pid = hold_elsewhere(&at);

	(void)state;
	assert_found(&at, "another", pid);
	end_elsewhere(pid);
	assert_nobody(&at);
}

/* One port, two addresses, two processes. */
static void
tells_addresses_apart(void **state)
{
	int fd = peer_listen(1);
	struct addr ours = addr_of(fd), theirs;
	pid_t pid;

	(void)state;
	be_called("holder-test");
	theirs = loopback("127.0.0.2", addr_port(&ours));
	pid = hold_elsewhere(&theirs);
	assert_found(&theirs, "another", pid);
	assert_found(&ours, "holder-test", getpid());
	close(fd);
	end_elsewhere(pid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_who_listens),
		cmocka_unit_test(finds_who_listens_on_ipv6),
		cmocka_unit_test(names_may_be_odd),
		cmocka_unit_test(who_only_talks_holds_nothing),
		cmocka_unit_test(finds_who_listens_on_a_path),
		cmocka_unit_test(finds_another_process),
		cmocka_unit_test(tells_addresses_apart),
	};

	return cmocka_run_group_tests_name("holder", tests, NULL, NULL);
}
