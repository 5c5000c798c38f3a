/* Time: CLOCK_MONOTONIC, so that nobody setting the date ends a session, but
 * where people read it. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since some point in the past; never 0, so that 0 can mean
 * "not yet". */
uint64_t clock_ms(void);

/* Microseconds of the same clock, for what is over within a millisecond. */
uint64_t clock_us(void);

/* The wall clock: nanoseconds since 1970, for what is told to people. */
uint64_t clock_wall(void);

/* Writes such a time as "2026-01-02T03:04:05.678Z" (RFC 3339, UTC) and returns
 * 'text' (CLOCK_TEXT bytes).  Takes no lock and asks no time zone. */
#define CLOCK_TEXT 32
const char *clock_text(uint64_t wall, char *text);

#endif
