/* Prints what is written down of the option table: papers WHAT
 *
 *	ini	conf/proxy.full.ini
 *	man	conf/proxy.ini.5: the one on standard input with its list new
 *	keys	"KEY = DEFAULT" or "KEY", a line for each row
 *
 * 'make papers' puts them in place, papers.sh looks whether they are. */
#include "rows.h"

#include <stdio.h>
#include <string.h>

#define MAN_BEGIN ".\\\" The options, by 'make papers'.\n"
#define MAN_END	  ".\\\" End of the options.\n"

#define MAN_COLUMNS 75

static const enum section_kind KINDS[] = { SECTION_GLOBAL, SECTION_DEFAULTS,
	SECTION_LISTENER, SECTION_UPSTREAM };
#define KIND_COUNT (sizeof(KINDS) / sizeof(KINDS[0]))

static const char *
form_text(const struct option *option, char *text)
{
	return option->type->form(option, text);
}

/* --- proxy.full.ini */

static const char INI_INTRO[] = "Every option of Sluice at its default, to "
    "look things up in and to copy from; to start with, proxy.ini is shorter. "
    "What has no default stands in a comment (and so does log, whose default "
    "depends on -d), but for the addresses that no configuration can do "
    "without: as it stands, this file forwards port 15432 of this machine to "
    "port 5432.";

static const char INI_ORIGIN[] = "Printed by 'make papers' from the table that "
    "the program itself reads by; edit a copy.";

static bool
is_one_of(const struct option *option, const char *const *keys)
{
	while (*keys != NULL && strcmp(option->key, *keys) != 0)
		keys++;
	return *keys != NULL;
}

/* Whether the line is more than a comment. */
static bool
is_live(const struct option *option)
{
	/* Without these there is nothing to forward. */
	static const char *const needed[] = { "bind", "host", "port", NULL };
	/* To give these is more than their default. */
	static const char *const other[] = { "log", NULL };

	return option->standard != NULL ? !is_one_of(option, other) :
	    is_one_of(option, needed);
}

static void
ini_option(const struct option *option)
{
	char form[FORM_TEXT], line[FORM_TEXT + 64];

	option_wrap(stdout, "; ", option->doc);
	snprintf(line, sizeof(line), "Takes %s%s.", form_text(option, form),
	    option->list ? "; repeatable, one a line" : "");
	option_wrap(stdout, "; ", line);
	printf("%s%s = %s\n\n", is_live(option) ? "" : ";", option->key,
	    option->standard != NULL ? option->standard : option->example);
}

/* What may stand in [defaults] is told by its names, 'between' them. */
static void
defaults_keys(char *text, size_t size, const char *between)
{
	size_t used = 0;

	*text = '\0';
	for (size_t i = 0; i < OPTION_COUNT && used < size; i++) {
		const struct option *option = &OPTIONS[i];

		if (option != option_find(SECTION_DEFAULTS, option->key))
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%s",
		    used > 0 ? between : "", option->key);
	}
}

static void
ini_section(enum section_kind kind)
{
	char keys[2048], line[sizeof(keys) + 64];

	option_wrap(stdout, "; ", section_purpose(kind));
	if (kind == SECTION_DEFAULTS) {
		defaults_keys(keys, sizeof(keys), ", ");
		snprintf(line, sizeof(line), "Any of these may stand here: "
		    "%s.", keys);
		option_wrap(stdout, "; ", line);
	}
	printf("[%s]\n\n", section_word(kind));
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (OPTIONS[i].kind == kind)
			ini_option(&OPTIONS[i]);
	}
}

static int
print_ini(void)
{
	option_wrap(stdout, "; ", INI_INTRO);
	puts(";");
	option_wrap(stdout, "; ", INI_ORIGIN);
	putchar('\n');
	for (size_t i = 0; i < KIND_COUNT; i++)
		ini_section(KINDS[i]);
	return 0;
}

/* --- the list of proxy.ini.5, in mdoc(7) */

/* Writes a word so that roff(7) takes nothing in it for itself; returns its
 * columns. */
static size_t
man_word(const char *word, size_t len)
{
	int columns = 0;

	if (*word == '.' || *word == '\'')
		columns += printf("\\&");
	for (size_t i = 0; i < len; i++) {
		if (word[i] == '\\')
			columns += printf("\\e");
		else
			columns += printf("%s%c", word[i] == '-' ? "\\" : "",
			    word[i]);
	}
	return (size_t)columns;
}

/* A sentence begins on a line of its own. */
static void
man_text(const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		bool last = text[len - 1] == '.' || text[len] == '\0';

		column += man_word(text, len) + 1;
		text += len + (text[len] != '\0');
		last |= column + strcspn(text, " ") > MAN_COLUMNS;
		putchar(last ? '\n' : ' ');
		if (last)
			column = 0;
	}
}

static void
man_option(const struct option *option)
{
	char form[FORM_TEXT], line[FORM_TEXT + 64];

	printf(".It Cm %s", option->key);
	if (option->standard != NULL)
		printf(" No = %s", option->standard);
	putchar('\n');
	man_text(option->doc);
	snprintf(line, sizeof(line), "Takes %s%s.", form_text(option, form),
	    option->list ? "; repeatable, one a line" : "");
	man_text(line);
}

static void
man_section(enum section_kind kind)
{
	char keys[2048];

	printf(".Ss %s\\&\n", section_title(kind));
	man_text(section_purpose(kind));
	if (kind == SECTION_DEFAULTS) {
		defaults_keys(keys, sizeof(keys), " ,\n.Cm ");
		printf("Any of these may stand there:\n.Cm %s .\n", keys);
		return;
	}
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (OPTIONS[i].kind == kind)
			man_option(&OPTIONS[i]);
	}
	puts(".El");
}

/* Passes lines on up to and with 'last'; false when it does not come. */
static bool
man_pass(const char *last, bool print)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		bool found = strcmp(line, last) == 0;

		if (print || found)
			fputs(line, stdout);
		if (found)
			return true;
	}
	return false;
}

static int
print_man(void)
{
	bool whole = man_pass(MAN_BEGIN, true);

	for (size_t i = 0; whole && i < KIND_COUNT; i++)
		man_section(KINDS[i]);
	whole = whole && man_pass(MAN_END, false);
	man_pass("", true);
	if (!whole)
		fputs("papers: the marks around the options are gone\n",
		    stderr);
	return whole ? 0 : 1;
}

/* --- for papers.sh */

static int
print_keys(void)
{
	for (size_t i = 0; i < KIND_COUNT; i++) {
		for (size_t j = 0; j < OPTION_COUNT; j++) {
			const struct option *option = &OPTIONS[j];

			if (option->kind != KINDS[i])
				continue;
			printf("%s%s%s\n", option->key,
			    option->standard != NULL ? " = " : "",
			    option->standard != NULL ? option->standard : "");
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (strcmp(what, "ini") == 0)
		return print_ini();
	if (strcmp(what, "man") == 0)
		return print_man();
	if (strcmp(what, "keys") == 0)
		return print_keys();
	fputs("usage: papers ini|man|keys\n", stderr);
	return 1;
}
