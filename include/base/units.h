/* Durations and sizes as people write them in proxy.ini. */
#ifndef SLUICE_BASE_UNITS_H
#define SLUICE_BASE_UNITS_H

#include <stdint.h>

#define UNITS_TEXT 32

/* Each returns NULL, or what is wrong with 'text' in words that fit behind
 * "NAME: " (static storage or the given buffer of UNITS_WHY bytes). */
#define UNITS_WHY 96

/* "200ms", "5s", "10m", "24h", "7d", "0"; a bare number other than 0 is wrong:
 * "5 what? write 5s or 5ms". */
const char *duration_parse(const char *text, uint64_t *ms, char *why);

/* "16k", "1M", "2G", or plain bytes; k = 1024. */
const char *size_parse(const char *text, uint64_t *bytes, char *why);

/* A whole decimal number, no sign, no leading blank. */
const char *number_parse(const char *text, uint64_t *value, char *why);

/* "100/s", "600/m", "10/h": so many in so many ms. */
const char *rate_parse(const char *text, uint64_t *count, uint64_t *per,
    char *why);

/* The shortest exact form: 120000 is "2m", 1500 is "1500ms", 0 is "0" (but one
 * day is "24h" and one minute "60s", as everybody writes them).  All write at
 * most UNITS_TEXT bytes and return 'text'. */
const char *duration_text(uint64_t ms, char *text);
const char *size_text(uint64_t bytes, char *text);
const char *rate_text(uint64_t count, uint64_t per, char *text);

#endif
