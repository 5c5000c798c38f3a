#include "base/rawtext.h"

#define DIGITS 20 /* of a 64 bit number, at most */

static void
rawtext_byte(struct rawtext *t, char c)
{
	if (t->len < sizeof(t->text))
		t->text[t->len++] = c;
}

void
rawtext_add(struct rawtext *t, const char *text)
{
	while (*text != '\0')
		rawtext_byte(t, *text++);
}

void
rawtext_number(struct rawtext *t, uint64_t value, unsigned base,
    unsigned digits)
{
	char reversed[DIGITS];
	unsigned n = 0;

	do {
		reversed[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (n < DIGITS && (value > 0 || n < digits));
	while (n > 0)
		rawtext_byte(t, reversed[--n]);
}
