#include "build.h"

#include "rows.h"

#include <string.h>

/* What is being filled: a global_conf, listener_conf or upstream_conf. */
struct target {
	enum section_kind kind;
	void		 *owner;
	struct origin	 *origins;
};

struct build {
	struct arena	*arena;
	struct document *doc;
	struct section	*defaults; /* or NULL */
};

static bool
value_set(const struct build *build, const struct target *target,
    const struct option *option, const char *text, struct origin origin)
{
	struct setting setting = {
		.arena = build->arena,
		.report = build->doc->report,
		.option = option,
		.owner = target->owner,
		.text = text,
		.origin = origin,
	};

	if (*text == '\0')
		return setting_wrong(&setting, " needs a value");
	if (*text == '"' || *text == '\'')
		return setting_wrong(&setting, " is written without quotes");
	return option->type->set(&setting);
}

static void
entry_fill(const struct build *build, const struct target *target,
    struct entry *e, bool of_defaults)
{
	const struct option *option = option_find(target->kind, e->key);
	struct origin *first = &target->origins[option_index(option)];
	struct origin origin = e->origin;

	if (of_defaults && origin.kind == ORIGIN_LINE)
		origin.kind = ORIGIN_DEFAULTS;
	if (!e->bad)
		e->bad = !value_set(build, target, option, e->value, origin);
	if (first->kind == ORIGIN_DEFAULT)
		*first = origin;
}

/* Lines of [defaults] are read once for each section that uses them, and
 * reported once.  Returns whether the section says anything about it. */
static bool
option_fill(const struct build *build, const struct target *target,
    const struct option *option, struct section *section)
{
	bool any = false;

	if (section == NULL)
		return false;
	for (struct entry *e = section->entries; e != NULL; e = e->next) {
		if (!option_takes(option, e->key))
			continue;
		entry_fill(build, target, e,
		    section->kind == SECTION_DEFAULTS);
		any = true;
	}
	return any;
}

/* The first of two keys that are one list fills it for both. */
static bool
option_is_second(const struct option *option)
{
	return option->beside != NULL &&
	    option > option_find(option->kind, option->beside);
}

static void
target_fill(const struct build *build, const struct target *target,
    struct section *section)
{
	struct origin standard = { .kind = ORIGIN_DEFAULT };

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &OPTIONS[i];

		if (option->kind != target->kind ||
		    option_is_second(option) ||
		    option_fill(build, target, option, section))
			continue;
		if (option->shared &&
		    option_fill(build, target, option, build->defaults))
			continue;
		if (option->standard != NULL)
			value_set(build, target, option, option->standard,
			    standard);
	}
}

static struct origin *
origins_new(const struct build *build)
{
	return arena_alloc(build->arena, OPTION_COUNT * sizeof(struct origin));
}

static void
global_fill(const struct build *build, struct global_conf *global,
    struct section *section)
{
	global->origins = origins_new(build);
	if (global->origins != NULL)
		target_fill(build, &(struct target){ SECTION_GLOBAL, global,
		    global->origins }, section);
}

static void
listener_fill(const struct build *build, struct listener_conf *listener,
    struct section *section)
{
	listener->origins = origins_new(build);
	if (listener->origins != NULL)
		target_fill(build, &(struct target){ SECTION_LISTENER, listener,
		    listener->origins }, section);
}

static void
upstream_fill(const struct build *build, struct upstream_conf *upstream,
    struct section *section)
{
	upstream->origins = origins_new(build);
	if (upstream->origins != NULL)
		target_fill(build, &(struct target){ SECTION_UPSTREAM, upstream,
		    upstream->origins }, section);
}

/* Sections that make no part of the configuration are read for their errors:
 * repeated ones, and [defaults], which nobody may use. */
static void
section_try(const struct build *build, struct section *section)
{
	struct global_conf global = { 0 };
	struct listener_conf listener = { 0 };
	struct upstream_conf upstream = { 0 };

	if (section->kind == SECTION_GLOBAL)
		global_fill(build, &global, section);
	if (section->kind == SECTION_LISTENER ||
	    section->kind == SECTION_DEFAULTS)
		listener_fill(build, &listener, section);
	if (section->kind == SECTION_UPSTREAM ||
	    section->kind == SECTION_DEFAULTS)
		upstream_fill(build, &upstream, section);
}

static void
listener_add(const struct build *build, struct config *config,
    struct section *section)
{
	struct listener_conf *listener = &config->listeners[config->nlisteners];

	listener->name = arena_text(build->arena, section->name,
	    strlen(section->name));
	listener->config = config;
	listener->index = config->nlisteners++;
	config->listener_places = config->nlisteners;
	listener->origin = section->origin;
	section->owner = listener;
	listener_fill(build, listener, section);
}

static void
upstream_add(const struct build *build, struct config *config,
    struct section *section)
{
	struct upstream_conf *upstream = &config->upstreams[config->nupstreams];

	upstream->name = arena_text(build->arena, section->name,
	    strlen(section->name));
	upstream->index = config->nupstreams++;
	config->upstream_places = config->nupstreams;
	upstream->origin = section->origin;
	section->owner = upstream;
	upstream_fill(build, upstream, section);
}

static void
section_add(const struct build *build, struct config *config,
    struct section *section)
{
	if (section->again || section->kind == SECTION_DEFAULTS)
		section_try(build, section);
	else if (section->kind == SECTION_LISTENER)
		listener_add(build, config, section);
	else if (section->kind == SECTION_UPSTREAM)
		upstream_add(build, config, section);
}

void
config_build_global(struct config *config, struct arena *arena,
    struct document *doc)
{
	const struct build build = { arena, doc, NULL };

	global_fill(&build, &config->global,
	    document_find(doc, SECTION_GLOBAL, ""));
}

void
config_build(struct config *config, struct arena *arena, struct document *doc)
{
	struct build build = { arena, doc,
		document_find(doc, SECTION_DEFAULTS, "") };
	size_t count = 0;

	for (struct section *s = doc->sections; s != NULL; s = s->next)
		count++;
	config->listeners = arena_alloc(arena,
	    count * sizeof(*config->listeners));
	config->upstreams = arena_alloc(arena,
	    count * sizeof(*config->upstreams));
	if (config->listeners == NULL || config->upstreams == NULL)
		return;
	global_fill(&build, &config->global,
	    document_find(doc, SECTION_GLOBAL, ""));
	for (struct section *s = doc->sections; s != NULL; s = s->next)
		section_add(&build, config, s);
}
