/* What the service manager is told of listening sockets, and how often. */
#include "store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "notify.h"
#include "passed.h"
#include "ports.h"

#define NAME "sluice/127.0.0.1+80"

static char web[] = "web", unit[] = "systemd:pg";
static const struct listener_conf listener = { .name = web };

struct rig {
	struct ports ports;
	struct mail *mail;
	int	     manager;
};

static int
rig_make(void **state)
{
	static struct rig rig;
	struct addr addr;
	char name[64];

	ports_init(&rig.ports);
	rig.mail = mail_new(MAIL_SNAPSHOT);
	assert_non_null(rig.mail);
	rig.manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	assert_true(rig.manager >= 0);
	snprintf(name, sizeof(name), "@store-test/%d", (int)getpid());
	assert_int_equal(addr_from_path(&addr, name), 0);
	assert_int_equal(bind(rig.manager, &addr.sa, addr.len), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	*state = &rig;
	return 0;
}

static int
rig_remove(void **state)
{
	struct rig *rig = *state;

	unsetenv("NOTIFY_SOCKET");
	ports_done(&rig->ports, false);
	mail_free(rig->mail);
	close(rig->manager);
	return 0;
}

/* How many descriptors came with a message, which is as wanted. */
static size_t
heard(const struct rig *rig, const char *wanted)
{
	char space[CMSG_SPACE(NOTIFY_FDS * sizeof(int))], text[512];
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = space, .msg_controllen = sizeof(space) };
	ssize_t n = recvmsg(rig->manager, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int fds[NOTIFY_FDS];
	size_t count;

	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, wanted);
	if (head == NULL)
		return 0;
	count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(head), count * sizeof(int));
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	return count;
}

static void
assert_quiet(const struct rig *rig)
{
	assert_int_equal(recv(rig->manager, NULL, 0, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void
key_of(struct port_key *key, const char *passed)
{
	const struct bind_conf bind = { .ports = 1, .passed = passed,
		.text = unit };
	struct addr addr;

	assert_int_equal(addr_from_ip(&addr, "127.0.0.1", 80), 0);
	port_key_init(key, &listener, &bind, &addr);
}

/* Any descriptor stands in for its sockets. */
static struct port *
add(struct rig *rig, const char *passed, size_t nsockets)
{
	const struct listen_fd order = { .order = LISTEN_KEEP,
		.fd = STDERR_FILENO, .conf = &listener };
	struct port_key key;
	struct port *port;

	key_of(&key, passed);
	port = ports_add(&rig->ports, &key, &listener);
	assert_non_null(port);
	assert_int_equal(mail_add_order(rig->mail, &order), 0);
	for (size_t i = 0; i < nsockets; i++)
		assert_int_equal(port_add_socket(port, 0, rig->mail), 0);
	ports_commit(&rig->ports);
	return port;
}

/* Not watched: who refuses clients for a while would be taken for one that is
 * done. */
static void
each_port_is_kept_once(void **state)
{
	struct rig *rig = *state;

	add(rig, NULL, 3);
	ports_store(&rig->ports);
	assert_int_equal(heard(rig, "FDSTORE=1\nFDPOLL=0\nFDNAME=" NAME), 3);
	ports_store(&rig->ports);
	assert_quiet(rig);
}

/* systemd holds those anyway. */
static void
who_was_passed_is_not_kept(void **state)
{
	struct rig *rig = *state;

	add(rig, "pg", 1);
	ports_store(&rig->ports);
	ports_forget(&rig->ports);
	assert_quiet(rig);
}

static void
a_message_takes_as_many_as_it_can(void **state)
{
	struct rig *rig = *state;

	add(rig, NULL, NOTIFY_FDS + 2);
	ports_store(&rig->ports);
	assert_int_equal(heard(rig, "FDSTORE=1\nFDPOLL=0\nFDNAME=" NAME),
	    NOTIFY_FDS);
	assert_int_equal(heard(rig, "FDSTORE=1\nFDPOLL=0\nFDNAME=" NAME), 2);
	assert_quiet(rig);
}

static void
who_was_kept_is_forgotten_once(void **state)
{
	struct rig *rig = *state;
	struct port *port = add(rig, NULL, 1);

	port->stored = true;
	ports_forget(&rig->ports);
	assert_int_equal(heard(rig, "FDSTOREREMOVE=1\nFDNAME=" NAME), 0);
	ports_forget(&rig->ports);
	assert_quiet(rig);
}

/* At once, though its sockets are there for a while. */
static void
who_leaves_is_forgotten(void **state)
{
	struct rig *rig = *state;
	struct port *port = add(rig, NULL, 1);

	port->stored = true;
	ports_commit(&rig->ports);
	assert_int_equal(heard(rig, "FDSTOREREMOVE=1\nFDNAME=" NAME), 0);
	ports_store(&rig->ports);
	port->left = 0;
	ports_commit(&rig->ports);
	assert_true(TAILQ_EMPTY(&rig->ports.list));
	assert_quiet(rig);
}

static void
a_path_that_leaves_is_forgotten(void **state)
{
	struct rig *rig = *state;
	struct port *port = add(rig, NULL, 1);

	assert_int_equal(addr_from_path(&port->key.addr, "/nowhere"), 0);
	port->stored = true;
	ports_commit(&rig->ports);
	assert_int_equal(heard(rig, "FDSTOREREMOVE=1\nFDNAME="
	    "sluice/unix+/nowhere"), 0);
	assert_true(TAILQ_EMPTY(&rig->ports.list));
	assert_quiet(rig);
}

#define ON_RIG(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(each_port_is_kept_once),
		ON_RIG(who_was_passed_is_not_kept),
		ON_RIG(a_message_takes_as_many_as_it_can),
		ON_RIG(who_was_kept_is_forgotten_once),
		ON_RIG(who_leaves_is_forgotten),
		ON_RIG(a_path_that_leaves_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
