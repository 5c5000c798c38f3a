#include "proto/promtext.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define US_PER_S 1000000

static void
promtext_byte(struct promtext *p, char c)
{
	if (p->len + 1 < p->size)
		p->text[p->len++] = c;
	else
		p->cut = true;
}

static void
promtext_add(struct promtext *p, const char *text)
{
	while (*text != '\0')
		promtext_byte(p, *text++);
}

void
promtext_begin(struct promtext *p, char *text, size_t size, const char *name,
    const char *suffix)
{
	*p = (struct promtext){ .text = text, .size = size };
	promtext_add(p, name);
	promtext_add(p, suffix);
}

/* Backslash, quote and newline are escaped, nothing else. */
void
promtext_label(struct promtext *p, const char *name, const char *value)
{
	promtext_byte(p, p->labels ? ',' : '{');
	p->labels = true;
	promtext_add(p, name);
	promtext_add(p, "=\"");
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n')
			promtext_byte(p, '\\');
		promtext_byte(p, *value == '\n' ? 'n' : *value);
	}
	promtext_byte(p, '"');
}

static size_t
promtext_end(struct promtext *p, const char *value)
{
	promtext_add(p, p->labels ? "} " : " ");
	promtext_add(p, value);
	promtext_byte(p, '\n');
	p->text[p->len] = '\0';
	return p->cut ? 0 : p->len;
}

size_t
promtext_number(struct promtext *p, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return promtext_end(p, text);
}

size_t
promtext_seconds(struct promtext *p, uint64_t us)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64 ".%06" PRIu64, us / US_PER_S,
	    us % US_PER_S);
	return promtext_end(p, text);
}

size_t
promtext_head(char *text, size_t size, const char *name, const char *type,
    const char *help)
{
	struct promtext p;

	promtext_begin(&p, text, size, "# HELP ", name);
	promtext_add(&p, " ");
	promtext_add(&p, help);
	promtext_add(&p, "\n# TYPE ");
	promtext_add(&p, name);
	return promtext_end(&p, type);
}

const char *
promtext_le(uint64_t us, char *text)
{
	int end;

	if (us == UINT64_MAX)
		return "+Inf";
	end = snprintf(text, PROMTEXT_LE, "%" PRIu64 ".%06" PRIu64,
	    us / US_PER_S, us % US_PER_S);
	while (text[end - 1] == '0')
		end--;
	if (text[end - 1] == '.')
		end--;
	text[end] = '\0';
	return text;
}
