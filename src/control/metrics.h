/* What /metrics is made of: families of samples.  metrics.c says which there
 * are, metrics_write.c writes them. */
#ifndef SLUICE_CONTROL_METRICS_H
#define SLUICE_CONTROL_METRICS_H

#include "admin-internal.h"
#include "process.h"
#include "proto/promtext.h"

/* A server's name may have 127 bytes, each of which becomes four as text and
 * eight where Prometheus wants them escaped. */
#define METRICS_LINE 2048

/* What the samples of a family are about: one is written for each. */
enum scope {
	SCOPE_PROCESS,
	SCOPE_LISTENER,
	SCOPE_UPSTREAM,
	SCOPE_SERVER, /* that an upstream has now */
	SCOPE_WORKER,
};

struct metrics {
	const struct admin_view *view;
	struct process		 process;
	size_t			 next; /* family */
	struct evbuffer		*out;  /* while one is written */

	/* What the next sample is about, as its labels and as counters. */
	size_t		      index; /* worker; place of listener, upstream */
	bool		      routes; /* LISTENER: it has rules */
	const char	     *listener, *upstream, *server, *worker;
	const void	     *row;
	const struct server  *known; /* SERVER: what main knows of it */
	struct listener_stats counted; /* LISTENER, WORKER: summed up */
	struct upstream_stats upstreamed;

	struct promtext line;
	char		text[METRICS_LINE];
};

struct family {
	enum scope  scope;
	const char *name, *type, *help;
	void (*write)(struct metrics *, const struct family *);
	size_t offset; /* in the row: of a counter's value, of a histogram */
	uint64_t (*value)(const struct metrics *); /* of write_value() ... */
};

/* All samples of a family, and what comes before them. */
void metrics_write(struct metrics *, const struct family *);

/* One sample; write_known() writes none if the value is 0. */
void write_counter(struct metrics *, const struct family *);
void write_value(struct metrics *, const struct family *);
void write_known(struct metrics *, const struct family *);
void write_seconds(struct metrics *, const struct family *); /* of us */

/* Several, told apart by one more label or two. */
void write_times(struct metrics *, const struct family *);
void write_bytes(struct metrics *, const struct family *);
void write_ended(struct metrics *, const struct family *);
void write_reloads(struct metrics *, const struct family *);
void write_routed(struct metrics *, const struct family *);
void write_paused(struct metrics *, const struct family *);
void write_denied(struct metrics *, const struct family *);
void write_failures(struct metrics *, const struct family *);

#endif
