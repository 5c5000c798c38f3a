/* A session's place in the wait list of its upstream, from its first wait until
 * it has a server or ends.  The session's own worker alone calls these. */
#ifndef SLUICE_PROXY_WAITER_H
#define SLUICE_PROXY_WAITER_H

#include <stdbool.h>
#include <stdint.h>

struct mail;
struct session;
struct waiter;
struct waitlist;

/* Not waiting yet; NULL without memory. */
struct waiter *waiter_new(struct session *, struct waitlist *);

/* Waits: behind all others, or before them if it was woken; but one that is
 * choosy lets those pass who are not.  session_advance() comes when its turn
 * has.  False: it is new, and 'most' or more wait already. */
bool waiter_enter(struct waiter *, bool choosy, uint64_t most);

/* Whether its turn has come, and it has neither found anything nor gone back. */
bool waiter_is_awake(const struct waiter *);

/* Its session has a server, or ends: frees it, and wakes the next if this one
 * was awake or the first.  NULL is fine. */
void waiter_leave(struct waiter *);

/* MAIL_WAKE has come. */
void waiter_read(struct mail *);

#endif
