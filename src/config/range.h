/* A range of addresses as people write it. */
#ifndef SLUICE_CONFIG_RANGE_H
#define SLUICE_CONFIG_RANGE_H

#include "base/prefix.h"

/* Reads what prefix_parse() reads, but for bits behind a range, which are a
 * mistake of one of two sorts.  Returns NULL, or what is wrong in words that
 * fit behind "'TEXT' " (static storage or 'why', of RANGE_WHY bytes).
 * 'everybody' is what is to be written for all addresses. */
#define RANGE_WHY 160
#define RANGE_ALL "0.0.0.0/0 and ::/0"
const char *range_parse(struct prefix *, const char *text,
    const char *everybody, char *why);

/* Whether it is every address of a family. */
bool range_is_all(const struct prefix *);

#endif
