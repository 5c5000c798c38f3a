/* Which sockets stay, which are made and which go, and what is undone. */
#include "ports.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char web[] = "web", other[] = "other", lo[] = "lo";
static const struct listener_conf first = { .name = web };
static const struct listener_conf second = { .name = other };

struct rig {
	struct ports ports;
	struct mail *mails[2];
};

static int
rig_make(void **state)
{
	static struct rig rig;

	ports_init(&rig.ports);
	for (size_t i = 0; i < 2; i++) {
		rig.mails[i] = mail_new(MAIL_SNAPSHOT);
		assert_non_null(rig.mails[i]);
	}
	*state = &rig;
	return 0;
}

static int
rig_remove(void **state)
{
	struct rig *rig = *state;

	ports_done(&rig->ports, false);
	for (size_t i = 0; i < 2; i++)
		mail_free(rig->mails[i]);
	return 0;
}

static void
key_of(struct port_key *key, const struct listener_conf *l, const char *ip,
    uint16_t port)
{
	struct bind_conf bind = { .ports = 1 };
	struct addr addr;

	assert_int_equal(addr_from_ip(&addr, ip, port), 0);
	port_key_init(key, l, &bind, &addr);
}

static struct port *
found(const struct rig *rig, const struct listener_conf *l, uint16_t port)
{
	struct port_key key;

	key_of(&key, l, "127.0.0.1", port);
	return ports_find(&rig->ports, &key);
}

static struct port *
add(struct rig *rig, const struct listener_conf *l, uint16_t port)
{
	struct port_key key;
	struct port *added;

	key_of(&key, l, "127.0.0.1", port);
	added = ports_add(&rig->ports, &key, l);
	assert_non_null(added);
	return added;
}

/* As bind.c does: orders stand in for sockets. */
static void
add_socket(struct rig *rig, struct port *port, size_t worker, int fd)
{
	const struct listen_fd order = { .order = LISTEN_KEEP, .fd = fd,
		.conf = port->conf };

	assert_int_equal(mail_add_order(rig->mails[worker], &order), 0);
	assert_int_equal(port_add_socket(port, worker, rig->mails[worker]), 0);
}

static void
forget_mail(struct rig *rig)
{
	rig->mails[0]->nfds = rig->mails[1]->nfds = 0;
}

static void
assert_order(const struct rig *rig, size_t worker, enum listen_order order,
    int fd, const struct listener_conf *conf)
{
	const struct mail *mail = rig->mails[worker];

	assert_int_equal(mail->nfds, 1);
	assert_int_equal(mail->fds[0].order, order);
	assert_int_equal(mail->fds[0].fd, fd);
	assert_ptr_equal(mail->fds[0].conf, conf);
}

static void
a_new_one_is_found_once_it_is_there(void **state)
{
	struct rig *rig = *state;

	add(rig, &first, 80);
	assert_null(found(rig, &first, 80));
	assert_false(ports_have_number(&rig->ports, 80));
	ports_commit(&rig->ports);
	assert_non_null(found(rig, &first, 80));
	assert_non_null(found(rig, &second, 80));
	assert_null(found(rig, &first, 81));
	assert_true(ports_have_number(&rig->ports, 80));
	assert_false(ports_have_number(&rig->ports, 81));
}

static void
one_that_is_not_to_be_after_all(void **state)
{
	struct rig *rig = *state;

	add(rig, &first, 80);
	ports_commit(&rig->ports);
	add(rig, &first, 81);
	assert_int_equal(ports_keep(found(rig, &first, 80), &second,
	    rig->mails), 0);
	assert_null(found(rig, &first, 80));
	assert_true(ports_have_number(&rig->ports, 80));
	ports_abort(&rig->ports);
	assert_non_null(found(rig, &first, 80));
	assert_false(ports_have_number(&rig->ports, 81));
	ports_commit(&rig->ports);
	assert_null(found(rig, &first, 81));
}

static void
each_worker_is_told_of_its_own(void **state)
{
	struct rig *rig = *state;
	struct port *port = add(rig, &first, 80);

	add_socket(rig, port, 0, 5);
	add_socket(rig, port, 1, 6);
	ports_commit(&rig->ports);
	forget_mail(rig);
	assert_int_equal(ports_keep(port, &second, rig->mails), 0);
	assert_order(rig, 0, LISTEN_KEEP, 5, &second);
	assert_order(rig, 1, LISTEN_KEEP, 6, &second);
	forget_mail(rig);
	assert_int_equal(ports_leave(&rig->ports, rig->mails), 0);
	assert_int_equal(rig->mails[0]->nfds, 0);
	ports_commit(&rig->ports);
	assert_int_equal(ports_leave(&rig->ports, rig->mails), 0);
	assert_order(rig, 0, LISTEN_LEAVE, 5, NULL);
	assert_order(rig, 1, LISTEN_LEAVE, 6, NULL);
}

/* Its sockets are there for a while, and it may come back meanwhile. */
static void
one_that_goes_is_in_the_way_of_nobody(void **state)
{
	struct rig *rig = *state;

	add(rig, &first, 80);
	for (int i = 0; i < 3; i++)
		ports_commit(&rig->ports);
	assert_null(found(rig, &first, 80));
	assert_true(ports_have_number(&rig->ports, 80));
	add(rig, &first, 80);
	ports_abort(&rig->ports);
	assert_null(found(rig, &first, 80));
	assert_true(ports_have_number(&rig->ports, 80));
	add(rig, &first, 80);
	forget_mail(rig);
	assert_int_equal(ports_leave(&rig->ports, rig->mails), 0);
	ports_commit(&rig->ports);
	assert_non_null(found(rig, &first, 80));
}

/* Nobody takes that long to close it. */
static void
one_that_went_long_ago_is_forgotten(void **state)
{
	struct rig *rig = *state;
	struct port *port = add(rig, &first, 80);

	add_socket(rig, port, 1, 6);
	for (int i = 0; i < 2; i++)
		ports_commit(&rig->ports);
	assert_int_equal(port->state, PORT_LEFT);
	assert_int_equal(port->nsockets, 0);
	port->left -= 1000;
	ports_commit(&rig->ports);
	assert_true(ports_have_number(&rig->ports, 80));
	port->left = 0;
	assert_false(ports_have_number(&rig->ports, 80));
	ports_commit(&rig->ports);
	assert_true(TAILQ_EMPTY(&rig->ports.list));
}

static bool
same(const struct listener_conf *a, const struct listener_conf *b,
    const struct addr *addr, bool dual)
{
	const struct bind_conf bind = { .ports = 1, .dual = dual };
	const struct bind_conf plain = { .ports = 1 };
	struct port_key key;
	struct ports ports;
	bool is_same;

	ports_init(&ports);
	port_key_init(&key, a, &plain, addr);
	assert_non_null(ports_add(&ports, &key, a));
	ports_commit(&ports);
	port_key_init(&key, b, &bind, addr);
	is_same = ports_find(&ports, &key) != NULL;
	ports_done(&ports, false);
	return is_same;
}

static void
what_makes_another_socket(void **state)
{
	const struct listener_conf ways[] = {
		{ .name = web, .freebind = true },
		{ .name = web, .transparent = true },
		{ .name = web, .mptcp = true },
		{ .name = web, .interface = lo },
	};
	struct addr ip, any, path = { .len = sizeof(path.un) };

	(void)state;
	assert_int_equal(addr_from_ip(&ip, "::", 80), 0);
	assert_int_equal(addr_from_ip(&any, "::", 0), 0);
	path.un.sun_family = AF_UNIX;
	strcpy(path.un.sun_path, "/nowhere/at/all");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		assert_false(same(&first, &ways[i], &ip, false));
		assert_true(same(&first, &ways[i], &path, false));
	}
	assert_false(same(&first, &first, &ip, true));
	assert_true(same(&first, &second, &ip, false));
	assert_true(same(&first, &second, &path, false));
	assert_true(same(&first, &first, &any, false));
	assert_false(same(&first, &second, &any, false));
}

#define ON_RIG(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(a_new_one_is_found_once_it_is_there),
		ON_RIG(one_that_is_not_to_be_after_all),
		ON_RIG(each_worker_is_told_of_its_own),
		ON_RIG(one_that_goes_is_in_the_way_of_nobody),
		ON_RIG(one_that_went_long_ago_is_forgotten),
		cmocka_unit_test(what_makes_another_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
