#include "proxy/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server_state *
server_state_new(const struct addr *addr)
{
	struct server_state *server = line_alloc(sizeof(*server));

	if (server == NULL)
		return NULL;
	server->refs = 1;
	server->addr = *addr;
	addr_text(addr, server->text);
	return server;
}

void
server_state_name(struct server_state *server, const struct server_conf *conf)
{
	if (server_conf_is_named(conf))
		snprintf(server->name, sizeof(server->name), "%s", conf->name);
}

bool
server_state_is_named(const struct server_state *server,
    const struct server_conf *conf)
{
	return strcmp(server->name, server_conf_is_named(conf) ? conf->name :
	    "") == 0;
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

static void
server_state_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* In one order with what wait lists count: see waitlist_wake().  Never one more
 * than there is room for, not even for a moment: who looked just then would wait
 * for a place that is free, and nobody would wake it. */
bool
server_state_take(struct server_state *server, uint64_t max)
{
	uint64_t taken;

	if (max == 0) {
		atomic_fetch_add(&server->taken, 1);
		return true;
	}
	taken = atomic_load(&server->taken);
	do
		if (taken >= max)
			return false;
	while (!atomic_compare_exchange_weak(&server->taken, &taken,
	    taken + 1));
	return true;
}

void
server_state_give(struct server_state *server)
{
	atomic_fetch_sub(&server->taken, 1);
}

void
server_state_join(struct server_state *server)
{
	server_state_add(&server->sessions, 1);
	server_state_add(&server->connects, 1);
	if (atomic_load_explicit(&server->row, memory_order_relaxed) != 0)
		atomic_store_explicit(&server->row, 0, memory_order_relaxed);
}

void
server_state_leave(struct server_state *server, uint64_t to_upstream,
    uint64_t to_client)
{
	server_state_add(&server->bytes_to_upstream, to_upstream);
	server_state_add(&server->bytes_to_client, to_client);
	atomic_fetch_sub_explicit(&server->sessions, 1, memory_order_relaxed);
}

/* What we lack ourselves is not held against the server. */
static bool
server_is_to_blame(int error)
{
	return error != -EADDRNOTAVAIL && error != -EAFNOSUPPORT;
}

void
server_state_fail(struct server_state *server, int error)
{
	server_state_add(&server->failures, 1);
	if (server_is_to_blame(error))
		server_state_add(&server->row, 1);
	atomic_store_explicit(&server->last_error, error,
	    memory_order_relaxed);
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
	free(set->maglev);
	free(set);
}

bool
endpoint_set_has(const struct endpoint_set *set,
    const struct server_state *server)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->endpoints[i].server == server)
			return true;
	return false;
}

bool
endpoint_set_is_first(const struct endpoint_set *set, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (set->endpoints[i].server == set->endpoints[n].server)
			return false;
	return true;
}

bool
endpoint_set_moved(const struct endpoint_set *before,
    const struct endpoint_set *after)
{
	for (size_t i = 0; i < after->count; i++)
		if (!endpoint_set_has(before, after->endpoints[i].server))
			return true;
	return before->count != after->count;
}
