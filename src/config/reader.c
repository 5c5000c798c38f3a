#include "reader.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define BAD_LINES 100 /* so many, and the file is something else altogether */

static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf";

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

void
reader_init(struct reader *reader, reader_source *source, void *context,
    struct report *report, unsigned file)
{
	memset(reader, 0, sizeof(*reader));
	reader->source = source;
	reader->context = context;
	reader->report = report;
	reader->file = file;
}

void
reader_done(struct reader *reader)
{
	free(reader->raw);
	reader->raw = NULL;
}

static struct origin
reader_whole(const struct reader *reader)
{
	return origin_line(reader->file, 0);
}

struct origin
reader_here(const struct reader *reader)
{
	return origin_line(reader->file, reader->line);
}

static void
reader_stop(struct reader *reader)
{
	reader->ended = true;
	reader->next = reader->filled = reader->len = 0;
	if (reader->raw != NULL)
		reader->raw[0] = '\0';
}

/* Whether there are bytes in the chunk, after reading more where needed. */
static bool
reader_fill(struct reader *reader)
{
	ssize_t got;

	if (reader->next < reader->filled)
		return true;
	if (reader->ended)
		return false;
	got = reader->source(reader->context, reader->chunk,
	    sizeof(reader->chunk));
	if (got < 0)
		report(reader->report, reader_whole(reader),
		    "cannot read: %s", strerror((int)-got));
	reader->next = 0;
	reader->filled = got > 0 ? (size_t)got : 0;
	reader->bytes += reader->filled;
	reader->ended = got <= 0;
	if (reader->bytes > READER_BYTES) {
		report(reader->report, reader_whole(reader), "is larger than "
		    "%d bytes: that is no configuration", READER_BYTES);
		reader_stop(reader);
	}
	return reader->next < reader->filled;
}

/* Adds to the raw line and keeps a NUL behind it. */
static bool
raw_append(struct reader *reader, const char *bytes, size_t len)
{
	size_t room = reader->room > 0 ? reader->room : 256;
	char *larger;

	while (room <= reader->len + len)
		room *= 2;
	if (room > reader->room) {
		larger = realloc(reader->raw, room);
		if (larger == NULL) {
			reader->report->arena->failed = true;
			reader_stop(reader);
			return false;
		}
		reader->raw = larger;
		reader->room = room;
	}
	memcpy(reader->raw + reader->len, bytes, len);
	reader->len += len;
	reader->raw[reader->len] = '\0';
	return true;
}

/* Puts the next line together, without its line end; false at the end. */
static bool
raw_next(struct reader *reader)
{
	bool any = false, whole = false;

	reader->len = 0;
	while (!whole && reader_fill(reader)) {
		const char *from = reader->chunk + reader->next;
		size_t left = reader->filled - reader->next;
		const char *end = memchr(from, '\n', left);
		size_t take = end != NULL ? (size_t)(end - from) : left;

		if (!raw_append(reader, from, take))
			return false;
		whole = end != NULL;
		reader->next += take + whole;
		any = true;
	}
	if (whole && reader->len > 0 && reader->raw[reader->len - 1] == '\r')
		reader->raw[--reader->len] = '\0';
	reader->line += any;
	return any;
}

/* What makes a line no text, or NULL. */
static const char *
raw_wrong(const char *raw, size_t len)
{
	if (memchr(raw, '\0', len) != NULL)
		return "a NUL byte";
	if (memchr(raw, '\r', len) != NULL)
		return "a carriage return without line feed";
	if (!str_is_text(raw, len))
		return "a control character or bytes that are not UTF-8";
	return NULL;
}

char *
reader_trim(char *text)
{
	char *end;

	while (is_blank(*text))
		text++;
	end = strchr(text, '\0');
	while (end > text && is_blank(end[-1]))
		end--;
	*end = '\0';
	return text;
}

/* Where one of the marks begins a comment, behind a blank, or the end. */
static size_t
comment_at(const char *text, const char *marks)
{
	size_t at = 0;

	while (text[at] != '\0' && !(at > 0 && is_blank(text[at - 1]) &&
	    strchr(marks, text[at]) != NULL))
		at++;
	return at;
}

char *
reader_live(char *line)
{
	line = reader_trim(line);
	line[*line == ';' || *line == '#' ? 0 : comment_at(line, ";")] = '\0';
	return reader_trim(line);
}

bool
reader_comments(const char *value)
{
	return *value == ';' || *value == '#' ||
	    value[comment_at(value, ";#")] != '\0';
}

static void
reader_bad(struct reader *reader, const char *what)
{
	report(reader->report, reader_here(reader),
	    "the line contains %s", what);
	if (++reader->bad < BAD_LINES)
		return;
	report(reader->report, reader_whole(reader), "is not a text file");
	reader_stop(reader);
}

/* The live part of the raw line, or NULL when there is none to hand out. */
static const char *
reader_check(struct reader *reader)
{
	const char *wrong = raw_wrong(reader->raw, reader->len);
	char *line = reader->raw;
	size_t mark = sizeof(BYTE_ORDER_MARK) - 1;

	if (wrong != NULL) {
		reader_bad(reader, wrong);
		return NULL;
	}
	if (reader->line == 1 && strncmp(line, BYTE_ORDER_MARK, mark) == 0)
		line += mark;
	line = reader_live(line);
	if (*line == '\0')
		return NULL;
	if (strncmp(line, BYTE_ORDER_MARK, mark) == 0) {
		reader_bad(reader, "a byte order mark");
		return NULL;
	}
	if (strlen(line) > READER_LINE) {
		report(reader->report, reader_here(reader),
		    "the line is %zu bytes long, and %d is the most "
		    "(comments do not count)", strlen(line), READER_LINE);
		return NULL;
	}
	return line;
}

const char *
reader_next(struct reader *reader)
{
	const char *line = NULL;

	while (line == NULL && raw_next(reader))
		line = reader_check(reader);
	return line;
}
