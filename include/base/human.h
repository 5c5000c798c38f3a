/* Numbers as people like to read them: short, and not exact. */
#ifndef SLUICE_BASE_HUMAN_H
#define SLUICE_BASE_HUMAN_H

#include <stdint.h>

#define HUMAN_TEXT 24

/* "340ms", "5.2s", "12m05s", "3h07m", "4d03h", "123d". Returns 'text'
 * (HUMAN_TEXT bytes). */
const char *human_duration(uint64_t ms, char *text);

/* "0", "999", "1.2k", "45.0M"; k = 1024. As above. */
const char *human_bytes(uint64_t bytes, char *text);

#endif
