#include "attic.h"

#include <stdlib.h>

#include "base/clock.h"

#define KEEP_MS ((uint64_t)10 * 60 * 1000)

struct attic_piece {
	TAILQ_ENTRY(attic_piece) link;
	struct server_state	*server; /* one reference */
	uint64_t		 since;
};

void
attic_init(struct attic *attic)
{
	TAILQ_INIT(attic);
}

static void
attic_drop(struct attic *attic, struct attic_piece *piece)
{
	TAILQ_REMOVE(attic, piece, link);
	server_state_unref(piece->server);
	free(piece);
}

void
attic_done(struct attic *attic)
{
	while (!TAILQ_EMPTY(attic))
		attic_drop(attic, TAILQ_FIRST(attic));
}

struct server_state *
attic_find(const struct attic *attic, const struct addr *addr)
{
	const struct attic_piece *piece;

	TAILQ_FOREACH(piece, attic, link)
		if (addr_equal(&piece->server->addr, addr))
			return piece->server;
	return NULL;
}

static void
attic_take(struct attic *attic, struct server_state *server)
{
	struct attic_piece *piece = calloc(1, sizeof(*piece));

	if (piece == NULL)
		return;
	piece->server = server_state_ref(server);
	piece->since = clock_ms();
	TAILQ_INSERT_TAIL(attic, piece, link);
}

static bool
attic_is_over(const struct attic_piece *piece, const struct endpoint_set *set)
{
	return endpoint_set_has(set, piece->server) ||
	    (clock_ms() - piece->since > KEEP_MS &&
	    atomic_load(&piece->server->taken) == 0);
}

void
attic_follow(struct attic *attic, const struct endpoint_set *before,
    const struct endpoint_set *after)
{
	struct attic_piece *piece = TAILQ_FIRST(attic), *next;

	for (; piece != NULL; piece = next) {
		next = TAILQ_NEXT(piece, link);
		if (attic_is_over(piece, after))
			attic_drop(attic, piece);
	}
	for (size_t i = 0; before != NULL && i < before->count; i++) {
		struct server_state *server = before->endpoints[i].server;

		if (!endpoint_set_has(after, server) &&
		    attic_find(attic, &server->addr) == NULL)
			attic_take(attic, server);
	}
}
