#include "config/diff.h"

#include <string.h>

#include "config/places.h"
#include "rows.h"

/* A section before and after. */
struct pair {
	enum section_kind kind;
	const void	 *before, *after;
	const void	 *first; /* instead of before, for what takes a restart */
	struct diff	  diff; /* of which section it is */
	diff_tell	 *tell;
	void		 *arg;
	size_t		  count;
};

static void
pair_tell(struct pair *p, enum diff_kind kind, const char *before,
    const char *after)
{
	p->count++;
	p->diff.kind = kind;
	p->diff.before = before;
	p->diff.after = after;
	if (p->tell != NULL)
		p->tell(p->arg, &p->diff);
}

/* The nth item as it would be written. */
static const char *
item_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	item->key = NULL;
	return option->type->get(option, owner, n, item) ? item->text : NULL;
}

static bool
item_same(const struct item *a, const struct item *b)
{
	const char *ka = a->key != NULL ? a->key : "";
	const char *kb = b->key != NULL ? b->key : "";

	return strcmp(a->text, b->text) == 0 && strcmp(ka, kb) == 0;
}

static bool
list_has(const struct option *option, const void *owner,
    const struct item *wanted)
{
	struct item item;

	for (size_t n = 0; item_get(option, owner, n, &item) != NULL; n++)
		if (item_same(&item, wanted))
			return true;
	return false;
}

/* Those of one that are not in the other. */
static size_t
list_tell(struct pair *p, const struct option *option, const void *of,
    const void *other)
{
	size_t before = p->count;
	struct item item;

	for (size_t n = 0; item_get(option, of, n, &item) != NULL; n++) {
		if (list_has(option, other, &item))
			continue;
		p->diff.key = item.key != NULL ? item.key : option->key;
		pair_tell(p, DIFF_ITEM, of == p->before ? item.text : NULL,
		    of == p->after ? item.text : NULL);
	}
	return p->count - before;
}

static bool
list_same(const struct option *option, const void *before, const void *after)
{
	struct item a, b;
	const char *text;
	size_t n = 0;

	do {
		text = item_get(option, before, n, &a);
		if ((item_get(option, after, n++, &b) == NULL) !=
		    (text == NULL))
			return false;
		if (text != NULL && !item_same(&a, &b))
			return false;
	} while (text != NULL);
	return true;
}

static void
list_compare(struct pair *p, const struct option *option)
{
	size_t told;

	if (list_same(option, p->before, p->after))
		return;
	told = list_tell(p, option, p->before, p->after);
	told += list_tell(p, option, p->after, p->before);
	p->diff.key = option->key;
	if (told == 0)
		pair_tell(p, DIFF_ORDER, NULL, NULL);
}

static void
value_compare(struct pair *p, const struct option *option)
{
	struct item a, b;
	const char *before = item_get(option, p->before, 0, &a);
	const char *after = item_get(option, p->after, 0, &b);

	if ((before == NULL) != (after == NULL) ||
	    (before != NULL && strcmp(before, after) != 0))
		pair_tell(p, DIFF_VALUE, before, after);
}

static void
pair_compare_option(struct pair *p, const struct option *option)
{
	const void *before = p->before;

	if (option->restart)
		p->before = p->first;
	p->diff.key = option->key;
	p->diff.restart = option->restart;
	if (option->list)
		list_compare(p, option);
	else
		value_compare(p, option);
	p->before = before;
}

static void
pair_compare(struct pair *p)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (OPTIONS[i].kind == p->kind)
			pair_compare_option(p, &OPTIONS[i]);
}

/* The rules are the same, and what their files hold may be another thing. */
static void
listener_compare(struct pair *p, const struct listener_conf *before,
    const struct listener_conf *after)
{
	size_t count = p->count;

	pair_compare(p);
	if (p->count > count || before->access.digest == after->access.digest)
		return;
	p->diff.key = "allow, deny";
	p->diff.restart = false;
	pair_tell(p, DIFF_FILE, NULL, NULL);
}

bool
listener_conf_same(const struct listener_conf *before,
    const struct listener_conf *after)
{
	struct pair p = { .kind = SECTION_LISTENER, .before = before,
		.after = after };

	listener_compare(&p, before, after);
	return p.count == 0;
}

bool
upstream_conf_same(const struct upstream_conf *before,
    const struct upstream_conf *after)
{
	struct pair p = { .kind = SECTION_UPSTREAM, .before = before,
		.after = after };

	pair_compare(&p);
	return p.count == 0;
}

/* --- all of them */

static void
diff_listeners(struct pair *p, const struct config *before,
    const struct config *after)
{
	p->kind = SECTION_LISTENER;
	for (size_t i = 0; i < after->nlisteners; i++) {
		const struct listener_conf *l = &after->listeners[i];
		const struct listener_conf *old;

		old = config_listener_named(before, l->name);
		p->before = old;
		p->after = l;
		p->diff = (struct diff){ .section = "listener",
			.name = l->name, .place = l->index };
		if (old == NULL)
			pair_tell(p, DIFF_ADDED, NULL, NULL);
		else
			listener_compare(p, old, l);
	}
}

static void
diff_upstreams(struct pair *p, const struct config *before,
    const struct config *after)
{
	p->kind = SECTION_UPSTREAM;
	for (size_t i = 0; i < after->nupstreams; i++) {
		const struct upstream_conf *u = &after->upstreams[i];

		p->before = config_upstream_named(before, u->name);
		p->after = u;
		p->diff = (struct diff){ .section = "upstream",
			.name = u->name, .place = u->index };
		if (p->before == NULL)
			pair_tell(p, DIFF_ADDED, NULL, NULL);
		else
			pair_compare(p);
	}
}

static void
diff_removed(struct pair *p, const struct config *before,
    const struct config *after)
{
	for (size_t i = 0; i < before->nlisteners; i++) {
		const struct listener_conf *l = &before->listeners[i];

		p->diff = (struct diff){ .section = "listener",
			.name = l->name, .place = l->index };
		if (config_listener_named(after, l->name) == NULL)
			pair_tell(p, DIFF_REMOVED, NULL, NULL);
	}
	for (size_t i = 0; i < before->nupstreams; i++) {
		const struct upstream_conf *u = &before->upstreams[i];

		p->diff = (struct diff){ .section = "upstream",
			.name = u->name, .place = u->index };
		if (config_upstream_named(after, u->name) == NULL)
			pair_tell(p, DIFF_REMOVED, NULL, NULL);
	}
}

size_t
config_diff_restart(const struct config *first, const struct config *after,
    diff_tell *tell, void *arg)
{
	struct pair p = { .kind = SECTION_GLOBAL, .first = &first->global,
		.after = &after->global, .diff = { .section = "global" },
		.tell = tell, .arg = arg };

	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (OPTIONS[i].restart)
			pair_compare_option(&p, &OPTIONS[i]);
	return p.count;
}

size_t
config_diff(const struct config *first, const struct config *before,
    const struct config *after, diff_tell *tell, void *arg)
{
	struct pair p = { .kind = SECTION_GLOBAL, .first = &first->global,
		.before = &before->global, .after = &after->global,
		.diff = { .section = "global" }, .tell = tell, .arg = arg };

	pair_compare(&p);
	diff_listeners(&p, before, after);
	diff_upstreams(&p, before, after);
	diff_removed(&p, before, after);
	return p.count;
}
