/* Sockets that leave an address, and those that take their place: who comes finds
 * the latter alone, and who has begun to connect is served by the former. */
#include "net/sock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../skip.h"
#include "loopback.h"

#define GROUP	3
#define CLIENTS 30

static const struct sock_tcp plain = { .nodelay = true };

static int
listen_in_group(const struct addr *at)
{
	const struct sock_listen opts = { .tcp = &plain, .reuseport = true,
		.backlog = 64 };
	int fd = sock_listen(at, &opts);

	assert_true(fd >= 0);
	return fd;
}

/* The first chooses the port. */
static void
listen_all(struct addr *at, int *fds)
{
	for (size_t i = 0; i < GROUP; i++) {
		fds[i] = listen_in_group(at);
		*at = addr_of(fds[i]);
	}
}

static void
close_all(const int *fds)
{
	for (size_t i = 0; i < GROUP; i++)
		close(fds[i]);
}

static int
accepted(int fd)
{
	int count = 0, client;

	while ((client = accept(fd, NULL, NULL)) >= 0) {
		close(client);
		count++;
	}
	return count;
}

static void
come(const struct addr *at)
{
	for (size_t i = 0; i < CLIENTS; i++)
		close(peer_connect(at));
}

static int
connect_error(const struct addr *at)
{
	int fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = connect(fd, &at->sa, at->len) < 0 ? errno : 0;

	close(fd);
	return error;
}

static void
new_ones_take_all(const char *ip)
{
	struct addr at = loopback(ip, 0);
	int old[GROUP], new[GROUP], most = 0, all = 0;

	listen_all(&at, old);
	listen_all(&at, new);
	for (size_t i = 0; i < GROUP; i++)
		sock_stand_alone(new[i], true);
	for (size_t i = 0; i < GROUP; i++)
		if (!sock_hide(old[i]))
			SKIP("not on this kernel");
	come(&at);
	for (size_t i = 0; i < GROUP; i++) {
		int count = accepted(new[i]);

		most = count > most ? count : most;
		assert_int_equal(accepted(old[i]), 0);
	}
	assert_int_equal(most, CLIENTS);
	close_all(old);
	for (size_t i = 0; i < GROUP; i++)
		sock_stand_alone(new[i], false);
	come(&at);
	for (size_t i = 0; i < GROUP; i++) {
		int count = accepted(new[i]);

		all += count;
		assert_in_range(count, 1, CLIENTS - 1);
	}
	assert_int_equal(all, CLIENTS);
	close_all(new);
}

static void
new_ones_take_all_clients(void **state)
{
	(void)state;
	new_ones_take_all("127.0.0.1");
}

static void
new_ones_take_all_clients_of_ipv6(void **state)
{
	struct addr at = loopback("::1", 0);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool have = fd >= 0 && bind(fd, &at.sa, at.len) == 0;

	(void)state;
	close(fd);
	if (!have)
		SKIP("no IPv6 here");
	new_ones_take_all("::1");
}

/* With TCP_DEFER_ACCEPT a handshake is not over before the client has spoken. */
static void
who_is_on_the_way_comes(void **state)
{
	struct addr at = loopback("127.0.0.1", 0);
	const struct sock_listen opts = { .tcp = &plain, .backlog = 16,
		.defer_accept = 10 };
	int fd = sock_listen(&at, &opts), client, server;

	(void)state;
	assert_true(fd >= 0);
	at = addr_of(fd);
	client = peer_connect(&at);
	assert_false(sock_is_hidden(fd));
	if (!sock_hide(fd))
		SKIP("not on this kernel");
	assert_true(sock_is_hidden(fd));
	assert_int_equal(connect_error(&at), ECONNREFUSED);
	assert_false(is_readable(fd));
	peer_send(client, "here");
	assert_true(comes_readable(fd));
	server = peer_accept(fd);
	peer_expect(server, "here");
	peer_send(server, "so am I");
	peer_expect(client, "so am I");
	close(server);
	close(client);
	close(fd);
}

/* What is said of one that is hidden is nothing to who comes after it. */
static void
its_place_is_free(void **state)
{
	struct addr at = loopback("127.0.0.1", 0);
	int fds[GROUP], fd;

	(void)state;
	listen_all(&at, fds);
	for (size_t i = 0; i < GROUP; i++)
		if (!sock_hide(fds[i]))
			SKIP("not on this kernel");
	fd = listen_in_group(&at);
	come(&at);
	assert_int_equal(accepted(fd), CLIENTS);
	close_all(fds);
	come(&at);
	assert_int_equal(accepted(fd), CLIENTS);
	close(fd);
}

static void
a_path_is_none_of_it(void **state)
{
	struct addr at;
	const struct sock_listen opts = { .tcp = &plain, .backlog = 16 };
	int fd;

	(void)state;
	assert_int_equal(addr_from_path(&at, "@sluice-test-deaf"), 0);
	fd = sock_listen(&at, &opts);
	assert_true(fd >= 0);
	assert_false(sock_hide(fd));
	assert_false(sock_is_hidden(fd));
	sock_stand_alone(fd, true);
	assert_int_equal(connect_error(&at), 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_ones_take_all_clients),
		cmocka_unit_test(new_ones_take_all_clients_of_ipv6),
		cmocka_unit_test(who_is_on_the_way_comes),
		cmocka_unit_test(its_place_is_free),
		cmocka_unit_test(a_path_is_none_of_it),
	};

	return cmocka_run_group_tests_name("sock_deaf", tests, NULL, NULL);
}
