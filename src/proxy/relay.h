/* A relay is one direction of a session: what is read from one side is sent to
 * the other, in order, and the end of the stream after the last byte.
 *
 *	from --recv--> scratch --send--> to
 *			  \--> spill ----^	what 'to' would not take
 */
#ifndef SLUICE_PROXY_RELAY_H
#define SLUICE_PROXY_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/conn.h"
#include "spill.h"

struct session;
struct worker;

/* How much one direction moves before others have their turn. */
#define RELAY_BUDGET (256 * 1024)

struct relay {
	struct session *session;
	struct conn    *from;
	struct conn    *to;
	struct spill   *spill; /* owned; NULL: no bytes in flight */
	uint64_t	bytes; /* taken on: sent, or in the spill */
	TAILQ_ENTRY(relay) link;
	bool		queued;
	bool		done; /* everything delivered, FIN included */
};
TAILQ_HEAD(relay_queue, relay);

void relay_open(struct relay *, struct session *, struct conn *from,
    struct conn *to);

/* Gives back the spill and leaves the run queue. Closed already is fine. */
void relay_close(struct relay *, struct worker *);

/* Moves what can be moved within the budget, passes FIN on when all was sent.
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
