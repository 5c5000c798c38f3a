/* The option type of who may say who a client is. */
#include "rows.h"

#include "proxies.h"
#include "range.h"

#include <stdio.h>
#include <string.h>

static const char *
proxies_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "an address or range as in 10.0.0.0/8, or unix");
}

static bool
proxies_set(const struct setting *setting)
{
	struct listener_conf *listener = setting->owner;
	struct proxy_conf *proxies, proxy = { .origin = setting->origin };
	char why[RANGE_WHY];
	const char *wrong = range_parse(&proxy.prefix, setting->text,
	    RANGE_ALL, why);

	if (wrong != NULL)
		return setting_wrong(setting, " '%s' %s", setting->text,
		    wrong);
	proxy.text = arena_text(setting->arena, setting->text,
	    strlen(setting->text));
	proxies = arena_grow(setting->arena, listener->proxies,
	    listener->nproxies, sizeof(proxy));
	if (proxy.text == NULL || proxies == NULL)
		return false;
	proxies[listener->nproxies++] = proxy;
	listener->proxies = proxies;
	return true;
}

static bool
proxies_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct listener_conf *listener = owner;

	(void)option;
	if (n >= listener->nproxies)
		return false;
	snprintf(item->text, sizeof(item->text), "%s",
	    listener->proxies[n].text);
	item->origin = listener->proxies[n].origin;
	return true;
}

const struct option_type TYPE_PROXIES = { proxies_set, proxies_get,
	proxies_form };

const struct prefix_map *
proxies_map(struct arena *arena, const struct listener_conf *listener)
{
	size_t count = listener->nproxies;
	struct prefix_entry *entries;
	void *memory;

	if (count == 0)
		return NULL;
	entries = arena_alloc(arena, count * sizeof(*entries));
	if (entries == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct prefix_entry){
			listener->proxies[i].prefix, 0 };
	memory = arena_alloc(arena, prefix_map_size(entries, count));
	return memory == NULL ? NULL :
	    prefix_map_build(memory, entries, count);
}
