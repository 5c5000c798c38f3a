/* Moving bytes through a pipe, which the kernel does without a copy. */
#ifndef SLUICE_PROXY_RELAY_SPLICE_H
#define SLUICE_PROXY_RELAY_SPLICE_H

#include <stddef.h>

struct relay;
struct worker;

/* One splice of up to 'most' bytes into a pipe, and what of it goes at once;
 * the rest is pending in the pipe.  How many bytes were read: 0 also when the
 * direction does not want a pipe now, or there is none to be had. */
size_t relay_splice(struct relay *, struct worker *, size_t most);

/* Sends what goes of the pipe. */
void relay_splice_flush(struct relay *);

/* The end of a pump: a pipe without bytes is for others. */
void relay_splice_rest(struct relay *, struct worker *);

/* The end of the session: a pipe with bytes is for nobody. */
void relay_splice_close(struct relay *, struct worker *);

#endif
