#include "repeats.h"

#include <stdio.h>
#include <string.h>

#define SUFFIX 32 /* " (repeated 4294967295 times)" */

static bool
repeat_is(const struct repeat *r, enum log_level level, const char *text,
    size_t len)
{
	return r->since != 0 && r->level == level && r->len == len &&
	    memcmp(r->text, text, len) == 0;
}

/* The oldest whose count is told; all others still have something to say, and
 * then there is no room: a message too many is better than one too few. */
static struct repeat *
repeats_spare(struct repeats *repeats)
{
	struct repeat *oldest = NULL;

	for (size_t i = 0; i < REPEATS_ROWS; i++) {
		struct repeat *r = &repeats->rows[i];

		if (r->count == 0 && (oldest == NULL ||
		    r->since < oldest->since))
			oldest = r;
	}
	return oldest;
}

static void
repeats_remember(struct repeats *repeats, enum log_level level,
    const char *text, size_t len, uint64_t now)
{
	struct repeat *r = repeats_spare(repeats);

	if (r == NULL)
		return;
	r->since = now;
	r->level = level;
	r->len = len;
	memcpy(r->text, text, len);
}

bool
repeats_hold(struct repeats *repeats, enum log_level level, const char *text,
    size_t len, uint64_t now)
{
	if (level > LOG_LEVEL_WARN)
		return false;
	for (size_t i = 0; i < REPEATS_ROWS; i++) {
		struct repeat *r = &repeats->rows[i];

		if (!repeat_is(r, level, text, len))
			continue;
		if (r->count > 0 || now - r->since < REPEATS_MS) {
			r->count++;
			return true;
		}
		r->since = 0;
	}
	repeats_remember(repeats, level, text, len, now);
	return false;
}

void
repeats_forget(struct repeats *repeats)
{
	for (size_t i = 0; i < REPEATS_ROWS; i++)
		if (repeats->rows[i].count == 0)
			repeats->rows[i].since = 0;
}

uint64_t
repeats_due(const struct repeats *repeats)
{
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; i < REPEATS_ROWS; i++) {
		const struct repeat *r = &repeats->rows[i];

		if (r->count > 0 && r->since + REPEATS_MS < due)
			due = r->since + REPEATS_MS;
	}
	return due;
}

size_t
repeats_take(struct repeats *repeats, uint64_t now, enum log_level *level,
    char *line)
{
	for (size_t i = 0; i < REPEATS_ROWS; i++) {
		struct repeat *r = &repeats->rows[i];
		int room = LOG_LINE - SUFFIX, len = (int)r->len;

		if (r->count == 0 || now < r->since + REPEATS_MS)
			continue;
		len = snprintf(line, LOG_LINE, "%.*s (repeated %u time%s)",
		    len < room ? len : room, r->text, r->count,
		    r->count == 1 ? "" : "s");
		*level = r->level;
		r->since = r->count = 0;
		return (size_t)len;
	}
	return 0;
}
