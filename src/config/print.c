#include "config/option.h"

#include "reader.h"
#include "rows.h"

#include <assert.h>
#include <string.h>

struct print {
	FILE		    *out;
	const struct config *config;
	size_t		     workers; /* that auto comes to; 0: not told */
};

/* A file as seen from the folder of the one that includes. */
static const char *
file_name(const struct config *config, size_t file)
{
	const char *slash = strrchr(config->path, '/');
	size_t folder = slash != NULL ? (size_t)(slash - config->path) + 1 : 0;
	const char *name = config->files[file];

	return strncmp(name, config->path, folder) == 0 ? name + folder : name;
}

static void
line_print(const struct print *print, struct origin origin)
{
	if (print->config->nfiles > 1)
		fprintf(print->out, " ; %s line %u",
		    file_name(print->config, origin.file), origin.line);
	else
		fprintf(print->out, " ; line %u", origin.line);
}

static void
origin_print(const struct print *print, struct origin origin)
{
	switch (origin.kind) {
	case ORIGIN_DEFAULT:
		fputs(" ; default", print->out);
		break;
	case ORIGIN_DEFAULTS:
		line_print(print, origin);
		fputs(", [defaults]", print->out);
		break;
	case ORIGIN_LINE:
		line_print(print, origin);
		break;
	case ORIGIN_SET:
		fputs(" ; --set", print->out);
		break;
	case ORIGIN_LISTEN:
		fputs(" ; -L", print->out);
		break;
	}
}

/* What only this machine knows of a value. */
static void
note_print(const struct print *print, const struct option *option)
{
	if (print->workers > 0 && print->config->global.workers == 0 &&
	    option == option_find(SECTION_GLOBAL, "workers"))
		fprintf(print->out, ", here %zu", print->workers);
}

/* The blanks around '=' may be what makes a line too long to be read, and a '$'
 * would begin a variable. */
static void
option_print(const struct print *print, const struct option *option,
    const struct item *item)
{
	const char *key = item->key != NULL ? item->key : option->key;
	char value[2 * ITEM_TEXT];
	size_t len = 0;

	for (const char *c = item->text; *c != '\0'; c++) {
		if (*c == '$')
			value[len++] = '$';
		value[len++] = *c;
	}
	value[len] = '\0';
	fprintf(print->out,
	    strlen(key) + strlen(" = ") + len > READER_LINE ?
	    "%s=%s" : "%s = %s", key, value);
	origin_print(print, item->origin);
	note_print(print, option);
	fputc('\n', print->out);
}

static void
section_print(const struct print *print, enum section_kind kind,
    const void *owner, const struct origin *origins)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &OPTIONS[i];
		struct item item = { .origin = origins[i] };

		if (option->kind != kind)
			continue;
		for (size_t n = 0; option->type->get(option, owner, n, &item);
		     n++)
			option_print(print, option, &item);
	}
}

void
config_print(FILE *out, const struct config *config, size_t workers)
{
	const struct print print = { out, config, workers };

	for (size_t i = 1; i < config->nfiles; i++)
		fprintf(out, "; includes %s\n", file_name(config, i));
	fputs("[global]\n", out);
	section_print(&print, SECTION_GLOBAL, &config->global,
	    config->global.origins);
	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct listener_conf *l = &config->listeners[i];

		fprintf(out, "\n[listener %s]\n", l->name);
		section_print(&print, SECTION_LISTENER, l, l->origins);
	}
	for (size_t i = 0; i < config->nupstreams; i++) {
		const struct upstream_conf *u = &config->upstreams[i];

		fprintf(out, "\n[upstream %s]\n", u->name);
		section_print(&print, SECTION_UPSTREAM, u, u->origins);
	}
}

void
config_print_access(FILE *out, const struct config *config)
{
	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct listener_conf *l = &config->listeners[i];

		if (l->access.map != NULL)
			fprintf(out, "listener %s: allow and deny have %zu "
			    "range%s; who is in none %s\n", l->name,
			    l->access.nranges,
			    l->access.nranges == 1 ? "" : "s",
			    l->access.rest ? "may come in" : "is denied");
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
	bool line = origin.kind == ORIGIN_LINE ||
	    origin.kind == ORIGIN_DEFAULTS;

	if (line)
		snprintf(text, CONFIG_PLACE, "%s:%u",
		    config->files[origin.file], origin.line);
	else
		snprintf(text, CONFIG_PLACE, "command line");
	return text;
}
