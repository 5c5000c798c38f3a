#include "base/box.h"

#include <fcntl.h>
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

/* Something that can be told apart; its number stands behind the item, as
 * anything may. */
struct letter {
	uint16_t	from;
	uint32_t	number;
	struct box_item item;
};

static unsigned dropped; /* letters that nobody took */

static struct letter *
letter(uint16_t from, uint32_t number)
{
	struct letter *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->from = from;
	l->number = number;
	return l;
}

static struct letter *
next_letter(struct box_list *list)
{
	struct box_item *item = box_next(list);

	return item == NULL ? NULL : BOX_OWNER(item, struct letter, item);
}

static void
drop(struct box_item *item)
{
	free(BOX_OWNER(item, struct letter, item));
	dropped++;
}

static bool
put(struct box *box, uint16_t from, uint32_t number)
{
	struct letter *l = letter(from, number);
	bool taken = box_put(box, &l->item);

	if (!taken)
		free(l);
	return taken;
}

static bool
waits(const struct box *box, int ms)
{
	struct pollfd p = { .fd = box_fd(box), .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static unsigned
take_all(struct box *box, uint32_t first)
{
	struct box_list list;
	struct letter *l;
	unsigned n = 0;

	box_take(box, &list);
	while ((l = next_letter(&list)) != NULL) {
		assert_int_equal(l->number, first + n++);
		free(l);
	}
	return n;
}

static int
box_make(void **state)
{
	*state = box_new(drop);
	return *state == NULL;
}

static int
box_remove(void **state)
{
	box_unref(*state);
	return 0;
}

static void
oldest_first(void **state)
{
	struct box *box = *state;

	assert_int_equal(take_all(box, 0), 0);
	for (uint32_t i = 0; i < 100; i++)
		assert_true(put(box, 1, i));
	assert_int_equal(take_all(box, 0), 100);
	assert_int_equal(take_all(box, 0), 0);
	assert_true(put(box, 1, 7));
	assert_int_equal(take_all(box, 7), 1);
}

static void
readable_while_something_is_there(void **state)
{
	struct box *box = *state;

	assert_false(waits(box, 0));
	assert_true(put(box, 1, 0));
	assert_true(waits(box, 0));
	assert_int_equal(take_all(box, 0), 1);
	assert_false(waits(box, 0));
	assert_true(put(box, 1, 0));
	assert_true(waits(box, 0));
}

/* A system call for the first only: the reader takes all. */
static void
only_the_first_wakes(void **state)
{
	struct box *box = *state;
	eventfd_t wakes = 0;

	for (uint32_t i = 0; i < 10; i++)
		assert_true(put(box, 1, i));
	assert_int_equal(eventfd_read(box_fd(box), &wakes), 0);
	assert_int_equal(wakes, 1);
	assert_true(put(box, 1, 10));
	assert_false(waits(box, 0));
	assert_int_equal(take_all(box, 0), 11);
}

static void
closed_refuses(void **state)
{
	struct box *box = *state;
	struct letter *l = letter(1, 0);

	assert_true(box_close(box));
	assert_false(box_put(box, &l->item));
	assert_false(waits(box, 0));
	assert_int_equal(take_all(box, 0), 0);
	free(l); /* still ours */
	assert_true(box_close(box)); /* and stays closed */
}

static void
does_not_close_over_items(void **state)
{
	struct box *box = *state;

	assert_true(put(box, 1, 0));
	assert_false(box_close(box));
	assert_true(put(box, 1, 1)); /* still open */
	assert_int_equal(take_all(box, 0), 2);
	assert_true(box_close(box));
}

static void
drops_what_is_left(void **state)
{
	struct box *box = *state;
	int fd = box_fd(box);

	dropped = 0;
	assert_true(put(box, 1, 0));
	assert_true(put(box, 1, 1));
	box_ref(box);
	box_unref(box);
	assert_int_equal(dropped, 0);
	box_unref(box);
	assert_int_equal(dropped, 2);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	box_unref(NULL);
	*state = NULL;
}

/* --- several threads */

#define WRITERS 4
#define LETTERS 5000

struct writer {
	struct box *box;
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
		if (put(w->box, w->name, i))
			w->taken++;
		else
			w->refused++;
	}
	return NULL;
}

static void
writers_start(struct writer *writers, struct box *box)
{
	for (uint16_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .box = box, .name = i };
		assert_int_equal(pthread_create(&writers[i].thread, NULL,
		    write_letters, &writers[i]), 0);
	}
}

/* Reads what is there; 'next' is the number each writer has come to. */
static unsigned
read_letters(struct box *box, uint32_t *next)
{
	struct box_list list;
	struct letter *l;
	unsigned n = 0;

	box_take(box, &list);
	while ((l = next_letter(&list)) != NULL) {
		assert_int_equal(l->number, next[l->from]++);
		free(l);
		n++;
	}
	return n;
}

/* Nothing lost, each writer's in order, and no wake-up forgotten: the reader
 * sleeps on the descriptor alone. */
static void
many_writers(void **state)
{
	struct box *box = *state;
	struct writer writers[WRITERS];
	uint32_t next[WRITERS] = { 0 };
	unsigned n = 0;

	writers_start(writers, box);
	while (n < WRITERS * LETTERS && waits(box, PATIENCE_MS))
		n += read_letters(box, next);
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	assert_int_equal(n, WRITERS * LETTERS);
	assert_true(box_close(box));
}

/* Whatever was taken before the box closed is read, and the rest stays with
 * its writer. */
static void
closed_among_writers(void **state)
{
	struct box *box = *state;
	struct writer writers[WRITERS];
	uint32_t next[WRITERS] = { 0 };

	writers_start(writers, box);
	assert_true(waits(box, PATIENCE_MS));
	while (!box_close(box))
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
		ON_BOX(readable_while_something_is_there),
		ON_BOX(only_the_first_wakes),
		ON_BOX(closed_refuses),
		ON_BOX(does_not_close_over_items),
		ON_BOX(drops_what_is_left),
		ON_BOX(many_writers),
		ON_BOX(closed_among_writers),
	};

	return cmocka_run_group_tests_name("box", tests, NULL, NULL);
}
