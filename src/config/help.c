#include "config/option.h"

#include "base/str.h"
#include "rows.h"

#include <errno.h>
#include <string.h>

#define HELP_COLUMNS 79
#define HELP_INDENT  8

/* Writes words in lines of HELP_COLUMNS, each behind HELP_INDENT blanks. */
static void
help_wrap(FILE *out, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (column > 0 && column + 1 + len > HELP_COLUMNS) {
			fputc('\n', out);
			column = 0;
		}
		if (column == 0)
			column = (size_t)fprintf(out, "%*s", HELP_INDENT, "");
		else
			column += (size_t)fprintf(out, " ");
		column += (size_t)fprintf(out, "%.*s", (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void
help_option(FILE *out, const struct option *option)
{
	char form[FORM_TEXT], line[FORM_TEXT + 64];

	fprintf(out, "    %s%s%s\n", option->key,
	    option->standard != NULL ? " = " : "",
	    option->standard != NULL ? option->standard : "");
	snprintf(line, sizeof(line), "%s%s",
	    option->type->form(option, form),
	    option->list ? "; repeatable, one a line" : "");
	help_wrap(out, line);
	help_wrap(out, option->doc);
}

static void
help_section(FILE *out, enum section_kind kind, const char *intro)
{
	fprintf(out, "%s\n\n", intro);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (OPTIONS[i].kind == kind) {
			help_option(out, &OPTIONS[i]);
			fputc('\n', out);
		}
	}
}

static void
help_defaults(FILE *out)
{
	const char *before = "";

	fputs("[defaults]: values for all listeners and upstreams; any of\n\n",
	    out);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &OPTIONS[i];

		if (option != option_find(SECTION_DEFAULTS, option->key))
			continue;
		fprintf(out, "%s    %s", before, option->key);
		before = "\n";
	}
	fputs("\n\n", out);
}

static void
help_all(FILE *out)
{
	help_section(out, SECTION_GLOBAL, "[global]");
	help_defaults(out);
	help_section(out, SECTION_LISTENER,
	    "[listener NAME]: where clients come in");
	help_section(out, SECTION_UPSTREAM,
	    "[upstream NAME]: where their sessions go");
}

int
option_help(FILE *out, FILE *errors, const char *key)
{
	struct str_guess guess = { 0 };
	bool found = false;

	if (key == NULL) {
		help_all(out);
		return 0;
	}
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &OPTIONS[i];

		str_guess_offer(&guess, key, option->key);
		if (strcmp(option->key, key) != 0)
			continue;
		fprintf(out, "[%s]%s\n", section_word(option->kind),
		    option->shared ? " or [defaults]" : "");
		help_option(out, option);
		found = true;
	}
	if (found)
		return 0;
	fprintf(errors, "there is no option '%s'", key);
	if (guess.word != NULL)
		fprintf(errors, "; did you mean '%s'?", guess.word);
	fputc('\n', errors);
	return -ENOENT;
}
