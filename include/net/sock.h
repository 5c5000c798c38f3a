/* Sockets: made, set up, bound, connected.  Nothing here knows of an event
 * loop.  All are non-blocking and close-on-exec. */
#ifndef SLUICE_NET_SOCK_H
#define SLUICE_NET_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

/* What both sides of a session have set. Times in seconds, as in tcp(7). */
struct sock_tcp {
	bool nodelay;
	bool keepalive;
	int  keepalive_idle;
	int  keepalive_interval;
	int  keepalive_count;
	int  receive_buffer; /* bytes; 0: the kernel tunes it */
	int  send_buffer;
};

/* Whose the path of a Unix socket is; -1: as it comes. */
struct sock_owner {
	uid_t uid;
	gid_t gid;
};

struct sock_listen {
	const struct sock_tcp *tcp; /* Linux hands it on to what is accepted */
	int  backlog;	/* or SOCK_BACKLOG_KEPT, of one that listens */
	bool dual;	/* an IPv6 wildcard that takes IPv4 as well */
	bool reuseport; /* one of a group; never for AF_UNIX */

	/* What decides, besides, whether an address can be bound. */
	const char *interface; /* what comes in by it alone; NULL: any */
	bool	    freebind;	 /* nobody needs to have the address yet */
	bool	    transparent; /* nor ever: packets come by TPROXY */

	/* More for TCP. */
	bool mptcp;
	int  fast_open;	   /* how many may be half-open; 0: off */
	int  defer_accept; /* seconds to wait for the first byte; 0: off */

	/* For the path of a Unix socket. */
	mode_t			 mode; /* 0: as the umask has it */
	const struct sock_owner *owner; /* NULL: as it comes */
};

#define SOCK_BACKLOG_KEPT (-1)

/* A bound socket that does not listen yet, or -errno: nobody is let in before
 * all of a configuration could be bound.  'mode' sets the umask for a moment,
 * which other threads would notice. */
int sock_bound(const struct addr *, const struct sock_listen *);

/* A bound and listening socket, or -errno. */
int sock_listen(const struct addr *, const struct sock_listen *);

/* Sets the options of a listening socket anew that may change while it is bound;
 * one that refuses clients (shutdown(2)) still does.  0 or -errno. */
int sock_retune(int fd, const struct sock_listen *);

/* Of a listening TCP socket: takes no new client any more, as if their first
 * segment had been lost, so that they try again in a second and find it closed;
 * those whose handshake has begun still come.  False: it cannot be told so, as
 * by an ordinary user on some kernels.
 * (SO_ATTACH_FILTER: Documentation/networking/filter.rst.) */
bool sock_deafen(int fd);
void sock_undeafen(int fd);

/* The same for good, and who comes is refused, or taken by another socket that
 * listens there: this one is not found any more.  False: not on this kernel, or
 * it is bound to an interface and we lack CAP_NET_RAW. */
bool sock_hide(int fd);
bool sock_is_hidden(int fd);

/* Of a listening socket of a group: takes all clients, whom it would share with
 * the others; or does no longer.  Where all but those that are hidden do, one of
 * them takes all.  Nobody can join the group meanwhile. */
void sock_stand_alone(int fd, bool alone);

/* Whether nobody listens there yet: a bind as the real one, but without
 * SO_REUSEPORT, closed at once (a group would be joined silently by a second
 * daemon).  0 or -errno, -EADDRINUSE above all. */
int sock_probe(const struct addr *, const struct sock_listen *);

/* Whether there is Multipath TCP (mptcp.rst): 0, or -errno. */
int sock_probe_mptcp(void);

/* Whether a socket may have the addresses of others (ip(7), IP_TRANSPARENT): 0,
 * or -errno, -EPERM above all. */
int sock_probe_transparent(void);

/* Removes the path of a Unix socket nobody listens on any more (connect says
 * ECONNREFUSED; one of ours that does not let us is asked all the same).  0
 * also when there is none; -EADDRINUSE when it is alive; -ENOTSOCK when
 * something else lies there; -EACCES when it does not let us ask, or remove
 * it. */
int sock_unlink_stale(const struct addr *);

/* Whether a Unix socket could listen there, without leaving anything behind: a
 * stale path stays.  0, -EADDRINUSE, -ENOTSOCK, -EACCES, ... */
int sock_probe_unix(const struct addr *);

/* A socket on its way to 'to', from 'source' if that is not NULL (without
 * taking a port before it must: IP_BIND_ADDRESS_NO_PORT, ip(7)).  The fd, or
 * -errno; EINPROGRESS is not an error.  -EAGAIN is a Unix server whose backlog
 * is full: no event will tell, try again later (connect(2)).  Without keepalive
 * and TCP_NODELAY so far.  (The last ACK of the handshake could travel with the
 * first data, TCP_QUICKACK 0; but then a server whose accept queue is full
 * resets whom it would have let in later.) */
int sock_connect(const struct addr *to, const struct addr *source,
    const struct sock_tcp *);

/* The same from an address that is not ours, whose answers have to be routed
 * back to us; -EADDRNOTAVAIL for one that no host can have. */
int sock_connect_as(const struct addr *to, const struct addr *source,
    const struct sock_tcp *);

/* TCP_NODELAY: a small segment does not wait for an acknowledgement. */
void sock_set_nodelay(int fd);

/* Urgent data stays where it is in the stream.  All sockets that are made here
 * have that, but for Multipath TCP, which knows none; whoever comes to such a
 * listener by plain TCP has to be given it. */
void sock_keep_urgent(int fd);

/* Has TCP probe a silent peer, as long as it has been silent already.  What is
 * accepted has that from its listener; for what connects it is four system
 * calls that only a long session needs. */
void sock_keep_alive(int fd, const struct sock_tcp *);

/* 0 once the connection stands, else -errno: -ENOTCONN for as long as it may
 * still come.  The peer's name tells, which a socket on its way has not, nor
 * one that has failed (inet_getname()); then SO_ERROR says why. */
int sock_connected(int fd);

/* Whether what is connected is a socket to itself: where nobody listens on a
 * port of this host, the kernel may choose that port for our end, and the SYN
 * that comes back is a simultaneous open (RFC 9293, section 3.5). */
bool sock_meets_itself(int fd);

/* Takes (and thereby clears) the socket's pending error: 0 or -errno. */
int sock_error(int fd);

/* Whether an error (-errno) says what the host lacks: descriptors, memory.
 * That passes, and no peer is to blame. */
bool sock_is_short(int error);

/* The bytes (and the FIN) the peer has not acknowledged; 0 for AF_UNIX, where
 * what was sent is with the peer. */
int sock_unsent(int fd);

/* How many clients wait in the queue of a listening socket: for TCP (tcp_diag's
 * idiag_rqueue, in tcp_info the field tcpi_unacked); 'most' for others. */
int sock_queued(int fd, int most);

/* The port a TCP socket is bound to; 0: none. */
uint16_t sock_port(int fd);

/* Our end of a connection, to which the other has connected. */
void sock_local(int fd, struct peer *);

/* Whether it is an AF_UNIX socket; one system call. */
bool sock_is_unix(int fd);

/* Has the coming close(2) send a reset and drop what is queued (SO_LINGER with
 * 0, socket(7)).  Nothing can say that to AF_UNIX. */
void sock_reset_on_close(int fd);

/* What TCP knows of the peer (tcp_info), for records and stall_timeout. */
struct sock_info {
	bool	 known;		/* false: not TCP */
	uint32_t rtt_us;
	uint32_t retransmits;	/* segments, in all */
	uint32_t silent_ms;	/* since the last acknowledgement */
	bool	 unanswered;	/* probes or data sent again and not answered */
};
void sock_info(int fd, struct sock_info *);

#endif
