/* The listening sockets that there are, by what they were bound to.  A socket is
 * a worker's; what is known of it here is where it is, so that the next
 * configuration can keep it, or tell its worker to let it go.
 *
 *	         ports_add()                     ports_keep()
 *	(not there) ------> NEW --ports_commit()--> BOUND ------> KEPT
 *	    ^                |                       |  ^          |
 *	    +--ports_abort()-+     ports_commit():   |  +----------+
 *	    +---- LEFT, a while <--- it leaves ------+   commit, abort */
#ifndef SLUICE_CONTROL_PORTS_H
#define SLUICE_CONTROL_PORTS_H

#include <event2/event_struct.h>
#include <net/if.h>
#include <sys/queue.h>

#include "base/log.h"
#include "bound.h"
#include "config/config.h"
#include "passed.h"
#include "proxy/mail.h"

enum port_state { PORT_BOUND, PORT_NEW, PORT_KEPT, PORT_LEFT };

/* Sockets that differ in one of these are not the same. */
struct port_key {
	struct addr addr; /* as configured; its port may be 0 */
	bool	    dual;
	bool	    freebind;
	bool	    transparent;
	bool	    mptcp;
	uint64_t    receive_buffer; /* which nothing makes "auto" again */
	uint64_t    send_buffer;
	char	    interface[IF_NAMESIZE];
	const char *listener; /* whose port 0 it is, or "systemd:NAME", and then
				 nothing else counts; else "" */
};

struct port_socket {
	size_t		 worker; /* whose it is */
	int		 fd;
	struct listener *listener;
};

struct port {
	TAILQ_ENTRY(port)   link;
	struct port_key	    key;
	char		   *listener; /* owned: key.listener */
	enum port_state	    state;
	bool		    stored; /* systemd keeps it, too: store.h */
	bool		    alone;  /* in a group with some that leave */
	const struct listener_conf *conf; /* whose it is, or will be */
	const struct listener_conf *before; /* KEPT: whose it was */
	struct port_socket *sockets; /* owned */
	size_t		    nsockets;
	uint64_t	    left; /* clock_ms(): LEFT, and still bound for a while */
};
TAILQ_HEAD(port_list, port);

struct ports {
	struct port_list list;
	struct bound	 bound; /* the paths of those of Unix */
	struct passed	 passed; /* of which some have become ports */
	char		 why[LOG_LINE]; /* one could not be bound, or "" */
	struct event	 settle; /* nobody is left in any group that leaves */
	bool		 settles; /* that has a base */
	bool		 lets_in; /* until commit or abort */
};

void ports_init(struct ports *);

/* Whose base will tell when what left is gone.  0, or -ENOMEM. */
int ports_watch(struct ports *, struct event_base *);

/* Removes the paths, unless somebody 'goes_on' to listen there; closes nothing
 * that is a worker's. */
void ports_done(struct ports *, bool goes_on);

/* What one port of a bind is to be. */
void port_key_init(struct port_key *, const struct listener_conf *,
    const struct bind_conf *, const struct addr *);

/* One that is BOUND, or NULL. */
struct port *ports_find(const struct ports *, const struct port_key *);

/* Whether one that was there before has that port number, or had it until a
 * moment ago. */
bool ports_have_number(const struct ports *, uint16_t number);

/* Whether a socket with that inode is one of those; system calls for each. */
bool ports_have_inode(const struct ports *, ino_t);

/* One without a socket yet; NULL without memory. */
struct port *ports_add(struct ports *, const struct port_key *,
    const struct listener_conf *);

/* It has one more, the last that was put into the worker's mail.  0 or
 * -ENOMEM. */
int port_add_socket(struct port *, size_t worker, const struct mail *);

/* It stays, for this listener: puts so into the mail of the workers.  0 or
 * -ENOMEM. */
int ports_keep(struct port *, const struct listener_conf *,
    struct mail **mails);

/* Those that are still BOUND are not wanted: puts so into the mail.  Nothing has
 * happened yet.  0 or -ENOMEM. */
int ports_leave(struct ports *, struct mail **mails);

/* The name by which systemd passed it, or NULL. */
const char *port_passed(const struct port *);

/* Has systemd keep those that it does not keep yet, for who comes after us; or
 * keep none any more. */
void ports_store(struct ports *);
void ports_forget(struct ports *);

/* Ports that let nobody join them (sock_stand_alone()) do, until commit or abort;
 * false: there is none, or it has been said already. */
bool ports_let_in(struct ports *);

/* The mail is sent, or will not be, and is there still. */
void ports_commit(struct ports *);
void ports_abort(struct ports *);

#endif
