/* Tells the service manager how we are: sd_notify(3), without its library.
 *
 * Who starts us names a datagram socket in $NOTIFY_SOCKET; without it these do
 * nothing.  None ever waits for room: a message that finds none, or no listener,
 * is lost, and a warning says so. */
#ifndef SLUICE_CONTROL_NOTIFY_H
#define SLUICE_CONTROL_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>

/* Every port is open.  'status' is one line of text for people.  0 or -errno;
 * -EAGAIN: there was no room, and who waits for this goes on waiting. */
int notify_ready(const char *status);

void notify_status(const char *status);

/* The configuration is read anew; READY follows, whatever comes of it. */
void notify_reloading(void);

/* All is well (WatchdogSec=). */
void notify_alive(void);

/* Lines that come with descriptors, of which there are NOTIFY_FDS at most.  0 if
 * they were taken or nobody asks for them; -errno: nobody took them within
 * 100 ms. */
#define NOTIFY_FDS 253 /* unix(7), SCM_RIGHTS */
int notify_fds(const char *text, const int *fds, size_t count);

/* Waits until all was done that was said so far.  0 or -errno. */
int notify_barrier(int timeout_ms);

/* No client is accepted any more, and we shall end. */
void notify_stopping(void);

#endif
