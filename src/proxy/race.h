/* The attempts to connect one session: one at a time, a server not tried yet
 * at once, one tried before after a pause.
 *
 *	IDLE -> TRYING -> (won)		the winner is s->upstream
 *	  ^	  |
 *	  |	  v  refused, timed out
 *	PAUSED <--+   or RETRYING the same server: a Unix backlog is full, or
 *		      we are out of descriptors or memory
 */
#ifndef SLUICE_PROXY_RACE_H
#define SLUICE_PROXY_RACE_H

#include <stdbool.h>
#include <stdint.h>

struct session;
struct race;

enum race_result { RACE_WON, RACE_RUNNING, RACE_LOST };

/* Begins, with the addresses that are known now.  False without memory. */
bool race_new(struct session *);

/* Looks at what came of the attempt and goes on; RACE_LOST has set s->ending.
 */
enum race_result race_run(struct session *);

/* When the attempt has had its time, and then what. */
uint64_t	 race_deadline(const struct session *);
enum race_result race_expire(struct session *);

void race_free(struct session *); /* none is fine */

#endif
