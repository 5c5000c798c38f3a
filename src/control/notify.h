/* Tells the service manager how we are: sd_notify(3), without its library.
 *
 * Who starts us names a datagram socket in $NOTIFY_SOCKET; without it these do
 * nothing.  None ever waits: a message that finds no room or no listener is
 * lost, and a warning says so. */
#ifndef SLUICE_CONTROL_NOTIFY_H
#define SLUICE_CONTROL_NOTIFY_H

/* Every port is open.  'status' is one line of text for people. */
void notify_ready(const char *status);

void notify_status(const char *status);

/* No client is accepted any more, and we shall end. */
void notify_stopping(void);

#endif
