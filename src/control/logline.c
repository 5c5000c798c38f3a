#include "logline.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fields.h"

static const struct {
	int	    priority; /* of syslog(3) */
	const char *word;     /* of log_level */
	const char *prefix;   /* for people */
} LEVELS[] = {
	[LOG_LEVEL_ERROR] = { LOG_ERR, "error", "error: " },
	[LOG_LEVEL_WARN] = { LOG_WARNING, "warn", "warning: " },
	[LOG_LEVEL_INFO] = { LOG_INFO, "info", "" },
	[LOG_LEVEL_DEBUG] = { LOG_DEBUG, "debug", "" },
};

/* As the system's logger takes it from a program of this machine: RFC 3164
 * section 4.1, less the host, with the local time. */
static size_t
head_syslog(enum log_level level, uint64_t time, char *line)
{
	time_t seconds = (time_t)(time / 1000000000);
	char stamp[32];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
	return (size_t)snprintf(line, LOGDEVICE_LINE, "<%d>%s sluice[%d]: ",
	    LOG_DAEMON | LEVELS[level].priority, stamp, (int)getpid());
}

/* What a device wants before every line. */
static size_t
logline_head(enum logdevice_style style, enum log_level level, uint64_t time,
    char *line)
{
	switch (style) {
	case LOGDEVICE_JOURNAL:
		return (size_t)snprintf(line, LOGDEVICE_LINE, "<%d>",
		    LEVELS[level].priority);
	case LOGDEVICE_SYSLOG:
		return head_syslog(level, time, line);
	case LOGDEVICE_PLAIN:
	case LOGDEVICE_FILE:
		break;
	}
	return 0;
}

static size_t
message_fields(const struct message *m, bool json, char *line, size_t size)
{
	char time[CLOCK_TEXT];
	struct fields f;

	fields_begin(&f, json, line, size);
	fields_word(&f, "time", clock_text(m->time, time));
	fields_word(&f, "level", LEVELS[m->level].word);
	fields_text(&f, "msg", m->text, m->len);
	return fields_end(&f);
}

static size_t
message_plain(const struct message *m, bool prefix, char *line)
{
	size_t len = 0;

	if (prefix)
		len = strlen(strcpy(line, LEVELS[m->level].prefix));
	memcpy(line + len, m->text, m->len);
	line[len + m->len] = '\0';
	return len + m->len;
}

size_t
logline_message(enum logdevice_style style, enum log_format format,
    const struct message *m, char *line)
{
	size_t head = logline_head(style, m->level, m->time, line);
	bool json = format == LOG_FORMAT_JSON;

	if (json || style == LOGDEVICE_FILE)
		return head + message_fields(m, json, line + head,
		    LOGDEVICE_LINE - head);
	return head + message_plain(m, style != LOGDEVICE_JOURNAL,
	    line + head);
}

size_t
logline_record(enum logdevice_style style, enum log_format format,
    const struct closerecord *r, char *line)
{
	size_t head = logline_head(style, closerecord_level(r), r->time, line);

	return head + closerecord_line(r, format, line + head,
	    LOGDEVICE_LINE - head);
}
