/* Text helpers: the nearest known name, UTF-8, escaping for logs. */
#ifndef SLUICE_BASE_STR_H
#define SLUICE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

/* Edits (insert, delete, replace, swap of neighbours) from one word to the
 * other, letter case ignored; words over 63 bytes count as 64 away. */
unsigned str_distance(const char *, const char *);

/* Keeps the best guess over a row of candidates: start with a zeroed one, then
 * offer each; 'word' stays NULL when nothing is near enough to suggest. */
struct str_guess {
	const char *word; /* the candidate's own storage */
	unsigned    distance;
};
void str_guess_offer(struct str_guess *, const char *typed, const char *name);

/* Whether the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no
 * overlong forms) without NUL and other control characters but tab. */
bool str_is_text(const char *, size_t len);

/* Puts '?' for every byte that is not so, and for tabs. */
void str_mask(char *, size_t len);

/* Copies 'in' as printable ASCII: quotes, backslash, control and non-ASCII
 * bytes become \" \\ \n \t \xNN.  Always NUL-terminated, cut with "..." when it
 * does not fit 'size' (at least 8).  Returns 'out'. */
const char *str_escape(char *out, size_t size, const char *in, size_t len);

/* Copies 'in' as the inside of a JSON string (RFC 8259 section 7), always valid
 * UTF-8 whatever comes in: quotes, backslash and control characters (U+007F to
 * U+009F too) become \" \\ \n \t \uNNNN, a byte that is not UTF-8 becomes
 * U+FFFD.  NUL-terminated, cut with "..." when it does not fit 'size' (at least
 * 8).  Returns 'out'. */
const char *str_json(char *out, size_t size, const char *in, size_t len);

#endif
