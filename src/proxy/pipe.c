#include "pipe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void
pipe_close(struct pipe *p)
{
	close(p->in);
	close(p->out);
	free(p);
}

/* A pipe that could not grow is no good: 64K are dearer than copying much at a
 * time, and past the user's soft limit a new one has two pages. */
static bool
pipe_open(struct pipe *p, size_t size)
{
	int fds[2];

	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return false;
	p->size = size;
	p->out = fds[0];
	p->in = fds[1];
	if (fcntl(p->in, F_SETPIPE_SZ, (int)size) >= (int)size)
		return true;
	close(p->in);
	close(p->out);
	return false;
}

static struct pipe *
pipe_new(size_t size)
{
	struct pipe *p = malloc(sizeof(*p));

	if (p == NULL || pipe_open(p, size))
		return p;
	free(p);
	return NULL;
}

void
pipe_drop(struct pipe_pool *pool, struct pipe *p)
{
	pool->open--;
	pipe_close(p);
}

struct pipe *
pipe_take(struct pipe_pool *pool, size_t size, unsigned most, uint64_t now)
{
	struct pipe *p;

	while ((p = pool->free) != NULL) {
		pool->free = p->next;
		pool->kept--;
		if (p->size == size)
			return p;
		pipe_drop(pool, p); /* pipe_size was another */
	}
	if (pool->open >= most || now < pool->again_at)
		return NULL;
	p = pipe_new(size);
	if (p == NULL)
		pool->again_at = now + PIPES_RETRY_MS;
	else
		pool->open++;
	return p;
}

void
pipe_give(struct pipe_pool *pool, struct pipe *p)
{
	if (pool->kept >= PIPES_KEPT) {
		pipe_drop(pool, p);
		return;
	}
	p->next = pool->free;
	pool->free = p;
	pool->kept++;
}

void
pipe_pool_shed(struct pipe_pool *pool, uint64_t now)
{
	pipe_pool_done(pool);
	pool->again_at = now + PIPES_RETRY_MS;
}

void
pipe_pool_done(struct pipe_pool *pool)
{
	while (pool->free != NULL) {
		struct pipe *p = pool->free;

		pool->free = p->next;
		pipe_drop(pool, p);
	}
	pool->kept = 0;
}
