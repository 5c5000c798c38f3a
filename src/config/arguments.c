/* The command line's part of a configuration: -L and --set. */
#include "document.h"

#include "base/str.h"
#include "reader.h"
#include "rows.h"

#include <stdio.h>
#include <string.h>

/* Whether the text could stand in a file, so that what -T prints is one. */
static bool
text_fits(struct document *doc, struct origin origin, const char *text)
{
	size_t len = strlen(text);
	size_t before = doc->report->count;

	if (!str_is_text(text, len))
		report(doc->report, origin,
		    "contains a control character or bytes that are not UTF-8");
	else if (len > READER_LINE)
		report(doc->report, origin, "is %zu bytes long, and %d is the "
		    "most", len, READER_LINE);
	else if (reader_comments(text))
		report(doc->report, origin, "contains the start of a comment");
	if (doc->report->count > before)
		doc->unsure = true;
	return doc->report->count == before;
}

static struct section *
forward_section(struct document *doc, enum section_kind kind,
    struct origin origin)
{
	char name[SECTION_NAME];

	snprintf(name, sizeof(name), "L%u", origin.line);
	return document_section(doc, kind, name, origin);
}

/* "BIND=UPSTREAM" stands for a listener and an upstream of one server. */
static void
forward_add(struct document *doc, const char *text, struct origin origin)
{
	const char *equals = strchr(text, '=');
	struct section *listener, *upstream;
	char bind[READER_LINE + 1];

	if (equals == NULL || equals == text || equals[1] == '\0' ||
	    strpbrk(text, " \t") != NULL) {
		report(doc->report, origin, "write BIND=UPSTREAM, as in "
		    "':5432=db1.internal:5432'");
		doc->unsure = true;
		return;
	}
	snprintf(bind, sizeof(bind), "%.*s", (int)(equals - text), text);
	listener = forward_section(doc, SECTION_LISTENER, origin);
	upstream = forward_section(doc, SECTION_UPSTREAM, origin);
	if (listener == NULL || upstream == NULL)
		return;
	document_add(doc, listener, "bind", bind, origin);
	document_add(doc, listener, "upstream", upstream->name, origin);
	document_add(doc, upstream, "server", equals + 1, origin);
}

void
arguments_add_forwards(struct document *doc, const char *const *forwards)
{
	struct origin origin = { .kind = ORIGIN_LISTEN };

	for (; forwards != NULL && *forwards != NULL; forwards++) {
		origin.line++;
		if (text_fits(doc, origin, *forwards))
			forward_add(doc, *forwards, origin);
	}
}

static void
section_missing(struct document *doc, enum section_kind kind,
    const char *name, struct origin origin)
{
	struct str_guess guess = { 0 };

	for (struct section *s = doc->sections; s != NULL; s = s->next) {
		if (s->kind == kind)
			str_guess_offer(&guess, name, s->name);
	}
	if (guess.word != NULL)
		report(doc->report, origin, "there is no [%s %s]; did you "
		    "mean '%s'?", section_word(kind), name, guess.word);
	else
		report(doc->report, origin, "there is no [%s %s]",
		    section_word(kind), *name != '\0' ? name : "default");
}

/* Global and defaults need not be in the file to be set. */
static struct section *
set_section(struct document *doc, const char *word, const char *name,
    struct origin origin)
{
	struct section *section;
	enum section_kind kind;

	if (!section_kind_parse(doc, origin, word, &kind) ||
	    !section_name_check(doc, origin, kind, name))
		return NULL;
	section = document_find(doc, kind, name);
	if (section != NULL)
		return section;
	if (kind == SECTION_GLOBAL || kind == SECTION_DEFAULTS)
		return document_section(doc, kind, name, origin);
	section_missing(doc, kind, name, origin);
	return NULL;
}

/* Cuts "section.key" or "section.NAME.key" at its dots; the name may be "". */
static bool
target_split(char *target, char **word, char **name, char **key)
{
	char *first = strchr(target, '.'), *last = strrchr(target, '.');

	if (first == NULL || first == target || last[1] == '\0')
		return false;
	*word = target;
	*key = last + 1;
	*name = first == last ? last : first + 1;
	*first = *last = '\0';
	return strchr(*name, '.') == NULL;
}

static void
set_add(struct document *doc, const char *text, struct origin origin)
{
	const char *equals = strchr(text, '=');
	char target[READER_LINE + 1], *word, *name, *key;
	char value[READER_LINE + 1];
	struct section *section;

	if (equals != NULL)
		snprintf(target, sizeof(target), "%.*s", (int)(equals - text),
		    text);
	if (equals == NULL || !target_split(target, &word, &name, &key)) {
		report(doc->report, origin, "write section.key=value or "
		    "section.NAME.key=value");
		return;
	}
	snprintf(value, sizeof(value), "%s", equals + 1);
	section = set_section(doc, word, name, origin);
	if (strcmp(key, "include") == 0)
		report(doc->report, origin, "include may stand in a file only");
	else if (section != NULL)
		document_replace(doc, section, key, reader_live(value),
		    origin);
}

void
arguments_add_sets(struct document *doc, const char *const *sets)
{
	struct origin origin = { .kind = ORIGIN_SET };

	for (; sets != NULL && *sets != NULL; sets++) {
		origin.line++;
		if (text_fits(doc, origin, *sets))
			set_add(doc, *sets, origin);
	}
}
