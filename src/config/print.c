#include "config/option.h"

#include "reader.h"
#include "rows.h"

#include <assert.h>
#include <string.h>

static void
origin_print(FILE *out, struct origin origin)
{
	switch (origin.kind) {
	case ORIGIN_DEFAULT:
		fputs(" ; default\n", out);
		break;
	case ORIGIN_DEFAULTS:
		fprintf(out, " ; line %u, [defaults]\n", origin.line);
		break;
	case ORIGIN_LINE:
		fprintf(out, " ; line %u\n", origin.line);
		break;
	case ORIGIN_SET:
		fputs(" ; --set\n", out);
		break;
	case ORIGIN_LISTEN:
		fputs(" ; -L\n", out);
		break;
	}
}

/* The blanks around '=' may be what makes a line too long to be read, and a '$'
 * would begin a variable. */
static void
option_print(FILE *out, const struct option *option, const struct item *item)
{
	char value[2 * ITEM_TEXT];
	size_t len = 0;

	for (const char *c = item->text; *c != '\0'; c++) {
		if (*c == '$')
			value[len++] = '$';
		value[len++] = *c;
	}
	value[len] = '\0';
	fprintf(out, strlen(option->key) + strlen(" = ") + len > READER_LINE ?
	    "%s=%s" : "%s = %s", option->key, value);
	origin_print(out, item->origin);
}

static void
section_print(FILE *out, enum section_kind kind, const void *owner,
    const struct origin *origins)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &OPTIONS[i];
		struct item item = { .origin = origins[i] };

		if (option->kind != kind)
			continue;
		for (size_t n = 0; option->type->get(option, owner, n, &item);
		     n++) {
			option_print(out, option, &item);
		}
	}
}

void
config_print(FILE *out, const struct config *config)
{
	fputs("[global]\n", out);
	section_print(out, SECTION_GLOBAL, &config->global,
	    config->global.origins);
	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct listener_conf *l = &config->listeners[i];

		fprintf(out, "\n[listener %s]\n", l->name);
		section_print(out, SECTION_LISTENER, l, l->origins);
	}
	for (size_t i = 0; i < config->nupstreams; i++) {
		const struct upstream_conf *u = &config->upstreams[i];

		fprintf(out, "\n[upstream %s]\n", u->name);
		section_print(out, SECTION_UPSTREAM, u, u->origins);
	}
}

struct origin
config_global_origin(const struct config *config, const char *key)
{
	const struct option *option = option_find(SECTION_GLOBAL, key);

	assert(option != NULL);
	return config->global.origins[option_index(option)];
}

const char *
config_place(const struct config *config, struct origin origin, char *text)
{
	if (config->path == NULL || origin.line == 0)
		snprintf(text, CONFIG_PLACE, "command line");
	else
		snprintf(text, CONFIG_PLACE, "%s:%u", config->path,
		    origin.line);
	return text;
}
