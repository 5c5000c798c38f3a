/* The text that Prometheus reads, "exposition format 0.0.4": one line a
 * sample, NAME{LABEL="VALUE",...} NUMBER.  Written only, and pure. */
#ifndef SLUICE_PROTO_PROMTEXT_H
#define SLUICE_PROTO_PROMTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROMTEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* A line that grows. */
struct promtext {
	char  *text;
	size_t size;
	size_t len;
	bool   labels; /* one was written */
	bool   cut;    /* something found no room */
};

/* Begins a sample in 'text' of 'size' bytes: its name is 'name' and 'suffix'
 * ("" or "_bucket") without anything between. */
void promtext_begin(struct promtext *, char *text, size_t size,
    const char *name, const char *suffix);

/* Adds a label; the value is UTF-8 of any kind. */
void promtext_label(struct promtext *, const char *name, const char *value);

/* Each ends the line, and returns its length with the newline, or 0: there was
 * no room for all of it, and half a line would be a lie. */
size_t promtext_number(struct promtext *, uint64_t);
size_t promtext_seconds(struct promtext *, uint64_t us); /* exactly */

/* The two lines before the samples of a metric, as above. 'type' is "counter",
 * "gauge" or "histogram"; 'help' is plain ASCII. */
size_t promtext_head(char *text, size_t size, const char *name,
    const char *type, const char *help);

/* A time as the value of the label "le": "0.005", "2.5", "+Inf" (UINT64_MAX).
 * Returns 'text' (PROMTEXT_LE bytes). */
#define PROMTEXT_LE 32
const char *promtext_le(uint64_t us, char *text);

#endif
