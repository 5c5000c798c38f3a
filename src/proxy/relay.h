/* A relay is one direction of a session: what is read from one side is sent to
 * the other, in order, and the end of the stream after the last byte.
 *
 *	from --recv--> scratch --send--> to	a few bytes (relay_copy.c)
 *			  \--> spill ----^	what 'to' would not take
 *	from --splice--> pipe --splice--> to	many (relay_splice.c)
 *
 * What was taken on and is not sent yet is in the spill or in the pipe, never
 * in both, and nothing more is read before it is gone. */
#ifndef SLUICE_PROXY_RELAY_H
#define SLUICE_PROXY_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/conn.h"
#include "pipe.h"
#include "spill.h"

struct session;
struct worker;

/* How much one direction moves before others have their turn. */
#define RELAY_READ	  (64 * 1024) /* at a time, but for bulk */
#define RELAY_BUDGET	  (256 * 1024)
#define RELAY_BULK_BUDGET (1024 * 1024)

TAILQ_HEAD(relay_queue, relay);

struct relay {
	struct session *session;
	struct conn    *from;
	struct conn    *to;
	struct spill   *spill; /* owned; NULL: no bytes in it */
	struct pipe    *pipe;  /* owned; NULL but for a pump, and while it
				  holds bytes */
	uint64_t	bytes; /* taken on: sent, or pending */
	uint32_t	pending; /* bytes in the spill or in the pipe */
	uint8_t		streak; /* of reads or pumps that speak against 'bulk' */
	uint8_t		doubted; /* when, by the worker's doubts */
	bool		bulk : 1; /* moves much at a time */
	bool		tcp : 1;  /* from is: a short read has emptied it */
	bool		done : 1; /* everything delivered, FIN included */
	bool		held : 1; /* out of tokens: nothing more is taken on */
	struct relay_queue *queue; /* that it waits in, or NULL */
	TAILQ_ENTRY(relay) link;
};

void relay_open(struct relay *, struct session *, struct conn *from,
    struct conn *to);

/* Goes to the end of a queue, out of the one that it waits in; or only that. */
void relay_wait(struct relay *, struct relay_queue *);

/* Gives back spill and pipe and leaves the run queue. Closed already is
 * fine. */
void relay_close(struct relay *, struct worker *);

/* Moves what can be moved within the budget, passes FIN on when all was sent.
 * Where the far side takes nothing any more, what comes is thrown away.
 * Errors stick to the conns. Returns 0, or -ENOMEM: bytes were read that have
 * no place; the session must end. */
int relay_pump(struct relay *, struct worker *);

/* Whether a pump would find work: this, asked once at the end of an advance,
 * decides about the run queue. */
bool relay_runnable(const struct relay *);

/* Bytes that the far side's kernel took. */
uint64_t relay_delivered(const struct relay *);

/* Whether nothing more will come from 'from', and nothing is in flight. */
bool relay_drained(const struct relay *);

#endif
