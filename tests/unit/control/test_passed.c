/* What systemd passes, and the names by which it keeps what is ours. */
#include "passed.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ports.h"
#include "store.h"

/* A socket at a number, as if it had been passed there. */
static void
put_socket(int number, bool listens)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	if (listens)
		assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(dup2(fd, number), number);
	if (fd != number)
		close(fd);
}

static void
pass(struct passed *p, const char *count, const char *names, int pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", count, 1);
	if (names != NULL)
		setenv("LISTEN_FDNAMES", names, 1);
	assert_int_equal(passed_init(p), 0);
	assert_null(getenv("LISTEN_PID"));
	assert_null(getenv("LISTEN_FDS"));
	assert_null(getenv("LISTEN_FDNAMES"));
}

static void
names_go_with_descriptors(void **state)
{
	const struct passed_socket *web;
	struct passed p;
	char names[64];

	(void)state;
	put_socket(3, true);
	put_socket(4, false);
	put_socket(5, true);
	pass(&p, "3", "web:pg:web", getpid());
	assert_int_equal(p.count, 3);
	web = passed_next(&p, "web", NULL);
	assert_int_equal(web->fd, 3);
	assert_true(passed_listens(web));
	assert_true(fcntl(3, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(3, F_GETFL) & O_NONBLOCK);
	web = passed_next(&p, "web", web);
	assert_int_equal(web->fd, 5);
	assert_null(passed_next(&p, "web", web));
	assert_false(passed_listens(passed_next(&p, "pg", NULL)));
	assert_null(passed_next(&p, "dns", NULL));
	assert_string_equal(passed_names(&p, names, sizeof(names)),
	    "web, pg, web");
	passed_done(&p);
	assert_int_equal(fcntl(3, F_GETFD), -1);
}

/* Which is not what a unit of that name would have. */
static void
what_was_kept_for_us_has_no_name_of_a_unit(void **state)
{
	struct passed p;
	char names[64];

	(void)state;
	put_socket(3, true);
	put_socket(4, true);
	pass(&p, "2", "sluice/127.0.0.1+80:web", getpid());
	assert_string_equal(passed_names(&p, names, sizeof(names)), "web");
	close(p.sockets[1].fd);
	p.sockets[1].fd = -1;
	assert_null(passed_next(&p, "web", NULL));
	passed_done(&p);
}

/* A listening socket, of messages. */
static void
who_listens_for_no_stream(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct passed p;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(sa_family_t)),
	    0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(dup2(fd, 3), 3);
	if (fd != 3)
		close(fd);
	pass(&p, "1", "web", getpid());
	assert_false(passed_listens(passed_next(&p, "web", NULL)));
	passed_done(&p);
}

static void
fewer_names_than_descriptors(void **state)
{
	struct passed p;

	(void)state;
	put_socket(3, true);
	put_socket(4, true);
	pass(&p, "2", ":", getpid());
	assert_string_equal(p.sockets[0].name, "unknown");
	assert_string_equal(p.sockets[1].name, "unknown");
	passed_done(&p);
	put_socket(3, true);
	put_socket(4, true);
	pass(&p, "2", "a", getpid());
	assert_string_equal(p.sockets[0].name, "a");
	assert_string_equal(p.sockets[1].name, "unknown");
	passed_done(&p);
	put_socket(3, true);
	pass(&p, "1", NULL, getpid());
	assert_string_equal(p.sockets[0].name, "unknown");
	passed_done(&p);
}

/* One that is not there is no socket, and its number may be anybody's later. */
static void
fewer_descriptors_than_told(void **state)
{
	struct passed p;

	(void)state;
	put_socket(3, true);
	close(4);
	pass(&p, "2", "a:b", getpid());
	assert_non_null(passed_next(&p, "a", NULL));
	assert_null(passed_next(&p, "b", NULL));
	put_socket(4, true);
	passed_done(&p);
	assert_int_equal(close(4), 0);
}

static void
what_is_not_ours(void **state)
{
	static const char *const wrong[] = { "", "0", "-1", "x", "3000000000" };
	struct passed p;
	char names[8];

	(void)state;
	pass(&p, "1", "a", getppid());
	assert_int_equal(p.count, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		pass(&p, wrong[i], "a", getpid());
		assert_int_equal(p.count, 0);
	}
	assert_string_equal(passed_names(&p, names, sizeof(names)), "none");
}

/* --- names of what is kept */

static void
assert_name(const struct port_key *key, const char *wanted)
{
	char name[STORE_NAME];

	assert_true(store_name(key, name));
	assert_string_equal(name, wanted);
	assert_true(store_is_name(name));
}

static void
a_name_says_what_was_bound(void **state)
{
	struct port_key key = { .listener = "" };

	(void)state;
	addr_from_ip(&key.addr, "127.0.0.1", 5432);
	assert_name(&key, "sluice/127.0.0.1+5432");
	key.freebind = key.transparent = key.mptcp = true;
	assert_name(&key, "sluice/127.0.0.1+5432/freebind/transparent/mptcp");
	key = (struct port_key){ .dual = true, .listener = "pg" };
	addr_from_ip(&key.addr, "::", 0);
	snprintf(key.interface, sizeof(key.interface), "eth0");
	assert_name(&key, "sluice/[++]+0/dual/interface=eth0/listener=pg");
	key = (struct port_key){ .listener = "" };
	addr_from_path(&key.addr, "/run/a+b%c\xc3\xa4:d e");
	assert_name(&key, "sluice/unix+/run/a%2Bb%25c%C3%A4+d%20e");
}

static void
one_too_long_is_not_kept(void **state)
{
	struct port_key key = { .listener = "" };
	char path[108], name[STORE_NAME];

	(void)state;
	memset(path, '/', sizeof(path));
	path[107] = '\0';
	addr_from_path(&key.addr, path);
	assert_true(store_name(&key, name));
	memset(path, '%', sizeof(path) - 1);
	path[0] = '/';
	path[81] = '\0';
	addr_from_path(&key.addr, path);
	assert_true(store_name(&key, name));
	assert_int_equal(strlen(name), 253);
	path[81] = '%';
	path[82] = '\0';
	addr_from_path(&key.addr, path);
	assert_false(store_name(&key, name));
	path[82] = '%';
	addr_from_path(&key.addr, path);
	assert_false(store_name(&key, name));
	assert_false(store_is_name("sluice.socket"));
	assert_false(store_is_name(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_go_with_descriptors),
		cmocka_unit_test(what_was_kept_for_us_has_no_name_of_a_unit),
		cmocka_unit_test(who_listens_for_no_stream),
		cmocka_unit_test(fewer_names_than_descriptors),
		cmocka_unit_test(fewer_descriptors_than_told),
		cmocka_unit_test(what_is_not_ours),
		cmocka_unit_test(a_name_says_what_was_bound),
		cmocka_unit_test(one_too_long_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
