#include "proxy/endpoint.h"

#include <stdlib.h>

struct server_state *
server_state_new(const struct addr *addr)
{
	struct server_state *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return NULL;
	server->refs = 1;
	server->addr = *addr;
	addr_text(addr, server->text);
	return server;
}

struct server_state *
server_state_ref(struct server_state *server)
{
	atomic_fetch_add_explicit(&server->refs, 1, memory_order_relaxed);
	return server;
}

void
server_state_unref(struct server_state *server)
{
	if (server != NULL && atomic_fetch_sub_explicit(&server->refs, 1,
	    memory_order_acq_rel) == 1)
		free(server);
}

struct endpoint_set *
endpoint_set_new(size_t upstream, size_t count)
{
	struct endpoint_set *set;

	set = calloc(1, sizeof(*set) + count * sizeof(set->endpoints[0]));
	if (set == NULL)
		return NULL;
	set->refs = 1;
	set->upstream = upstream;
	set->count = count;
	return set;
}

struct endpoint_set *
endpoint_set_ref(struct endpoint_set *set)
{
	atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
	return set;
}

void
endpoint_set_unref(struct endpoint_set *set)
{
	if (set == NULL || atomic_fetch_sub_explicit(&set->refs, 1,
	    memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < set->count; i++)
		server_state_unref(set->endpoints[i].server);
	free(set);
}
