#include "document.h"
#include "expand.h"
#include "reader.h"

#include <ini.h>
#include <stdio.h>
#include <string.h>

#if INI_HANDLER_LINENO || INI_CALL_HANDLER_ON_NEW_SECTION
#error "inih must be built as its distribution has it: a handler of 4 arguments"
#endif

/* The reader hands over lines that inih cannot misunderstand (see reader.h);
 * sections are followed here as well, since inih cuts their names at 49 bytes
 * and passes over an empty one. */
struct parser {
	struct document *doc;
	struct reader	*reader;
	struct section	*section; /* NULL: none yet, or 'skip' */
	bool		 skip;	  /* the section was reported already */
	bool		 pending; /* inih has the line, and said nothing yet */
};

static struct origin
parser_here(const struct parser *parser)
{
	return reader_here(parser->reader);
}

/* A line was reported, whose key may be known: what its section lacks may have
 * been in it. */
static void
parser_unsure(struct parser *parser, const char *key)
{
	document_miss(parser->doc, parser->section, key);
	if (parser->section != NULL)
		parser->section->unsure = true;
	else
		parser->doc->unsure = true;
}

/* Cuts "KIND" or "KIND NAME" at its blanks; false if it is neither. */
static bool
header_split(char *text, char **word, char **name)
{
	*word = reader_live(text);
	*name = *word + strcspn(*word, " \t");
	if (**name != '\0')
		*(*name)++ = '\0';
	*name += strspn(*name, " \t");
	return **word != '\0' && strpbrk(*name, " \t") == NULL;
}

/* The section that a "[KIND NAME]" opens, or NULL after saying why none. */
static struct section *
header_section(struct document *doc, const char *line, struct origin here)
{
	char text[READER_LINE + 1], *close, *word, *name;
	enum section_kind kind;

	snprintf(text, sizeof(text), "%s", line + 1);
	close = strchr(text, ']');
	if (close == NULL) {
		report(doc->report, here, "no ']' behind '%s'", line);
		return NULL;
	}
	if (close[1] != '\0') {
		report(doc->report, here, "text behind ']': '%s'", close + 1);
		return NULL;
	}
	*close = '\0';
	if (!header_split(text, &word, &name)) {
		report(doc->report, here, "a section is [KIND] or [KIND NAME], "
		    "not '%s'", line);
		return NULL;
	}
	if (!section_kind_parse(doc, here, word, &kind) ||
	    !section_name_check(doc, here, kind, name))
		return NULL;
	return document_section(doc, kind, name, here);
}

static void
parse_header(struct parser *parser, const char *line)
{
	parser->section = header_section(parser->doc, line,
	    parser_here(parser));
	parser->skip = parser->section == NULL;
	if (parser->skip)
		parser->doc->unsure = true;
}

/* What keeps a line from being KEY = VALUE, in words, or NULL. */
static const char *
pair_wrong(const char *line)
{
	size_t key = strcspn(line, "=:");

	if (line[key] == '\0')
		return "a line is 'KEY = VALUE' or '[SECTION]'";
	if (line[key] == ':')
		return "between key and value goes '=', not ':'";
	if (key == 0)
		return "there is no key before '='";
	return NULL;
}

/* Whether inih is to have the line. */
static bool
parse_line(struct parser *parser, const char *line, char *out, int size)
{
	const char *wrong;

	if (*line == '[') {
		parse_header(parser, line);
		return false;
	}
	wrong = pair_wrong(line);
	if (wrong == NULL && snprintf(out, (size_t)size, "%s\n", line) >= size)
		wrong = "the line is too long for this inih";
	if (wrong == NULL)
		return true;
	report(parser->doc->report, parser_here(parser), "%s: '%s'", wrong,
	    line);
	parser_unsure(parser, NULL);
	return false;
}

/* What the reader leaves out, it has reported. */
static const char *
parser_next(struct parser *parser)
{
	size_t before = parser->doc->report->count;
	const char *line = reader_next(parser->reader);

	if (parser->doc->report->count > before)
		parser_unsure(parser, NULL);
	return line;
}

/* The next line for inih, as fgets(3) would give it. */
static char *
parse_feed(char *out, int size, void *context)
{
	struct parser *parser = context;
	const char *line;

	if (parser->pending)
		report(parser->doc->report, parser_here(parser),
		    "inih cannot read this line");
	do
		line = parser_next(parser);
	while (line != NULL && !parse_line(parser, line, out, size));
	parser->pending = line != NULL;
	return line != NULL ? out : NULL;
}

/* The value with its variables, or NULL after a report. */
static const char *
pair_value(struct parser *parser, const char *value, char *out)
{
	struct report *report_to = parser->doc->report;

	if (reader_comments(value)) {
		report(report_to, parser_here(parser), "comments after a value "
		    "start with ' ;', not with '#'");
		return NULL;
	}
	return expand(report_to, parser_here(parser), value, out) ? out : NULL;
}

/* inih calls it while the reader still stands at the line. */
static int
parse_pair(void *context, const char *section, const char *key,
    const char *value)
{
	struct parser *parser = context;
	struct document *doc = parser->doc;
	char out[EXPAND_TEXT];

	(void)section;
	parser->pending = false;
	value = pair_value(parser, value, out);
	if (parser->section == NULL)
		document_miss(doc, NULL, key);
	if (value == NULL)
		parser_unsure(parser, key);
	else if (parser->section != NULL)
		document_add(doc, parser->section, key, value,
		    parser_here(parser));
	else if (!parser->skip)
		report(doc->report, parser_here(parser), "'%s' stands before "
		    "the first [section]", key);
	return 1;
}

void
document_parse(struct document *doc, struct reader *reader)
{
	struct parser parser = { .doc = doc, .reader = reader };

	if (ini_parse_stream(parse_feed, &parser, parse_pair, &parser) == -2)
		doc->arena->failed = true;
}
