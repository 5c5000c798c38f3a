/* A PROXY header that nobody reads: it goes to the server, which takes it for
 * what the client says.  Who sees the server fail shall not have to guess. */
#ifndef SLUICE_PROXY_STRAY_H
#define SLUICE_PROXY_STRAY_H

#include <stddef.h>
#include <stdint.h>

struct session;

/* Looks at the first that a client says to its server, and notes for the record
 * if that begins a header. */
void stray_look(struct session *, const uint8_t *data, size_t len);

#endif
