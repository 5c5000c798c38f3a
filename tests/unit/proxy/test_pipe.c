#include "pipe.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../net/loopback.h"

#define SIZE	  (128 * 1024)
#define NO_LIMIT  1000
#define NOW	  5000
#define NOBODY	  65534

/* Takes so many, gives them all back. */
static void
take_and_give(struct pipe_pool *pool, size_t count)
{
	struct pipe **taken = calloc(count, sizeof(*taken));

	for (size_t i = 0; i < count; i++) {
		taken[i] = pipe_take(pool, SIZE, NO_LIMIT, NOW);
		assert_non_null(taken[i]);
	}
	assert_int_equal(pool->kept, 0);
	assert_int_equal(pool->open, count);
	for (size_t i = 0; i < count; i++)
		pipe_give(pool, taken[i]);
	free(taken);
}

static void
carries_bytes_one_way(void **state)
{
	struct pipe_pool pool = { 0 };
	struct pipe *p = pipe_take(&pool, SIZE, NO_LIMIT, NOW);
	char got[8] = "";

	(void)state;
	assert_true(fcntl(p->in, F_GETPIPE_SZ) >= SIZE);
	assert_true(fcntl(p->in, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(p->out, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(p->in, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(p->out, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(p->in, "bytes", 5), 5);
	assert_int_equal(read(p->out, got, sizeof(got)), 5);
	assert_string_equal(got, "bytes");
	pipe_give(&pool, p);
	pipe_pool_done(&pool);
}

static void
given_back_is_used_again(void **state)
{
	struct pipe_pool pool = { 0 };
	struct pipe *first, *second;

	(void)state;
	first = pipe_take(&pool, SIZE, NO_LIMIT, NOW);
	second = pipe_take(&pool, SIZE, NO_LIMIT, NOW);
	assert_ptr_not_equal(first, second);
	pipe_give(&pool, first);
	assert_int_equal(pool.kept, 1);
	assert_ptr_equal(pipe_take(&pool, SIZE, NO_LIMIT, NOW), first);
	assert_int_equal(pool.kept, 0);
	assert_int_equal(pool.open, 2);
	pipe_give(&pool, first);
	pipe_give(&pool, second);
	pipe_pool_done(&pool);
	assert_int_equal(pool.open, 0);
}

/* pipe_size is another after a reload. */
static void
of_another_size_is_not_used_again(void **state)
{
	struct pipe_pool pool = { 0 };
	struct pipe *p;

	(void)state;
	take_and_give(&pool, 3);
	p = pipe_take(&pool, 2 * SIZE, NO_LIMIT, NOW);
	assert_true(fcntl(p->in, F_GETPIPE_SZ) >= 2 * SIZE);
	assert_int_equal(pool.open, 1);
	assert_int_equal(pool.kept, 0);
	pipe_give(&pool, p);
	pipe_pool_done(&pool);
}

static void
dropped_is_closed(void **state)
{
	struct pipe_pool pool = { 0 };
	int before = next_fd();
	struct pipe *p = pipe_take(&pool, SIZE, NO_LIMIT, NOW);

	(void)state;
	assert_int_equal(write(p->in, "bytes", 5), 5);
	assert_true(next_fd() > before);
	pipe_drop(&pool, p);
	assert_int_equal(pool.open, 0);
	assert_int_equal(pool.kept, 0);
	assert_int_equal(next_fd(), before);
}

static void
keeps_some(void **state)
{
	struct pipe_pool pool = { 0 };
	int before = next_fd();

	(void)state;
	take_and_give(&pool, PIPES_KEPT + 5);
	assert_int_equal(pool.kept, PIPES_KEPT);
	assert_int_equal(pool.open, PIPES_KEPT);
	pipe_pool_done(&pool);
	assert_int_equal(pool.kept, 0);
	assert_int_equal(pool.open, 0);
	assert_int_equal(next_fd(), before);
	pipe_pool_done(&pool);
}

static void
has_no_more_open_than_allowed(void **state)
{
	struct pipe_pool pool = { 0 };
	struct pipe *first, *second;

	(void)state;
	assert_null(pipe_take(&pool, SIZE, 0, NOW));
	first = pipe_take(&pool, SIZE, 2, NOW);
	second = pipe_take(&pool, SIZE, 2, NOW);
	assert_non_null(second);
	assert_null(pipe_take(&pool, SIZE, 2, NOW));

	pipe_give(&pool, first); /* the one that is kept is one of the two */
	assert_ptr_equal(pipe_take(&pool, SIZE, 2, NOW), first);
	assert_null(pipe_take(&pool, SIZE, 2, NOW));
	pipe_drop(&pool, first);
	first = pipe_take(&pool, SIZE, 2, NOW);
	assert_non_null(first);
	pipe_drop(&pool, first);
	pipe_drop(&pool, second);
}

static void
sheds_what_is_kept_and_makes_none_for_a_while(void **state)
{
	struct pipe_pool pool = { 0 };
	struct pipe *used = pipe_take(&pool, SIZE, NO_LIMIT, NOW), *p;

	(void)state;
	pipe_give(&pool, pipe_take(&pool, SIZE, NO_LIMIT, NOW));
	pipe_pool_shed(&pool, NOW);
	assert_int_equal(pool.kept, 0);
	assert_int_equal(pool.open, 1); /* that one is in use */
	assert_null(pipe_take(&pool, SIZE, NO_LIMIT, NOW));
	assert_null(pipe_take(&pool, SIZE, NO_LIMIT, NOW + PIPES_RETRY_MS - 1));

	pipe_give(&pool, used); /* and who gives one back gets it again */
	assert_ptr_equal(pipe_take(&pool, SIZE, NO_LIMIT, NOW), used);
	p = pipe_take(&pool, SIZE, NO_LIMIT, NOW + PIPES_RETRY_MS);
	assert_non_null(p);
	pipe_drop(&pool, p);
	pipe_drop(&pool, used);
}

/* So many descriptors from here on; returns what it was. */
static rlim_t
limit_fds(rlim_t most)
{
	struct rlimit limit;
	rlim_t before;

	getrlimit(RLIMIT_NOFILE, &limit);
	before = limit.rlim_cur;
	limit.rlim_cur = most;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static void
without_descriptors_there_is_none_for_a_while(void **state)
{
	struct pipe_pool pool = { 0 };
	int before = next_fd();
	struct pipe *p;
	rlim_t enough;

	(void)state;
	enough = limit_fds((rlim_t)before + 1); /* one, and it takes two */
	p = pipe_take(&pool, SIZE, NO_LIMIT, NOW);
	limit_fds(enough);
	assert_null(p);
	assert_int_equal(pool.open, 0);
	assert_int_equal(next_fd(), before);
	assert_null(pipe_take(&pool, SIZE, NO_LIMIT, NOW));
	assert_null(pipe_take(&pool, SIZE, NO_LIMIT, NOW + PIPES_RETRY_MS - 1));
	p = pipe_take(&pool, SIZE, NO_LIMIT, NOW + PIPES_RETRY_MS);
	assert_non_null(p);
	pipe_drop(&pool, p);
}

static size_t
largest_pipe(void)
{
	FILE *f = fopen("/proc/sys/fs/pipe-max-size", "re");
	unsigned long size = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu", &size), 1);
	fclose(f);
	return size;
}

/* 0 if a pipe that may not be so large leaves nothing behind. */
static int
refused(size_t size)
{
	struct pipe_pool pool = { 0 };
	int before = next_fd();

	if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return 1;
	if (pipe_take(&pool, size, NO_LIMIT, NOW) != NULL)
		return 2;
	if (pool.open != 0 || pool.kept != 0 || next_fd() != before)
		return 3;
	return pool.again_at == NOW + PIPES_RETRY_MS ? 0 : 4;
}

static void
one_that_cannot_grow_is_no_good(void **state)
{
	size_t size = largest_pipe() * 2;
	int status = -1;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(refused(size));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_bytes_one_way),
		cmocka_unit_test(given_back_is_used_again),
		cmocka_unit_test(of_another_size_is_not_used_again),
		cmocka_unit_test(dropped_is_closed),
		cmocka_unit_test(keeps_some),
		cmocka_unit_test(has_no_more_open_than_allowed),
		cmocka_unit_test(sheds_what_is_kept_and_makes_none_for_a_while),
		cmocka_unit_test(without_descriptors_there_is_none_for_a_while),
		cmocka_unit_test(one_that_cannot_grow_is_no_good),
	};

	return cmocka_run_group_tests_name("pipe", tests, NULL, NULL);
}
