#include "base/clock.h"

#include <stdbool.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)

uint64_t
clock_ms(void)
{
	struct timespec now;
	uint64_t ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	return ms > 0 ? ms : 1;
}

uint64_t
clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t
clock_wall(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

struct date {
	unsigned year, month, day;
};

/* The Gregorian calendar in years that begin in March, so that the leap day is
 * the last one and a month's length is a pattern: 153 days in five months. */
static struct date
date_of(uint64_t days)
{
	uint64_t since = days + 719468; /* 0000-03-01 */
	uint64_t era = since / 146097, of_era = since % 146097;
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 -
	    of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint64_t month = (5 * of_year + 2) / 153;
	bool next = month >= 10; /* January, February */

	return (struct date){
		.year = (unsigned)(year + era * 400 + next),
		.month = (unsigned)(next ? month - 9 : month + 3),
		.day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
	};
}

static char *
put_digits(char *to, unsigned value, unsigned count, char after)
{
	for (unsigned i = count; i > 0; i--) {
		to[i - 1] = (char)('0' + value % 10);
		value /= 10;
	}
	to[count] = after;
	return to + count + 1;
}

const char *
clock_text(uint64_t wall, char *text)
{
	uint64_t seconds = wall / NS_PER_SECOND;
	unsigned of_day = (unsigned)(seconds % 86400);
	struct date date = date_of(seconds / 86400);
	char *to = put_digits(text, date.year, 4, '-');

	to = put_digits(to, date.month, 2, '-');
	to = put_digits(to, date.day, 2, 'T');
	to = put_digits(to, of_day / 3600, 2, ':');
	to = put_digits(to, of_day / 60 % 60, 2, ':');
	to = put_digits(to, of_day % 60, 2, '.');
	to = put_digits(to, (unsigned)(wall / 1000000 % 1000), 3, 'Z');
	*to = '\0';
	return text;
}
