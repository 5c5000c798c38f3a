/* Where sessions may go: the resolved addresses of one upstream, and what
 * happens to each server at run time. */
#ifndef SLUICE_PROXY_ENDPOINT_H
#define SLUICE_PROXY_ENDPOINT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/line.h"
#include "config/config.h"

#define SERVER_NAME 33 /* bytes of a name= */

struct maglev;

/* Why a server gets no new sessions: any of these. */
enum server_out {
	SERVER_FAILING = 1 << 0,  /* its health check says so */
	SERVER_EJECTED = 1 << 1,  /* it refused too many in a row */
	SERVER_DISABLED = 1 << 2, /* an operator did: down */
	SERVER_DRAINING = 1 << 3, /* an operator did: drain */
};

/* Made by the main thread, counted by endpoint sets and sessions; all of it is
 * relaxed and may be read by anyone.  What workers write for a session is on
 * lines of its own, what they read for each choice on another. */
struct server_state {
	alignas(LINE) atomic_int refs;
	_Atomic uint64_t sessions; /* now */
	_Atomic uint64_t taken;	   /* these, and attempts to connect */
	_Atomic uint64_t connects; /* since the start */
	_Atomic uint64_t failures; /* attempts to connect */
	_Atomic uint64_t row; /* of failures since somebody connected */
	_Atomic uint64_t bytes_to_upstream; /* of sessions that ended */
	_Atomic uint64_t bytes_to_client;
	_Atomic int	 last_error; /* -errno of the last failure, 0: none */

	alignas(LINE) atomic_uint out; /* enum server_out; main writes it */
	_Atomic uint64_t up_since;  /* clock_ms(); 0: from the start */
	struct addr	 addr;	    /* from here on only read */
	char		 text[ADDR_TEXT]; /* of the address */
	char		 name[SERVER_NAME]; /* of name=; "": it has none */
};

/* Whether new sessions may go there. */
static inline bool
server_state_usable(const struct server_state *server)
{
	return atomic_load_explicit(&server->out, memory_order_relaxed) == 0;
}

/* Whether those that are there may have to leave (on_down). */
static inline bool
server_state_is_down(const struct server_state *server)
{
	return (atomic_load_explicit(&server->out, memory_order_relaxed) &
	    (SERVER_FAILING | SERVER_DISABLED)) != 0;
}

/* One reference; NULL without memory. Any thread, as are the next two. */
struct server_state *server_state_new(const struct addr *);

/* Whose name= it has: before anybody else knows it. */
void server_state_name(struct server_state *, const struct server_conf *);
bool server_state_is_named(const struct server_state *,
    const struct server_conf *);

struct server_state *server_state_ref(struct server_state *);
void server_state_unref(struct server_state *); /* NULL is fine */

/* Somebody goes there: from the attempt to connect until it has failed or the
 * session has ended.  At most 'max' at a time (0: any number), exactly; false:
 * it is full.  Any thread, as are the next. */
bool server_state_take(struct server_state *, uint64_t max);
void server_state_give(struct server_state *);

/* A session connected; it left, having moved so many bytes; an attempt to
 * connect failed, with -errno. */
void server_state_join(struct server_state *);
void server_state_leave(struct server_state *, uint64_t to_upstream,
    uint64_t to_client);
void server_state_fail(struct server_state *, int error);

struct endpoint {
	struct server_state *server; /* one reference */
	uint32_t	     line;   /* index of its server_conf */
	uint32_t	     host;   /* the set's first of the same name */
	uint32_t	     weight;
	uint64_t	     max; /* sessions; 0: no limit */
	bool		     backup;
};

/* It may have room the next moment. */
static inline bool
endpoint_is_full(const struct endpoint *e)
{
	return e->max != 0 && atomic_load(&e->server->taken) >= e->max;
}

/* Immutable once published. */
struct endpoint_set {
	atomic_int	  refs;
	size_t		  upstream; /* index in the config */
	size_t		  count;
	char		  why[96]; /* when empty: why no name resolves */
	enum balance_kind balance; /* this and the next: balance_prepare() */
	uint64_t	  slow_start; /* ms; 0: off */
	struct maglev	 *maglev;     /* BALANCE_HASH: owned */
	struct endpoint	  endpoints[];
};

/* Room for 'count' endpoints, none filled in; one reference, NULL without
 * memory. The set owns the server references put into it. */
struct endpoint_set *endpoint_set_new(size_t upstream, size_t count);
struct endpoint_set *endpoint_set_ref(struct endpoint_set *);
void endpoint_set_unref(struct endpoint_set *); /* NULL is fine */

/* Whether this very server is one of the set's. */
bool endpoint_set_has(const struct endpoint_set *,
    const struct server_state *);

/* Whether none before the nth is that of the same server: two names may give
 * one address. */
bool endpoint_set_is_first(const struct endpoint_set *, size_t n);

/* Whether there are other servers, and not only other weights. */
bool endpoint_set_moved(const struct endpoint_set *before,
    const struct endpoint_set *after);

#endif
