/* What operators changed of servers and upstreams while the daemon runs: kept
 * by name, so that an address that comes again, or a configuration that is read
 * again, finds them. */
#ifndef SLUICE_CONTROL_CHANGES_H
#define SLUICE_CONTROL_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define CHANGE_WHO 48

enum change_kind { CHANGE_STATE, CHANGE_WEIGHT, CHANGE_PAUSE };

struct change {
	TAILQ_ENTRY(change) link;
	char		*upstream; /* owned, as is the next */
	char		*server;   /* a name of the configuration, or one of
				      its addresses as text; PAUSE: "" */
	enum change_kind kind;
	unsigned	 value; /* STATE: enum server_out, 0: up; WEIGHT */
	char		 who[CHANGE_WHO];
	uint64_t	 at; /* clock_wall() */
	uint64_t	 since;	 /* the same as clock_ms() */
	uint64_t	 waited; /* PAUSE: sessions that had waited before, and
				    did no more */
};
TAILQ_HEAD(changes, change);

void changes_init(struct changes *);
void changes_done(struct changes *);

/* Notes kind, value, who and when in place of an earlier one of its kind.  0 or
 * -ENOMEM, and then the earlier one stands. */
int changes_set(struct changes *, const char *upstream, const char *server,
    const struct change *);

/* Forgets the one of that kind; none is fine. */
void changes_drop(struct changes *, const char *upstream, const char *server,
    enum change_kind);

/* What holds for an address of a server: what was said of the address itself,
 * else of the name; NULL: nothing was. */
const struct change *changes_find(const struct changes *, const char *upstream,
    const char *server, const char *address, enum change_kind);

#endif
