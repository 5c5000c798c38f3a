#include "config/option.h"

#include "base/str.h"
#include "rows.h"
#include "synonym.h"

#include <errno.h>
#include <string.h>

#define COLUMNS 79
#define INDENT	"        "

void
option_wrap(FILE *out, const char *indent, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (column > 0 && column + 1 + len > COLUMNS) {
			fputc('\n', out);
			column = 0;
		}
		column += (size_t)fprintf(out, "%s%.*s",
		    column == 0 ? indent : " ", (int)len, text);
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
	option_wrap(out, INDENT, line);
	option_wrap(out, INDENT, option->doc);
}

static void
help_heading(FILE *out, enum section_kind kind)
{
	fprintf(out, "%s\n", section_title(kind));
	option_wrap(out, "", section_purpose(kind));
	fputc('\n', out);
}

static void
help_section(FILE *out, enum section_kind kind)
{
	help_heading(out, kind);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (OPTIONS[i].kind == kind) {
			help_option(out, &OPTIONS[i]);
			fputc('\n', out);
		}
	}
}

/* In [defaults] are no options of its own: their names are enough. */
static void
help_defaults(FILE *out)
{
	help_heading(out, SECTION_DEFAULTS);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &OPTIONS[i];

		if (option == option_find(SECTION_DEFAULTS, option->key))
			fprintf(out, "    %s\n", option->key);
	}
	fputc('\n', out);
}

static void
help_all(FILE *out)
{
	option_wrap(out, "", "What proxy.ini may say, by section: each option "
	    "with its default, if it has one, and what else it takes. "
	    "proxy.ini(5) has the rules of the file, proxy.full.ini is one "
	    "with all of it.");
	fputc('\n', out);
	help_section(out, SECTION_GLOBAL);
	help_defaults(out);
	help_section(out, SECTION_LISTENER);
	help_section(out, SECTION_UPSTREAM);
}

/* Listeners and upstreams have some in common. */
static bool
help_is_new(size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(OPTIONS[k].key, OPTIONS[i].key) == 0)
			return false;
	return true;
}

/* Those that other programs call so, and those with the word in their names. */
static void
help_related(FILE *errors, const char *word)
{
	const char *before = "; there is ", *key;

	for (size_t n = 0; (key = synonym_find(word, n)) != NULL; n++) {
		fprintf(errors, "%s%s", before, key);
		before = ", ";
	}
	for (size_t i = 0; *word != '\0' && i < OPTION_COUNT; i++) {
		if (strstr(OPTIONS[i].key, word) == NULL || !help_is_new(i) ||
		    synonym_means(word, OPTIONS[i].key))
			continue;
		fprintf(errors, "%s%s", before, OPTIONS[i].key);
		before = ", ";
	}
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
	if (guess.word != NULL && synonym_find(key, 0) == NULL)
		fprintf(errors, "; did you mean '%s'?", guess.word);
	else
		help_related(errors, key);
	fputc('\n', errors);
	return -ENOENT;
}
