/* One datagram a line to the system's logger.  syslog(3) does not tell what it
 * could not send; a dropped line is to be counted. */
#ifndef SLUICE_CONTROL_SYSLOGGER_H
#define SLUICE_CONTROL_SYSLOGGER_H

#include <stddef.h>

/* Connects to the logger's socket.  A descriptor or -errno. */
int syslogger_open(void);

/* Sends one line without blocking, to a logger that was started anew if need
 * be ('fd' may change, and is -1 while there is none).  0 or -errno. */
int syslogger_send(int *fd, const char *line, size_t len);

#endif
