#include "report.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENT_TEXT 96 /* how much of an argument a message quotes */

struct report_line {
	unsigned long long rank;
	size_t		   sequence;
	const char	  *text;
};

unsigned
report_add_file(struct report *report, const char *name)
{
	const char **others = arena_grow(report->arena, report->others,
	    report->nothers, sizeof(*others));

	if (others == NULL)
		return 0;
	others[report->nothers] = name;
	report->others = others;
	return (unsigned)++report->nothers;
}

const char *
report_file(const struct report *report, unsigned file)
{
	return file == 0 ? report->name : report->others[file - 1];
}

/* File by file: lines first, what concerns the whole behind them; then the
 * arguments. */
static unsigned long long
origin_rank(struct origin origin)
{
	unsigned long long group = origin.file;

	if (origin.kind == ORIGIN_LISTEN)
		group = 1u << 24;
	else if (origin.kind == ORIGIN_SET)
		group = 2u << 24;
	else if (origin.line == 0)
		return group << 33 | UINT64_C(1) << 32;
	return group << 33 | origin.line;
}

static void
label_argument(char *label, size_t size, const char *option, const char *arg)
{
	char shown[ARGUMENT_TEXT];

	str_escape(shown, sizeof(shown), arg, strlen(arg));
	snprintf(label, size, "%s '%s'", option, shown);
}

/* Which argument an origin means is its number, from 1. */
static void
report_label(const struct report *report, struct origin origin, char *label,
    size_t size)
{
	const struct config_source *source = report->source;

	if (origin.kind == ORIGIN_SET)
		label_argument(label, size, "--set",
		    source->sets[origin.line - 1]);
	else if (origin.kind == ORIGIN_LISTEN)
		label_argument(label, size, "-L",
		    source->forwards[origin.line - 1]);
	else if (origin.line == 0)
		snprintf(label, size, "%s", report_file(report, origin.file));
	else
		snprintf(label, size, "%s:%u",
		    report_file(report, origin.file), origin.line);
}

static void
report_add(struct report *report, struct origin origin, const char *kind,
    const char *text)
{
	struct report_line *lines;
	char label[512];
	char *whole;
	size_t size;

	report_label(report, origin, label, sizeof(label));
	size = strlen(label) + 2 + strlen(kind) + strlen(text) + 1;
	whole = arena_alloc(report->arena, size);
	lines = arena_grow(report->arena, report->lines, report->count,
	    sizeof(*lines));
	if (whole == NULL || lines == NULL)
		return;
	snprintf(whole, size, "%s: %s%s", label, kind, text);
	lines[report->count] = (struct report_line){
		.rank = origin_rank(origin),
		.sequence = report->count,
		.text = whole,
	};
	report->lines = lines;
	report->count++;
}

void
report(struct report *report, struct origin origin, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report->wrong++;
	report_add(report, origin, "", text);
}

void
report_warning(struct report *report, struct origin origin,
    const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report_add(report, origin, "warning: ", text);
}

const char *
origin_text(const struct report *report, struct origin here,
    struct origin other, char *text)
{
	if (other.kind == ORIGIN_SET)
		strcpy(text, "--set");
	else if (other.kind == ORIGIN_LISTEN)
		strcpy(text, "-L");
	else if (other.file != here.file)
		snprintf(text, ORIGIN_TEXT, "%s:%u",
		    report_file(report, other.file), other.line);
	else
		snprintf(text, ORIGIN_TEXT, "line %u", other.line);
	return text;
}

static int
line_compare(const void *one, const void *other)
{
	const struct report_line *a = one, *b = other;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->sequence < b->sequence ? -1 : 1;
}

static bool
errors_fill(struct config_errors *errors, const struct report *report)
{
	errors->lines = calloc(report->count, sizeof(*errors->lines));
	if (errors->lines == NULL)
		return false;
	for (size_t i = 0; i < report->count; i++) {
		errors->lines[i] = strdup(report->lines[i].text);
		if (errors->lines[i] == NULL)
			return false;
		errors->count++;
	}
	return true;
}

static void
errors_no_memory(struct config_errors *errors, const char *name)
{
	config_errors_free(errors);
	errors->lines = calloc(1, sizeof(*errors->lines));
	if (errors->lines != NULL &&
	    asprintf(&errors->lines[0], "%s: out of memory", name) > 0)
		errors->count = 1;
}

bool
report_finish(struct report *report, struct config_errors *errors)
{
	if (report->count > 0)
		qsort(report->lines, report->count, sizeof(*report->lines),
		    line_compare);
	if (!report->arena->failed &&
	    (report->count == 0 || errors_fill(errors, report)))
		return true;
	errors_no_memory(errors, report->name);
	return false;
}

void
config_errors_free(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		free(errors->lines[i]);
	free(errors->lines);
	*errors = (struct config_errors){ 0 };
}
