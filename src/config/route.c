#include "config/route.h"

#include <string.h>

#include "check.h"

static const char *const kind_text[] = {
	[ROUTE_SNI] = "sni",
	[ROUTE_ALPN] = "alpn",
	[ROUTE_CLIENT] = "client",
};

const char *
route_kind_text(enum route_kind kind)
{
	return kind_text[kind];
}

/* --- the table of names and protocols */

/* FNV-1a; what is in the table nobody outside chooses. */
static size_t
route_hash(enum route_kind kind, const char *text, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325 ^ (uint64_t)kind;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3;
	return (size_t)(hash ^ hash >> 32);
}

/* What a client offers may have a NUL in it. */
static bool
route_is(const struct route_conf *rule, enum route_kind kind, const char *text,
    size_t len)
{
	return rule->kind == kind && strlen(rule->text) == len &&
	    memcmp(rule->text, text, len) == 0;
}

/* Where it is in the table, or would be. */
static uint32_t *
routes_slot(const struct routes *r, enum route_kind kind, const char *text,
    size_t len)
{
	size_t i = route_hash(kind, text, len) & r->mask;

	while (r->slots[i] != 0 &&
	    !route_is(&r->rules[r->slots[i] - 1], kind, text, len))
		i = (i + 1) & r->mask;
	return &r->slots[i];
}

static size_t
routes_find(const struct routes *r, enum route_kind kind, const char *text,
    size_t len)
{
	uint32_t rule = *routes_slot(r, kind, text, len);

	return rule > 0 ? rule - 1 : r->count;
}

static size_t
min2(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The rule "*.example.com" for "db.example.com". */
static size_t
routes_by_wildcard(const struct routes *r, const char *name)
{
	const char *rest = strchr(name, '.');
	char wildcard[CLIENT_HELLO_NAME + 1] = "*";
	size_t len;

	if (rest == NULL)
		return r->count;
	len = strlen(rest);
	memcpy(wildcard + 1, rest, len);
	return routes_find(r, ROUTE_SNI, wildcard, len + 1);
}

static size_t
routes_by_name(const struct routes *r, const char *name)
{
	return min2(routes_find(r, ROUTE_SNI, name, strlen(name)),
	    routes_by_wildcard(r, name));
}

static size_t
routes_by_protocols(const struct routes *r, const uint8_t *list, size_t len)
{
	size_t first = r->count;

	for (size_t i = 0; i < len; i += 1U + list[i])
		first = min2(first, routes_find(r, ROUTE_ALPN,
		    (const char *)list + i + 1, list[i]));
	return first;
}

size_t
routes_by_hello(const struct routes *r, const struct client_hello *hello)
{
	size_t first;

	if (r->slots == NULL)
		return r->count;
	first = routes_by_protocols(r, hello->alpn, hello->alpn_len);
	return hello->named ? min2(first, routes_by_name(r, hello->sni)) :
	    first;
}

size_t
routes_by_client(const struct routes *r, const struct peer *peer)
{
	uint32_t rule;

	if (r->clients == NULL)
		return r->count;
	rule = prefix_map_find(r->clients, peer);
	return rule == PREFIX_MAP_NONE ? r->count : rule;
}

/* --- building */

/* The rule before it that takes all it could; 'i' itself: there is none. */
static size_t
route_shadow(const struct routes *r, size_t i)
{
	const struct route_conf *rule = &r->rules[i];
	size_t before = 0;

	switch (rule->kind) {
	case ROUTE_SNI:
		return min2(i, routes_by_name(r, rule->text));
	case ROUTE_ALPN:
		return min2(i, routes_find(r, ROUTE_ALPN, rule->text,
		    strlen(rule->text)));
	case ROUTE_CLIENT:
		while (before < i && (r->rules[before].kind != ROUTE_CLIENT ||
		    !prefix_covers(&r->rules[before].prefix, &rule->prefix)))
			before++;
		break;
	}
	return before;
}

static void
route_add(struct check *check, struct routes *r, size_t i)
{
	const struct route_conf *rule = &r->rules[i];
	size_t shadow = route_shadow(r, i);
	const struct route_conf *other = &r->rules[shadow];
	char place[ORIGIN_TEXT];

	if (shadow < i)
		report(check->report, rule->origin, "route '%s %s' is never "
		    "taken: '%s %s' at %s comes first", kind_text[rule->kind],
		    rule->text, kind_text[other->kind], other->text,
		    origin_text(check->report, rule->origin, other->origin,
		    place));
	else if (rule->kind != ROUTE_CLIENT)
		*routes_slot(r, rule->kind, rule->text, strlen(rule->text)) =
		    (uint32_t)i + 1;
	if (rule->kind != ROUTE_CLIENT)
		r->first_hello = min2(r->first_hello, i);
}

static void
routes_map_clients(struct check *check, struct routes *r)
{
	struct prefix_entry *entries = arena_alloc(check->report->arena,
	    r->count * sizeof(*entries));
	size_t n = 0;
	void *memory;

	for (size_t i = 0; entries != NULL && i < r->count; i++)
		if (r->rules[i].kind == ROUTE_CLIENT)
			entries[n++] = (struct prefix_entry){
				r->rules[i].prefix, (uint32_t)i };
	if (n == 0)
		return;
	memory = arena_alloc(check->arena, prefix_map_size(entries, n));
	if (memory != NULL)
		r->clients = prefix_map_build(memory, entries, n);
}

/* A quarter of the slots is taken at most, so that what is not there is missed
 * after a look or two. */
static bool
routes_alloc(struct check *check, struct routes *r)
{
	size_t slots = 8;

	while (slots < 4 * r->count)
		slots *= 2;
	r->slots = arena_alloc(check->arena, slots * sizeof(*r->slots));
	r->mask = slots - 1;
	return r->slots != NULL;
}

void
routes_check(struct check *check, struct listener_conf *listener)
{
	struct routes *r = &listener->routes;

	r->first_hello = r->count;
	if (r->count == 0 || !routes_alloc(check, r))
		return;
	for (size_t i = 0; i < r->count; i++) {
		struct route_conf *rule = &r->rules[i];

		rule->upstream = check_upstream(check, "route",
		    rule->upstream_name, rule->origin);
		route_add(check, r, i);
	}
	routes_map_clients(check, r);
}
