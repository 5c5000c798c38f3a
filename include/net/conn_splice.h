/* Moving a connection's bytes without looking at them: splice(2) between its
 * socket and a pipe.  A pipe has a number of slots, not of bytes: many small
 * segments fill it.  SIGPIPE has to be ignored, splice(2) knows no
 * MSG_NOSIGNAL. */
#ifndef SLUICE_NET_CONN_SPLICE_H
#define SLUICE_NET_CONN_SPLICE_H

#include <stddef.h>

struct conn;

/* From the socket into an empty pipe: bytes > 0, or 0 and nothing was learned
 * but perhaps an error: conn_recv() then finds out why.  The end of the stream
 * looks like a moment without data to splice(2), and it stops for ever at
 * urgent data that recv(2) passes (tcp_read_sock()). */
size_t conn_splice_from(struct conn *, int pipe, size_t most);

/* From a pipe that holds 'len' bytes to the socket: how many were taken.  None
 * has cleared 'writable' or set 'error' or 'write_error', fewer prove
 * nothing. */
size_t conn_splice_to(struct conn *, int pipe, size_t len);

#endif
