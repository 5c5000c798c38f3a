/* allow and deny: the rules' ranges, also those in files, put where one look
 * finds the first that has an address. */
#include "build.h"
#include "file.h"
#include "include.h"
#include "range.h"
#include "reader.h"

#include "base/hash.h"
#include "base/str.h"
#include "config/option.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAD_RANGES 20 /* of one file that are told */

/* The ranges of one listener, as they are read. */
struct ranges {
	struct arena	    *arena; /* not ours: for as long as the load */
	struct prefix_entry *prefixes;
	struct access_range *ranges;
	uint32_t	     count;
	uint64_t	     digest;
};

static void
ranges_add(struct ranges *to, const struct prefix *prefix, uint32_t rule,
    uint32_t line)
{
	struct prefix_entry *prefixes = arena_grow(to->arena, to->prefixes,
	    to->count, sizeof(*prefixes));
	struct access_range *ranges = arena_grow(to->arena, to->ranges,
	    to->count, sizeof(*ranges));

	if (prefixes == NULL || ranges == NULL)
		return;
	prefixes[to->count] = (struct prefix_entry){ *prefix, to->count };
	ranges[to->count] = (struct access_range){ rule, line };
	to->prefixes = prefixes;
	to->ranges = ranges;
	to->count++;
	to->digest = hash_bytes(prefix->ip, sizeof(prefix->ip), hash_mix(
	    to->digest ^ rule ^ (uint64_t)prefix->family << 32 ^
	    (uint64_t)prefix->bits << 48));
}

/* The range of a line, which may have a comment behind it that begins as in
 * other lists than ours. */
static const char *
line_parse(const char *line, struct prefix *prefix, char *why)
{
	char text[READER_LINE + 1];

	strcpy(text, line);
	if (reader_comments(line))
		text[strcspn(text, " \t")] = '\0';
	return range_parse(prefix, text, RANGE_ALL, why);
}

static void
ranges_read(struct ranges *to, struct reader *reader, uint32_t rule)
{
	unsigned bad = 0;
	char why[RANGE_WHY];
	struct prefix prefix;
	const char *line, *wrong;

	while (bad < BAD_RANGES && (line = reader_next(reader)) != NULL) {
		wrong = line_parse(line, &prefix, why);
		if (wrong == NULL) {
			ranges_add(to, &prefix, rule, reader->line);
			continue;
		}
		report(reader->report, reader_here(reader), "'%s' %s", line,
		    wrong);
		if (++bad == BAD_RANGES)
			report(reader->report, reader_here(reader), "the rest "
			    "is not read");
	}
}

/* As -T prints it, so that it works in any folder; if it can be in a line. */
static void
rule_absolute(struct access_rule *rule, struct arena *arena)
{
	char *real = realpath(rule->path, NULL);
	size_t len = real != NULL ? strlen(real) : 0;

	if (real != NULL && len + strlen("allow=file:") <= READER_LINE &&
	    str_is_text(real, len) && !reader_comments(real))
		rule->path = arena_text(arena, real, len);
	free(real);
}

static void
rule_read(struct ranges *to, struct report *report_to,
    const struct access_rule *rule, uint32_t index)
{
	const char *key = rule->allow ? "allow" : "deny", *wrong;
	int fd = file_open(rule->path);
	size_t told = report_to->count;
	uint32_t before = to->count;
	struct reader reader;
	char why[FILE_WHY];
	struct stat st;
	unsigned file;

	wrong = file_wrong(fd, &st, why);
	if (wrong != NULL) {
		report(report_to, rule->origin, "%s '%s': %s", key,
		    rule->text, wrong);
	} else {
		file = report_add_file(report_to, rule->path);
		reader_init(&reader, file_source, &fd, report_to, file);
		ranges_read(to, &reader, index);
		reader_done(&reader);
		if (rule->allow && to->count == before &&
		    report_to->count == told)
			report(report_to, rule->origin, "allow '%s': has no "
			    "ranges: nobody could come in", rule->text);
	}
	if (fd >= 0)
		close(fd);
}

static void
rule_add(struct ranges *to, struct arena *arena, struct document *doc,
    struct access_conf *access, uint32_t index)
{
	struct access_rule *rule = &access->rules[index];

	if (rule->path == NULL) {
		ranges_add(to, &rule->prefix, index, 0);
		return;
	}
	if (doc->alone) {
		report(doc->report, rule->origin, "file: is for files");
		return;
	}
	rule->path = include_path(arena,
	    report_file(doc->report, rule->origin.file), rule->path);
	if (rule->path == NULL)
		return;
	rule_read(to, doc->report, rule, index);
	rule_absolute(rule, arena);
}

/* The first before it that has all it has, if that is of the other key.  What
 * a list says is nobody's line. */
static const struct access_rule *
rule_shadow(const struct access_conf *access, const struct access_rule *rule)
{
	const struct access_rule *before = access->rules;

	while (before < rule && (before->path != NULL ||
	    !prefix_covers(&before->prefix, &rule->prefix)))
		before++;
	return rule->path == NULL && before->allow != rule->allow ? before :
	    NULL;
}

static void
access_check(const struct access_conf *access, struct report *report_to)
{
	char place[ORIGIN_TEXT];

	for (size_t i = 0; i < access->nrules; i++) {
		const struct access_rule *rule = &access->rules[i];
		const struct access_rule *first = rule_shadow(access, rule);

		if (first != NULL)
			report(report_to, rule->origin, "%s %s is never "
			    "taken: %s %s at %s comes first",
			    rule->allow ? "allow" : "deny", rule->text,
			    first->allow ? "allow" : "deny", first->text,
			    origin_text(report_to, rule->origin,
			    first->origin, place));
	}
}

static bool
access_rest(const struct access_conf *access)
{
	for (size_t i = 0; i < access->nrules; i++)
		if (access->rules[i].allow)
			return false;
	return true;
}

/* For who explains a denial and has the rule alone. */
static void
access_place(struct access_conf *access, struct arena *arena,
    const struct config *config)
{
	char place[CONFIG_PLACE];

	for (size_t i = 0; i < access->nrules; i++) {
		config_place(config, access->rules[i].origin, place);
		access->rules[i].place = arena_text(arena, place,
		    strlen(place));
	}
}

static void
access_build(struct access_conf *access, struct arena *arena,
    struct document *doc)
{
	struct ranges read = { .arena = doc->arena };
	struct access_range *ranges;
	void *map;

	for (uint32_t i = 0; i < access->nrules; i++)
		rule_add(&read, arena, doc, access, i);
	ranges = arena_alloc(arena, read.count * sizeof(*ranges));
	map = arena_alloc(arena, prefix_map_size(read.prefixes, read.count));
	if (ranges == NULL || map == NULL)
		return;
	if (read.count > 0)
		memcpy(ranges, read.ranges, read.count * sizeof(*ranges));
	access->rest = access_rest(access);
	access->ranges = ranges;
	access->nranges = read.count;
	access->digest = read.digest;
	access->map = prefix_map_build(map, read.prefixes, read.count);
}

/* Rules that come from [defaults] are several listeners', and read once. */
static bool
access_same(const struct access_conf *one, const struct access_conf *other)
{
	const struct origin *a, *b;

	if (other->nrules == 0)
		return false;
	a = &one->rules[0].origin;
	b = &other->rules[0].origin;
	return a->kind == b->kind && a->file == b->file && a->line == b->line;
}

void
config_access(struct config *config, struct arena *arena, struct document *doc)
{
	for (size_t i = 0; i < config->nlisteners; i++) {
		struct access_conf *access = &config->listeners[i].access;
		size_t before = 0;

		if (access->nrules == 0)
			continue;
		while (before < i && !access_same(access,
		    &config->listeners[before].access))
			before++;
		if (before < i) {
			*access = config->listeners[before].access;
			continue;
		}
		access_place(access, arena, config);
		access_check(access, doc->report);
		access_build(access, arena, doc);
	}
}
