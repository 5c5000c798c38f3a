#include "mailbox.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 20000

/* Mail that can be told apart. */
static struct mail *
letter(uint16_t from, uint32_t number)
{
	struct mail *mail = mail_new(MAIL_DRAIN);

	assert_non_null(mail);
	mail->peer.port = from;
	mail->peer.scope = number;
	return mail;
}

static bool
waits(const struct mailbox *box, int ms)
{
	struct pollfd p = { .fd = mailbox_fd(box), .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static unsigned
take_all(struct mailbox *box, uint32_t first)
{
	struct mail_list list;
	struct mail *mail;
	unsigned n = 0;

	mailbox_take(box, &list);
	while ((mail = STAILQ_FIRST(&list)) != NULL) {
		STAILQ_REMOVE_HEAD(&list, link);
		assert_int_equal(mail->peer.scope, first + n++);
		mail_free(mail);
	}
	return n;
}

static int
box_make(void **state)
{
	*state = mailbox_new();
	return *state == NULL;
}

static int
box_remove(void **state)
{
	mailbox_free(*state);
	return 0;
}

static void
oldest_first(void **state)
{
	struct mailbox *box = *state;

	assert_int_equal(take_all(box, 0), 0);
	for (uint32_t i = 0; i < 100; i++)
		assert_true(mailbox_put(box, letter(1, i)));
	assert_int_equal(take_all(box, 0), 100);
	assert_int_equal(take_all(box, 0), 0);
	assert_true(mailbox_put(box, letter(1, 7)));
	assert_int_equal(take_all(box, 7), 1);
}

static void
readable_while_mail_is_there(void **state)
{
	struct mailbox *box = *state;

	assert_false(waits(box, 0));
	assert_true(mailbox_put(box, letter(1, 0)));
	assert_true(waits(box, 0));
	assert_int_equal(take_all(box, 0), 1);
	assert_false(waits(box, 0));
	assert_true(mailbox_put(box, letter(1, 0)));
	assert_true(waits(box, 0));
}

/* A system call for the first only: the reader takes all. */
static void
only_the_first_wakes(void **state)
{
	struct mailbox *box = *state;
	eventfd_t wakes = 0;

	for (uint32_t i = 0; i < 10; i++)
		assert_true(mailbox_put(box, letter(1, i)));
	assert_int_equal(eventfd_read(mailbox_fd(box), &wakes), 0);
	assert_int_equal(wakes, 1);
	assert_true(mailbox_put(box, letter(1, 10)));
	assert_false(waits(box, 0));
	assert_int_equal(take_all(box, 0), 11);
}

static void
closed_refuses(void **state)
{
	struct mailbox *box = *state;
	struct mail *mail = letter(1, 0);

	assert_true(mailbox_close(box));
	assert_false(mailbox_put(box, mail));
	assert_false(waits(box, 0));
	assert_int_equal(take_all(box, 0), 0);
	mail_free(mail); /* still ours */
	assert_true(mailbox_close(box)); /* and stays closed */
}

static void
does_not_close_over_mail(void **state)
{
	struct mailbox *box = *state;

	assert_true(mailbox_put(box, letter(1, 0)));
	assert_false(mailbox_close(box));
	assert_true(mailbox_put(box, letter(1, 1))); /* still open */
	assert_int_equal(take_all(box, 0), 2);
	assert_true(mailbox_close(box));
}

static void
frees_what_is_left(void **state)
{
	struct mailbox *box = *state;
	struct mail *mail = letter(1, 0);
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	mail->fds = malloc(sizeof(*mail->fds));
	mail->fds[0] = (struct listen_fd){ .fd = fds[1] };
	mail->nfds = 1;
	assert_true(mailbox_put(box, mail));
	assert_true(mailbox_put(box, letter(1, 1)));
	mailbox_free(box);
	assert_int_equal(read(fds[0], &(char){ 0 }, 1), 0);
	close(fds[0]);
	mailbox_free(NULL);
	*state = NULL;
}

/* --- several threads */

#define WRITERS 4
#define LETTERS 5000

struct writer {
	struct mailbox *box;
	uint16_t	name;
	pthread_t	thread;
	unsigned	taken;	 /* by the box */
	unsigned	refused; /* after it was closed */
};

static void *
write_letters(void *arg)
{
	struct writer *w = arg;

	for (uint32_t i = 0; i < LETTERS; i++) {
		struct mail *mail = letter(w->name, i);

		if (mailbox_put(w->box, mail)) {
			w->taken++;
		} else {
			w->refused++;
			mail_free(mail);
		}
	}
	return NULL;
}

static void
writers_start(struct writer *writers, struct mailbox *box)
{
	for (uint16_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .box = box, .name = i };
		assert_int_equal(pthread_create(&writers[i].thread, NULL,
		    write_letters, &writers[i]), 0);
	}
}

/* Reads what is there; 'next' is the number each writer has come to. */
static unsigned
read_letters(struct mailbox *box, uint32_t *next)
{
	struct mail_list list;
	struct mail *mail;
	unsigned n = 0;

	mailbox_take(box, &list);
	while ((mail = STAILQ_FIRST(&list)) != NULL) {
		STAILQ_REMOVE_HEAD(&list, link);
		assert_int_equal(mail->peer.scope, next[mail->peer.port]++);
		mail_free(mail);
		n++;
	}
	return n;
}

/* Nothing lost, each writer's in order, and no wake-up forgotten: the reader
 * sleeps on the descriptor alone. */
static void
many_writers(void **state)
{
	struct mailbox *box = *state;
	struct writer writers[WRITERS];
	uint32_t next[WRITERS] = { 0 };
	unsigned n = 0;

	writers_start(writers, box);
	while (n < WRITERS * LETTERS && waits(box, PATIENCE_MS))
		n += read_letters(box, next);
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	assert_int_equal(n, WRITERS * LETTERS);
	assert_true(mailbox_close(box));
}

/* Whatever was taken before the box closed is read, and the rest stays with
 * its writer. */
static void
closed_among_writers(void **state)
{
	struct mailbox *box = *state;
	struct writer writers[WRITERS];
	uint32_t next[WRITERS] = { 0 };

	writers_start(writers, box);
	assert_true(waits(box, PATIENCE_MS));
	while (!mailbox_close(box))
		read_letters(box, next);
	for (unsigned i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		assert_int_equal(writers[i].taken, next[i]);
		assert_int_equal(writers[i].taken + writers[i].refused,
		    LETTERS);
	}
	assert_int_equal(read_letters(box, next), 0);
}

#define ON_BOX(f) cmocka_unit_test_setup_teardown(f, box_make, box_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOX(oldest_first),
		ON_BOX(readable_while_mail_is_there),
		ON_BOX(only_the_first_wakes),
		ON_BOX(closed_refuses),
		ON_BOX(does_not_close_over_mail),
		ON_BOX(frees_what_is_left),
		ON_BOX(many_writers),
		ON_BOX(closed_among_writers),
	};

	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
