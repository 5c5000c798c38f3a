/* Time, always CLOCK_MONOTONIC, so that nobody setting the date ends a
 * session. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since some point in the past; never 0, so that 0 can mean
 * "not yet". */
uint64_t clock_ms(void);

/* Microseconds of the same clock, for what is over within a millisecond. */
uint64_t clock_us(void);

/* Wall clock as "2026-01-02T03:04:05.678Z" (RFC 3339, UTC) for log lines. */
#define CLOCK_TEXT 32
void clock_text(char *text);

#endif
