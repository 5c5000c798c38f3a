#include "document.h"

#include "base/str.h"
#include "reader.h"
#include "rows.h"
#include "synonym.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

static const char *const WORDS[SECTION_KINDS] = {
	[SECTION_GLOBAL] = "global",
	[SECTION_DEFAULTS] = "defaults",
	[SECTION_LISTENER] = "listener",
	[SECTION_UPSTREAM] = "upstream",
};

static bool
section_has_name(enum section_kind kind)
{
	return kind == SECTION_LISTENER || kind == SECTION_UPSTREAM;
}

static const char *
section_full_name(enum section_kind kind, const char *name)
{
	return section_has_name(kind) && *name == '\0' ? "default" : name;
}

void
document_init(struct document *doc, struct arena *arena, struct report *report)
{
	*doc = (struct document){
		.arena = arena,
		.report = report,
		.last = &doc->sections,
	};
}

const char *
section_word(enum section_kind kind)
{
	return WORDS[kind];
}

const char *
section_text(const struct section *section, char *text)
{
	snprintf(text, SECTION_TEXT, "[%s%s%s]", WORDS[section->kind],
	    *section->name != '\0' ? " " : "", section->name);
	return text;
}

/* "; did you mean 'port'?", or nothing. */
static const char *
guess_text(const struct str_guess *guess, char *text, size_t size)
{
	*text = '\0';
	if (guess->word != NULL)
		snprintf(text, size, "; did you mean '%s'?", guess->word);
	return text;
}

bool
section_kind_parse(struct document *doc, struct origin origin,
    const char *word, enum section_kind *kind)
{
	struct str_guess guess = { 0 };
	char hint[64];

	for (size_t i = 0; i < SECTION_KINDS; i++) {
		*kind = (enum section_kind)i;
		if (strcmp(word, WORDS[i]) == 0)
			return true;
		str_guess_offer(&guess, word, WORDS[i]);
	}
	report(doc->report, origin, "unknown section '%s'%s", word,
	    guess.word != NULL ? guess_text(&guess, hint, sizeof(hint)) :
	    "; there are global, defaults, listener and upstream");
	return false;
}

bool
section_name_valid(const char *name)
{
	size_t len = strlen(name);

	return len <= SECTION_NAME && strspn(name, NAME_BYTES) == len;
}

bool
section_name_check(struct document *doc, struct origin origin,
    enum section_kind kind, const char *name)
{
	if (!section_has_name(kind) && *name != '\0')
		report(doc->report, origin, "[%s] takes no name: '%s'",
		    WORDS[kind], name);
	else if (!section_name_valid(name))
		report(doc->report, origin, "a name is 1 to %d of the letters "
		    "A-Z a-z 0-9 _ -, not '%s'", SECTION_NAME, name);
	else
		return true;
	return false;
}

void
document_miss(struct document *doc, const struct section *section,
    const char *key)
{
	bool global = section == NULL || section->kind == SECTION_GLOBAL;

	if (doc->sought != NULL && (key != NULL ?
	    strcmp(key, doc->sought) == 0 : global))
		doc->lost = true;
}

bool
document_knows(const struct document *doc)
{
	size_t count = 0, bad = 0;

	for (const struct section *s = doc->sections; s != NULL; s = s->next) {
		if (s->kind != SECTION_GLOBAL)
			continue;
		for (const struct entry *e = s->entries; e != NULL;
		    e = e->next) {
			if (strcmp(e->key, doc->sought) != 0)
				continue;
			count++;
			bad += s->again || e->bad;
		}
	}
	return count == 0 ? !doc->lost : count == 1 && bad == 0;
}

struct section *
document_find(const struct document *doc, enum section_kind kind,
    const char *name)
{
	struct section *section;

	name = section_full_name(kind, name);
	for (section = doc->sections; section != NULL;
	    section = section->next) {
		if (section->kind == kind && strcmp(section->name, name) == 0)
			break;
	}
	return section;
}

/* Adds one more, 'again' if there is one of its name. */
static struct section *
section_new(struct document *doc, enum section_kind kind, const char *name,
    bool again, struct origin origin)
{
	struct section *section = arena_alloc(doc->arena, sizeof(*section));

	if (section == NULL)
		return NULL;
	section->kind = kind;
	section->name = arena_text(doc->arena, name, strlen(name));
	section->origin = origin;
	section->again = again;
	section->last = &section->entries;
	if (section->name == NULL)
		return NULL;
	*doc->last = section;
	doc->last = &section->next;
	return section;
}

struct section *
document_section(struct document *doc, enum section_kind kind,
    const char *name, struct origin origin)
{
	struct section *before = document_find(doc, kind, name);
	char full[SECTION_TEXT], place[ORIGIN_TEXT];

	name = section_full_name(kind, name);
	if (before == NULL)
		return section_new(doc, kind, name, false, origin);
	if (!section_has_name(kind) && before->origin.file != origin.file) {
		before->origin = origin;
		return before;
	}
	report(doc->report, origin, "second %s; the first is at %s",
	    section_text(before, full),
	    origin_text(doc->report, origin, before->origin, place));
	return section_new(doc, kind, name, true, origin);
}

/* "[upstream] or [defaults]": where a key may stand. */
static void
key_places(const char *key, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (size_t i = SECTION_KINDS; i-- > 0 && used < size;) {
		if (option_find((enum section_kind)i, key) != NULL)
			used += (size_t)snprintf(text + used, size - used,
			    "%s[%s]", used > 0 ? " or " : "", WORDS[i]);
	}
}

/* The first key that another program's word means in such a section, else
 * anywhere; NULL: none. */
static const char *
key_meant(enum section_kind kind, const char *word)
{
	const char *key, *first = synonym_find(word, 0);

	for (size_t n = 0; (key = synonym_find(word, n)) != NULL; n++)
		if (option_find(kind, key) != NULL)
			return key;
	return first;
}

static void
key_unknown(struct document *doc, struct section *section,
    const char *key, struct origin origin)
{
	struct str_guess guess = { 0 };
	char full[SECTION_TEXT], places[96], hint[64];
	const char *meant;

	section->unsure = true;
	key_places(key, places, sizeof(places));
	document_miss(doc, section, key);
	if (*places != '\0') {
		report(doc->report, origin, "'%s' belongs in %s, not in %s",
		    key, places, section_text(section, full));
		return;
	}
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (option_belongs(&OPTIONS[i], section->kind))
			str_guess_offer(&guess, key, OPTIONS[i].key);
	}
	meant = key_meant(section->kind, key);
	if (meant != NULL)
		guess.word = meant;
	if (guess.word != NULL && section->kind == SECTION_GLOBAL)
		document_miss(doc, section, guess.word);
	if (meant != NULL && option_find(section->kind, meant) == NULL)
		key_places(meant, places, sizeof(places));
	report(doc->report, origin, "unknown key '%s' in %s%s%s%s", key,
	    section_text(section, full), guess.word != NULL ?
	    guess_text(&guess, hint, sizeof(hint)) :
	    "; 'sluice --help-config' lists them",
	    *places != '\0' ? " It belongs in " : "", places);
}

static struct entry *
section_entry(const struct section *section, const char *key)
{
	struct entry *entry = section->entries;

	while (entry != NULL && strcmp(entry->key, key) != 0)
		entry = entry->next;
	return entry;
}

static void
section_append(struct document *doc, struct section *section, const char *key,
    const char *value, struct origin origin)
{
	struct entry *entry = arena_alloc(doc->arena, sizeof(*entry));

	if (entry == NULL)
		return;
	entry->key = key;
	entry->value = arena_text(doc->arena, value, strlen(value));
	entry->origin = origin;
	if (entry->value == NULL)
		return;
	*section->last = entry;
	section->last = &entry->next;
}

/* Whether the line could stand in a file, where a '$' takes two bytes: what
 * -T prints is one. */
static bool
line_fits(struct document *doc, struct section *section, const char *key,
    const char *value, struct origin origin)
{
	size_t len = strlen(key) + strlen("=") + strlen(value);

	while ((value = strchr(value, '$')) != NULL) {
		value++;
		len++;
	}
	if (len <= READER_LINE)
		return true;
	report(doc->report, origin, "'%s = VALUE' would be %zu bytes long, "
	    "and %d is the most", key, len, READER_LINE);
	document_miss(doc, section, key);
	section->unsure = true;
	return false;
}

void
document_add(struct document *doc, struct section *section, const char *key,
    const char *value, struct origin origin)
{
	const struct option *option = option_find(section->kind, key);
	char full[SECTION_TEXT], place[ORIGIN_TEXT];
	struct entry *before;

	if (option == NULL) {
		key_unknown(doc, section, key, origin);
		return;
	}
	if (!line_fits(doc, section, key, value, origin))
		return;
	before = option->list ? NULL : section_entry(section, key);
	if (before != NULL)
		report(doc->report, origin, "second '%s' in %s; the first is "
		    "at %s", key, section_text(section, full),
		    origin_text(doc->report, origin, before->origin, place));
	section_append(doc, section, option->key, value, origin);
}

/* Drops the lines of a key; of a list, those of --set stay. */
static void
section_drop(struct section *section, const struct option *option)
{
	struct entry **link = &section->entries, *entry;

	while ((entry = *link) != NULL) {
		if (option_takes(option, entry->key) &&
		    !(option->list && entry->origin.kind == ORIGIN_SET))
			*link = entry->next;
		else
			link = &entry->next;
	}
	section->last = link;
}

void
document_replace(struct document *doc, struct section *section,
    const char *key, const char *value, struct origin origin)
{
	const struct option *option = option_find(section->kind, key);

	if (option == NULL) {
		key_unknown(doc, section, key, origin);
		return;
	}
	if (!line_fits(doc, section, key, value, origin))
		return;
	section_drop(section, option);
	section_append(doc, section, option->key, value, origin);
}
