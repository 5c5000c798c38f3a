/* What making sockets of all kinds has in common.  All return 0 or -errno. */
#ifndef SLUICE_NET_SOCK_INTERNAL_H
#define SLUICE_NET_SOCK_INTERNAL_H

#include <sys/types.h>

#include "net/sock.h"

int sock_set(int fd, int level, int name, int value);

/* The fd, or -errno. */
int sock_new_of(int family, int protocol);

/* What a listener has, and what it accepts has from it. */
void sock_set_tcp(int fd, const struct sock_tcp *);

/* What every socket has. */
void sock_set_up(int fd, const struct addr *, const struct sock_tcp *);

/* The path has this mode from the first moment (0: as the umask has it). */
int sock_bind_unix(int fd, const struct addr *, mode_t);

/* The right to have the address of somebody else. */
int sock_set_transparent(int fd, int family);

#endif
