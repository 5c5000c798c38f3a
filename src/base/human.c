#include "base/human.h"

#include <inttypes.h>
#include <stdio.h>

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* Two units, the lower with two digits. */
static void
human_two(char *text, uint64_t ms, uint64_t high, char high_name, uint64_t low,
    char low_name)
{
	snprintf(text, HUMAN_TEXT, "%u%c%02u%c", (unsigned)(ms / high),
	    high_name, (unsigned)(ms % high / low), low_name);
}

const char *
human_duration(uint64_t ms, char *text)
{
	if (ms < SECOND)
		snprintf(text, HUMAN_TEXT, "%" PRIu64 "ms", ms);
	else if (ms < MINUTE)
		snprintf(text, HUMAN_TEXT, "%" PRIu64 ".%" PRIu64 "s",
		    ms / SECOND, ms % SECOND / 100);
	else if (ms < HOUR)
		human_two(text, ms, MINUTE, 'm', SECOND, 's');
	else if (ms < DAY)
		human_two(text, ms, HOUR, 'h', MINUTE, 'm');
	else if (ms < 100 * DAY)
		human_two(text, ms, DAY, 'd', HOUR, 'h');
	else
		snprintf(text, HUMAN_TEXT, "%" PRIu64 "d", ms / DAY);
	return text;
}

const char *
human_bytes(uint64_t bytes, char *text)
{
	static const char units[] = "kMGTPE";
	double value = (double)bytes;
	size_t i = 0;

	if (bytes < 1000) {
		snprintf(text, HUMAN_TEXT, "%" PRIu64, bytes);
		return text;
	}
	for (value /= 1024; value >= 999.95; value /= 1024)
		i++;
	snprintf(text, HUMAN_TEXT, "%.1f%c", value, units[i]);
	return text;
}
