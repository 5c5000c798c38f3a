/* One daemon at a time binds its ports.
 *
 * Between finding a port free and listening on it with SO_REUSEPORT another
 * daemon of the same user could do the same, and both would share the port. An
 * abstract Unix address lasts as long as its socket and belongs to the network
 * namespace, as ports do (unix(7)): who binds it goes first. */
#ifndef SLUICE_CONTROL_TURNSTILE_H
#define SLUICE_CONTROL_TURNSTILE_H

/* Waits for others that bind, a few seconds at most: who holds the address for
 * longer is none of ours.  The fd to give to turnstile_leave(), or -1. */
int  turnstile_enter(void);
void turnstile_leave(int fd); /* -1 is fine */

#endif
