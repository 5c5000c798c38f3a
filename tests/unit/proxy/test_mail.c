#include "proxy/mail.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../net/loopback.h"

static void
new_is_empty(void **state)
{
	struct mail *mail = mail_new(MAIL_ADOPT);

	(void)state;
	assert_non_null(mail);
	assert_int_equal(mail->kind, MAIL_ADOPT);
	assert_null(mail->snapshot);
	assert_null(mail->pool);
	assert_null(mail->fds);
	assert_int_equal(mail->nfds, 0);
	assert_false(mail->client.open);
	mail_free(mail);
	assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* nobody's fd 0 */
}

static void
free_closes_the_listening_sockets(void **state)
{
	struct mail *mail = mail_new(MAIL_SNAPSHOT);

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(mail_add_listener(mail, peer_listen(1), NULL),
		    0);
	mail->nfds--; /* one that the worker took over */
	close(mail->fds[2].fd);
	free(mail->fds[2].listener);
	{
		int fds[] = { mail->fds[0].fd, mail->fds[1].fd };

		mail_free(mail);
		assert_int_equal(fcntl(fds[0], F_GETFD), -1);
		assert_int_equal(fcntl(fds[1], F_GETFD), -1);
	}
}

/* A client that nobody takes is not to believe that all went well. */
static void
free_resets_the_client(void **state)
{
	struct mail *mail = mail_new(MAIL_ADOPT);
	int ours, theirs;

	(void)state;
	tcp_pair(&ours, &theirs);
	conn_hold(&mail->client, ours);
	mail_free(mail);
	assert_int_equal(peer_end(theirs), -ECONNRESET);
	close(theirs);
}

static void
client_taken_back_stays_open(void **state)
{
	struct mail *mail = mail_new(MAIL_ADOPT);
	int ours, theirs;

	(void)state;
	tcp_pair(&ours, &theirs);
	conn_hold(&mail->client, ours);
	mail->client.open = false;
	mail_free(mail);
	peer_send(theirs, "x");
	peer_expect(ours, "x");
	close(ours);
	close(theirs);
}

static void
free_drops_the_endpoints(void **state)
{
	struct endpoint_set *set = endpoint_set_new(0, 1);
	struct mail *mail = mail_new_endpoints(set, 0);

	(void)state;
	assert_int_equal(set->refs, 2);
	mail_free(mail);
	assert_int_equal(set->refs, 1);
	endpoint_set_unref(set);
}

/* Freed with its last reference: a leak is for the sanitizer to find. */
static void
free_drops_the_snapshot(void **state)
{
	static const char text[] = "[listener]\nbind = 127.0.0.1:1\n"
	    "[upstream]\nhost = 127.0.0.1\nport = 2\n";
	struct mail *mail = mail_new(MAIL_SNAPSHOT);
	struct config_errors errors = { 0 };
	struct config *config;

	(void)state;
	config = config_load_text("test", text, strlen(text), &errors);
	assert_non_null(config);
	config_errors_free(&errors);
	mail->snapshot = snapshot_new(config);
	assert_non_null(mail->snapshot);
	mail_free(mail);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_is_empty),
		cmocka_unit_test(free_closes_the_listening_sockets),
		cmocka_unit_test(free_resets_the_client),
		cmocka_unit_test(client_taken_back_stays_open),
		cmocka_unit_test(free_drops_the_endpoints),
		cmocka_unit_test(free_drops_the_snapshot),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
