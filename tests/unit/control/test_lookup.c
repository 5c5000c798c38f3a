#include "lookup.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PATIENCE_MS 20000

/* A name whose look-up takes until the test says so. */
#define SLOW "slow.test"

static sem_t entered, leave;
static atomic_bool signals_blocked;

/* Stands before the C library's. */
int
getaddrinfo(const char *host, const char *service,
    const struct addrinfo *hints, struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
	sigset_t set;

	if (strcmp(host, SLOW) == 0) {
		pthread_sigmask(SIG_BLOCK, NULL, &set);
		atomic_store(&signals_blocked, sigismember(&set, SIGTERM) &&
		    sigismember(&set, SIGHUP) && sigismember(&set, SIGINT));
		sem_post(&entered);
		while (sem_wait(&leave) < 0)
			;
		return EAI_AGAIN;
	}
	memcpy(&real, &symbol, sizeof(real));
	return real(host, service, hints, list);
}

static void
wait_until_entered(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	assert_int_equal(sem_timedwait(&entered, &until), 0);
}

static int
box_make(void **state)
{
	sem_init(&entered, 0, 0);
	sem_init(&leave, 0, 0);
	*state = lookup_box_new();
	return *state == NULL;
}

static int
box_leave(void **state)
{
	if (*state != NULL)
		box_unref(*state);
	return 0;
}

static bool
waits(struct box *box, int ms)
{
	struct pollfd p = { .fd = box_fd(box), .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

/* Answers that came in one. */
static struct box_list taken = STAILQ_HEAD_INITIALIZER(taken);

static struct lookup *
take_now(struct box *box)
{
	if (STAILQ_EMPTY(&taken))
		box_take(box, &taken);
	return lookup_next(&taken);
}

/* The next answer, once it is there. */
static struct lookup *
take(struct box *box)
{
	struct lookup *lookup = take_now(box);

	while (lookup == NULL && waits(box, PATIENCE_MS))
		lookup = take_now(box);
	assert_non_null(lookup);
	return lookup;
}

static void
start_one(struct box *box, const char *host, uint64_t id)
{
	assert_int_equal(lookup_start(box, host, id), 0);
}

static void
localhost_is_known(void **state)
{
	char host[] = "localhost";
	struct lookup *l;

	start_one(*state, host, 7);
	memset(host, 'x', sizeof(host) - 1); /* it has a copy */
	l = take(*state);
	assert_int_equal(l->id, 7);
	assert_string_equal(l->host, "localhost");
	assert_int_equal(l->error, 0);
	assert_true(l->count > 0);
	for (size_t i = 0; i < l->count; i++) {
		const struct addr *a = &l->addrs[i];

		assert_int_equal(addr_port(a), 0);
		assert_true(a->sa.sa_family == AF_INET ?
		    ntohl(a->in.sin_addr.s_addr) >> 24 == 127 :
		    IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr));
	}
	lookup_free(l);
	assert_null(take_now(*state));
	assert_false(waits(*state, 0));
}

static void
numbers_are_their_own_answer(void **state)
{
	struct addr wanted;
	struct lookup *l;

	start_one(*state, "192.0.2.9", 0);
	l = take(*state);
	assert_int_equal(addr_from_ip(&wanted, "192.0.2.9", 0), 0);
	assert_int_equal(l->error, 0);
	assert_int_equal(l->count, 1); /* not one a socket type */
	assert_true(addr_equal(&l->addrs[0], &wanted));
	lookup_free(l);
}

static void
nonsense_is_an_error(void **state)
{
	struct lookup *l;

	start_one(*state, "no..such", 0);
	l = take(*state);
	assert_int_equal(l->error, EAI_NONAME);
	assert_int_equal(l->count, 0);
	assert_null(l->addrs);
	lookup_free(l);
}

static void
many_at_once(void **state)
{
	bool seen[20] = { false };

	for (size_t i = 0; i < 20; i++)
		start_one(*state, "127.0.0.1", i);
	for (size_t i = 0; i < 20; i++) {
		struct lookup *l = take(*state);

		assert_true(l->id < 20);
		assert_false(seen[l->id]);
		seen[l->id] = true;
		lookup_free(l);
	}
	assert_null(take_now(*state));
}

static void
slow_one_holds_up_nobody(void **state)
{
	struct lookup *l;

	start_one(*state, SLOW, 1);
	wait_until_entered();
	assert_true(signals_blocked); /* those are the main thread's */
	start_one(*state, "127.0.0.1", 2);
	l = take(*state);
	assert_int_equal(l->id, 2);
	lookup_free(l);
	assert_null(take_now(*state));
	sem_post(&leave);
	l = take(*state);
	assert_int_equal(l->id, 1);
	assert_int_equal(l->error, EAI_AGAIN);
	lookup_free(l);
}

/* The box goes with its descriptor. */
static void
wait_until_freed(int fd)
{
	for (int ms = 0; fcntl(fd, F_GETFD) >= 0 && ms < PATIENCE_MS; ms++)
		poll(NULL, 0, 1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* The last thread frees the box and its own answer; what is lost is for the
 * sanitizer to find. */
static void
closed_while_one_runs(void **state)
{
	int fd = box_fd(*state);

	start_one(*state, SLOW, 1);
	start_one(*state, SLOW, 2);
	wait_until_entered();
	wait_until_entered();
	box_unref(*state);
	*state = NULL;
	assert_true(fcntl(fd, F_GETFD) >= 0); /* they have it still */
	sem_post(&leave);
	sem_post(&leave);
	wait_until_freed(fd);
}

static void
closed_with_an_answer_in_it(void **state)
{
	int fd = box_fd(*state);

	start_one(*state, "127.0.0.1", 1);
	assert_true(waits(*state, PATIENCE_MS));
	box_unref(*state);
	*state = NULL;
	wait_until_freed(fd);
}

#define ON_BOX(f) cmocka_unit_test_setup_teardown(f, box_make, box_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOX(localhost_is_known),
		ON_BOX(numbers_are_their_own_answer),
		ON_BOX(nonsense_is_an_error),
		ON_BOX(many_at_once),
		ON_BOX(slow_one_holds_up_nobody),
		ON_BOX(closed_while_one_runs),
		ON_BOX(closed_with_an_answer_in_it),
	};

	return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}
