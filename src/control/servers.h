/* The servers, as the main thread knows them: for each address in use, whether
 * new sessions may go there, since when, why not, and what an operator changed.
 *
 *	           servers_change(): one line of the log, a count
 *	    +-----------------------------------------------+
 *	    |                                               v
 *	   up (no bit of 'out')                 out (FAILING, EJECTED,
 *	    ^                                       DISABLED, DRAINING)
 *	    +-----------------------------------------------+
 *
 * Workers only read the bits. */
#ifndef SLUICE_CONTROL_SERVERS_H
#define SLUICE_CONTROL_SERVERS_H

#include <event2/event.h>

#include "changes.h"
#include "config/config.h"
#include "eject.h"
#include "proxy/endpoint.h"

#define SERVERS_CAUSE 200
#define SERVERS_WHY   (SERVERS_OUTS * (SERVERS_CAUSE + 2))
#define SERVERS_NAME  (ADDR_TEXT + 300) /* a host's has 253 bytes */

/* Who may have taken a server out. */
enum servers_out { OUT_BY_OPERATOR, OUT_BY_CHECK, OUT_BY_EJECTION };
#define SERVERS_OUTS (OUT_BY_EJECTION + 1)

struct doors;
struct servers;
struct tours;
struct waitlist;

struct server {
	TAILQ_ENTRY(server) link;
	struct servers	   *servers;
	const struct upstream_conf *upstream;
	const struct server_conf   *line;
	struct server_state	   *state; /* one reference */
	struct endpoint_set	   *set;   /* that it was last in; one reference */
	bool	 follows;	/* it is in the endpoint set that is used */
	uint64_t since;		/* clock_ms(): as it is, up or out */
	uint64_t changes;	/* between the two, since the start */
	char	 cause[SERVERS_CAUSE]; /* of the last one; "": none yet */
	char	 causes[SERVERS_OUTS][SERVERS_CAUSE]; /* while it is out */
	struct eject eject;
	struct evict *evict;	/* its sessions are being ended; or NULL */
	struct watch *watch;	/* of health.c; NULL: it is not checked */
};

/* NULL without memory.  The base, where health checks run, the config and the
 * wait lists of its upstreams (or NULL) must outlive them. */
struct servers *servers_new(struct event_base *, const struct config *,
    struct waitlist *);
void		servers_free(struct servers *); /* NULL is fine */

/* By which the sessions of servers that go down are ended, where on_down says
 * so; they must outlive them. */
void servers_set_tours(struct servers *, struct tours *);

/* Who is told that a server has gone out or come back; they must outlive them. */
void servers_set_doors(struct servers *, struct doors *);

/* Who is told of each check that finds a server down; has to outlive them. */
typedef void servers_missed(void *arg, const struct server *);
void servers_set_missed(struct servers *, servers_missed *, void *arg);

/* A check has found it down. */
void server_miss(const struct server *);

/* An upstream is about to have these addresses, of which that configuration is:
 * what is new gets what operators said of its name, what is gone is forgotten.  0
 * or -ENOMEM. */
int servers_follow(struct servers *, const struct upstream_conf *,
    struct endpoint_set *);

/* A configuration of an upstream that says the same as the one before; and an
 * upstream that is none any more. */
void servers_keep(struct servers *, const struct upstream_conf *);
void servers_leave(struct servers *, size_t upstream);

/* Room for the upstreams of another configuration (0 or -errno), and that it is
 * the one now. */
int  servers_grow(struct servers *, const struct config *);
void servers_set_config(struct servers *, const struct config *);

/* How many places of upstreams there is room for. */
size_t servers_places(const struct servers *);

/* How many sessions the servers of an upstream have now. */
uint64_t servers_sessions(const struct servers *, size_t upstream);

/* The weight that an endpoint shall have: that of the operator, if he gave one,
 * or 'weight'. */
uint32_t servers_weight(const struct servers *, const struct upstream_conf *,
    const struct server_conf *, const struct server_state *, uint32_t weight);

/* The record of an address in use, or NULL; and all of an upstream in turn, from
 * NULL to NULL. */
struct server *servers_find(const struct servers *, size_t upstream,
    const struct server_state *);
struct server *servers_next(const struct servers *, size_t upstream,
    const struct server *);

/* Sets and clears bits of server_state->out.  Nothing to change is fine; else it
 * is logged with the cause (lower case, no period). */
void servers_change(struct server *, unsigned set, unsigned clear,
    const char *cause);

/* "up", or why it is out: "failing", "ejected", "down", "drain", or several of
 * these with '+'.  Returns 'text' (SERVERS_STATE bytes). */
#define SERVERS_STATE 40
const char *servers_state(unsigned out, char *text);

/* enum server_out: what stands for that. */
unsigned servers_out_bits(enum servers_out);

/* Logs that it "is down after 3h07m", or "stays out (drain)", with the cause:
 * which bits were set, which it has now, how long it was as it was. */
void server_log(const struct server *, unsigned set, unsigned out,
    uint64_t spell);

/* All that keeps it out, "by uid 0, pid 7; connection refused (check tcp)", or
 * what made it come back; "" if there is nothing to say.  Returns 'text'
 * (SERVERS_WHY bytes). */
const char *servers_why(const struct server *, char *text);

/* "db1", and the address behind it if that says more.  Returns 'text'
 * (SERVERS_NAME bytes). */
const char *servers_name(const struct server *, char *text);

/* Whether that names it: a line of the configuration or, where no line is so
 * called, its address. */
bool server_has_name(const struct server *, const char *name);

/* How many of an upstream's are up, and how many there are. */
size_t servers_up(const struct servers *, size_t upstream, size_t *all);

/* An operator's word for the server of that name (or of that address), which
 * holds until he takes it back or the daemon ends: SERVER_DISABLED,
 * SERVER_DRAINING or 0 for up; a weight, 0 for that of the configuration.  0,
 * -ENOENT: there is no such server, -ENOMEM.  A weight is not in use before the
 * upstream's endpoints are published anew. */
int servers_set_out(struct servers *, const struct upstream_conf *,
    const char *name, unsigned out, const char *who);
int servers_set_weight(struct servers *, const struct upstream_conf *,
    const char *name, unsigned weight, const char *who);

/* It has another line, or its line another name: what holds of those from now
 * on. */
void server_heed(struct server *);

/* What holds of those for a server; NULL: nothing. */
const struct change *server_said(const struct server *, enum change_kind);

/* All that operators have changed; of upstreams, too (pauses.h). */
struct changes *servers_changes(struct servers *);

#endif
