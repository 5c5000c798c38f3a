/* One line of named values: logfmt, or a JSON object.  Readers of either parse
 * every line, whatever bytes a value has: in both, strings are escaped as in
 * JSON, which is also what readers of logfmt know. */
#ifndef SLUICE_BASE_FIELDS_H
#define SLUICE_BASE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fields {
	char  *text;
	size_t size;
	size_t len;
	bool   json;
};

/* Begins a line in 'text' of 'size' bytes (at least 8). */
void fields_begin(struct fields *, bool json, char *text, size_t size);

/* Each adds one value, or nothing where there is no room; a string may be cut,
 * with "...".  A word has quotes in logfmt only where it needs them, a text
 * always. */
void fields_word(struct fields *, const char *key, const char *value);
void fields_text(struct fields *, const char *key, const char *value,
    size_t len);
void fields_number(struct fields *, const char *key, uint64_t value);

/* Ends the line (no newline, but a NUL) and returns its length. */
size_t fields_end(struct fields *);

#endif
