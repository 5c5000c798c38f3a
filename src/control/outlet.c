#include "outlet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/str.h"
#include "base/units.h"
#include "config/option.h"

#define TELL_MS 1000 /* between two lines about lines that were lost */

int
outlet_open(struct outlet *o, const struct config *config, const char *option,
    const struct log_target *target)
{
	char place[CONFIG_PLACE];
	int error;

	*o = (struct outlet){ .option = option,
		.format = config->global.log_format };
	error = logdevice_open(&o->device, target);
	if (error < 0)
		log_error(error, "%s: %s: cannot open %s",
		    config_place(config, config_global_origin(config, option),
		    place), option,
		    target->path != NULL ? target->path : "stderr");
	return error;
}

void
outlet_close(struct outlet *o)
{
	logdevice_close(o->device);
	o->device = NULL;
}

void
outlet_put_message(struct outlet *o, const struct message *m)
{
	char line[LOGDEVICE_LINE];
	size_t len = logline_message(logdevice_style(o->device), o->format, m,
	    line);

	logdevice_put(o->device, LOGDEVICE_MESSAGES, line, len);
}

void
outlet_put_record(struct outlet *o, const struct closerecord *r)
{
	char line[LOGDEVICE_LINE];
	size_t len = logline_record(logdevice_style(o->device), o->format, r,
	    line);

	logdevice_put(o->device, LOGDEVICE_RECORDS, line, len);
}

void
outlet_take_crash(const struct outlet *o)
{
	enum crash_form form = o->format == LOG_FORMAT_JSON ? CRASH_JSON :
	    CRASH_LOGFMT;
	int fd;

	if (o->device == NULL)
		return;
	fd = logdevice_fd(o->device);
	switch (logdevice_style(o->device)) {
	case LOGDEVICE_PLAIN:
	case LOGDEVICE_JOURNAL:
		fd = STDERR_FILENO;
		if (form == CRASH_LOGFMT)
			form = CRASH_PLAIN;
		break;
	case LOGDEVICE_SYSLOG:
		form = CRASH_SYSLOG;
		break;
	case LOGDEVICE_FILE:
		break;
	}
	if (fd >= 0)
		crash_set_log(fd, form);
	else
		crash_set_log(STDERR_FILENO, CRASH_PLAIN);
}

uint64_t
outlet_dropped(const struct outlet *o, enum logdevice_kind kind)
{
	return o->device != NULL ? logdevice_dropped(o->device, kind) : 0;
}

static void __attribute__((format(printf, 2, 3)))
outlet_warn(struct message *m, const char *format, ...)
{
	va_list args;
	int len;

	m->time = clock_wall();
	m->level = LOG_LEVEL_WARN;
	va_start(args, format);
	len = vsnprintf(m->text, sizeof(m->text), format, args);
	va_end(args);
	m->len = (size_t)len < sizeof(m->text) ? (size_t)len :
	    sizeof(m->text) - 1;
	str_mask(m->text, m->len);
}

bool
outlet_has_lost(const struct outlet *o, const uint64_t *lost)
{
	for (size_t i = 0; i < LOGDEVICE_KINDS; i++)
		if (lost[i] != o->told[i])
			return true;
	return false;
}

/* "3 messages and 1 record" */
static void
outlet_count(const struct outlet *o, const uint64_t *lost, char *text,
    size_t size)
{
	static const char *const NOUNS[] = { "message", "record" };
	size_t used = 0;

	for (size_t i = 0; i < LOGDEVICE_KINDS; i++) {
		unsigned long long n = lost[i] - o->told[i];

		if (n > 0 && used < size)
			used += (size_t)snprintf(text + used, size - used,
			    "%s%llu %s%s", used > 0 ? " and " : "", n,
			    NOUNS[i], n == 1 ? "" : "s");
	}
	if (used == 0)
		snprintf(text, size, "nothing");
}

/* "No space left on device for 12s" */
static void
outlet_reason(const struct outlet *o, uint64_t now, char *text, size_t size)
{
	int error = logdevice_error(o->device);
	uint64_t ms = now - logdevice_since(o->device);
	char duration[UNITS_TEXT];

	if (logdevice_is_stuck(o->device))
		snprintf(text, size, "%s for %s", error != 0 ?
		    strerror(error) : "it took nothing",
		    duration_text(ms > 1000 ? ms / 1000 * 1000 : ms,
		    duration));
	else
		snprintf(text, size, "more came than it took");
}

bool
outlet_reopen(struct outlet *o, struct message *m)
{
	int error = logdevice_reopen(o->device);

	if (error < 0)
		outlet_warn(m, "%s: cannot open %s anew, the old file goes on: "
		    "%s", o->option, logdevice_name(o->device),
		    strerror(-error));
	return error < 0;
}

bool
outlet_got_stuck(struct outlet *o, struct message *m)
{
	int error = logdevice_error(o->device);

	if (!logdevice_is_stuck(o->device) || o->known_stuck)
		return false;
	o->known_stuck = true;
	outlet_warn(m, "%s: %s: %s; until it does better, lines are dropped",
	    o->option, logdevice_name(o->device),
	    error != 0 ? strerror(error) : "it takes nothing");
	return true;
}

static bool
outlet_may_tell(const struct outlet *o, const uint64_t *lost, uint64_t now)
{
	if (logdevice_is_stuck(o->device))
		return logdevice_may_retry(o->device, now);
	return logdevice_since(o->device) == 0 && outlet_has_lost(o, lost) &&
	    now - o->told_at >= TELL_MS;
}

/* "access_log: /var/log/x: 3 records dropped: No space left on device" */
static void
outlet_say_lost(struct outlet *o, const uint64_t *lost, uint64_t now,
    struct message *m)
{
	char count[96], reason[96];

	outlet_count(o, lost, count, sizeof(count));
	outlet_reason(o, now, reason, sizeof(reason));
	outlet_warn(m, "%s: %s: %s dropped: %s", o->option,
	    logdevice_name(o->device), count, reason);
}

bool
outlet_sums_up(struct outlet *o, const uint64_t *lost, uint64_t now,
    struct message *m)
{
	if (o->device == NULL || !outlet_has_lost(o, lost))
		return false;
	outlet_say_lost(o, lost, now, m);
	memcpy(o->told, lost, sizeof(o->told));
	return true;
}

bool
outlet_tells(struct outlet *o, const uint64_t *lost, uint64_t now,
    struct message *m)
{
	char line[LOGDEVICE_LINE];
	size_t len;

	if (!outlet_may_tell(o, lost, now))
		return false;
	logdevice_flush(o->device, now);
	if (logdevice_waits(o->device))
		return false;
	outlet_say_lost(o, lost, now, m);
	len = logline_message(logdevice_style(o->device), o->format, m, line);
	if (!logdevice_try(o->device, line, len, now))
		return false;
	memcpy(o->told, lost, sizeof(o->told));
	o->told_at = now;
	o->known_stuck = false;
	return true;
}
