/* Text for where nothing of libc may be called: in a signal handler that comes
 * at any point of any function (signal-safety(7)).  What does not fit is cut. */
#ifndef SLUICE_BASE_RAWTEXT_H
#define SLUICE_BASE_RAWTEXT_H

#include <stddef.h>
#include <stdint.h>

#define RAWTEXT 1024

struct rawtext {
	size_t len;
	char   text[RAWTEXT]; /* not terminated */
};

/* Appends text; or a number in base 10 or 16, with zeros in front where it has
 * fewer digits. */
void rawtext_add(struct rawtext *, const char *text);
void rawtext_number(struct rawtext *, uint64_t value, unsigned base,
    unsigned digits);

#endif
