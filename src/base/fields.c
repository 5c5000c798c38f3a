#include "base/fields.h"

#include <string.h>

#include "base/str.h"

#define KEPT   2 /* for the end: '}' and the NUL */
#define STRING 11 /* the least of one that is cut: "\u0000..." */
#define DIGITS 20

void
fields_begin(struct fields *f, bool json, char *text, size_t size)
{
	*f = (struct fields){ .text = text, .size = size - KEPT, .json = json };
	if (json)
		text[f->len++] = '{';
}

static bool
fields_put(struct fields *f, const char *text, size_t len)
{
	if (len >= f->size - f->len)
		return false;
	memcpy(f->text + f->len, text, len);
	f->len += len;
	return true;
}

/* ' key=' or ',"key":', less the separator before the first. */
static bool
fields_put_key(struct fields *f, const char *key)
{
	size_t len = strlen(key);
	char *to = f->text + f->len;

	if (f->size - f->len < len + 4)
		return false;
	if (f->len > f->json)
		*to++ = f->json ? ',' : ' ';
	if (f->json)
		*to++ = '"';
	memcpy(to, key, len);
	to += len;
	if (f->json)
		*to++ = '"';
	*to++ = f->json ? ':' : '=';
	f->len = (size_t)(to - f->text);
	return true;
}

/* How much of it JSON writes as it is. */
static size_t
json_plain(const char *value, size_t len)
{
	const unsigned char *s = (const unsigned char *)value;
	size_t n = 0;

	while (n < len && s[n] >= ' ' && s[n] < 0x7f && s[n] != '"' &&
	    s[n] != '\\')
		n++;
	return n;
}

static bool
fields_put_string(struct fields *f, const char *value, size_t len)
{
	if (f->size - f->len < STRING)
		return false;
	f->text[f->len++] = '"';
	if (json_plain(value, len) < len || !fields_put(f, value, len)) {
		str_json(f->text + f->len, f->size - f->len, value, len);
		f->len += strlen(f->text + f->len);
	}
	f->text[f->len++] = '"';
	return true;
}

/* What needs no quotes in logfmt. */
static bool
is_plain(const char *value)
{
	const unsigned char *s = (const unsigned char *)value;

	while (*s > ' ' && *s < 0x7f && *s != '"' && *s != '\\' && *s != '=')
		s++;
	return *s == '\0' && *value != '\0';
}

void
fields_word(struct fields *f, const char *key, const char *value)
{
	size_t start = f->len;
	bool fits = fields_put_key(f, key);

	if (fits && !f->json && is_plain(value))
		fits = fields_put(f, value, strlen(value));
	else if (fits)
		fits = fields_put_string(f, value, strlen(value));
	if (!fits)
		f->len = start;
}

void
fields_text(struct fields *f, const char *key, const char *value, size_t len)
{
	size_t start = f->len;

	if (!fields_put_key(f, key) || !fields_put_string(f, value, len))
		f->len = start;
}

void
fields_number(struct fields *f, const char *key, uint64_t value)
{
	char digits[DIGITS], *at = digits + DIGITS;
	size_t start = f->len;

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	if (!fields_put_key(f, key) ||
	    !fields_put(f, at, (size_t)(digits + DIGITS - at)))
		f->len = start;
}

size_t
fields_end(struct fields *f)
{
	if (f->json)
		f->text[f->len++] = '}';
	f->text[f->len] = '\0';
	return f->len;
}
