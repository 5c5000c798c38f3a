/* Pipes for splicing.  One is in use only while bytes are in it; empty ones are
 * kept for the next.  Where no more are to be had (descriptors, the user's
 * share of fs.pipe-user-pages-soft), whoever asks goes without and copies. */
#ifndef SLUICE_PROXY_PIPE_H
#define SLUICE_PROXY_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIPES_KEPT     64
#define PIPES_RETRY_MS 1000

struct pipe {
	struct pipe *next; /* in the pool */
	int	     in;   /* owned; bytes go in here */
	int	     out;  /* owned */
	size_t	     size; /* that was asked for */
};

struct pipe_pool {
	struct pipe *free;
	unsigned     kept; /* of them */
	unsigned     open; /* these and those in use */
	uint64_t     again_at; /* ms; after a failure none is made before */
};

/* An empty pipe of 'size' bytes or more, with 'most' open at a time, or
 * NULL. */
struct pipe *pipe_take(struct pipe_pool *, size_t size, unsigned most,
    uint64_t now);
void pipe_give(struct pipe_pool *, struct pipe *); /* an empty one */

/* One that still holds bytes, which nobody will get. */
void pipe_drop(struct pipe_pool *, struct pipe *);

/* Descriptors are short: closes what is kept, and makes none for a while. */
void pipe_pool_shed(struct pipe_pool *, uint64_t now);
void pipe_pool_done(struct pipe_pool *);

#endif
