#include "base/str.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 63
#define WORD_FAR 64

static unsigned
min2(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool
same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment (Damerau-Levenshtein without a second edit of a
 * swapped pair), three rows at a time: rows[i % 3][j] is the distance between
 * the first i bytes of 'a' and the first j bytes of 'b'. */
unsigned
str_distance(const char *a, const char *b)
{
	size_t alen = strlen(a), blen = strlen(b);
	unsigned rows[3][WORD_MAX + 1];

	if (alen > WORD_MAX || blen > WORD_MAX)
		return WORD_FAR;
	for (unsigned j = 0; j <= blen; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= alen; i++) {
		const unsigned *above = rows[(i - 1) % 3];
		unsigned *row = rows[i % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= blen; j++) {
			row[j] = min2(above[j], row[j - 1]) + 1;
			row[j] = min2(row[j],
			    above[j - 1] + !same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]))
				row[j] = min2(row[j],
				    rows[(i - 2) % 3][j - 2] + 1);
		}
	}
	return rows[alen % 3][blen];
}

/* Near is an edit for every three letters typed, and never every letter. */
void
str_guess_offer(struct str_guess *guess, const char *typed, const char *name)
{
	unsigned distance = str_distance(typed, name);
	size_t len = strlen(typed);

	if (distance > (len + 2) / 3 || distance >= len ||
	    distance >= strlen(name))
		return;
	if (guess->word == NULL || distance < guess->distance) {
		guess->word = name;
		guess->distance = distance;
	}
}

/* Length of the sequence that a lead byte opens and the range of its second
 * byte: RFC 3629 section 4, less the control characters U+0080 to U+009F. */
static size_t
utf8_lead(unsigned char lead, unsigned char *low, unsigned char *high)
{
	*low = lead == 0xc2 || lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	*high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 0;
}

static size_t
utf8_sequence(const unsigned char *s, size_t len)
{
	unsigned char low, high;
	size_t n = utf8_lead(s[0], &low, &high);

	if (n == 0 || n > len || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

bool
str_is_text(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = 1;
		if (s[i] >= 0x80)
			n = utf8_sequence(s + i, len - i);
		else if ((s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
			n = 0;
		if (n == 0)
			return false;
	}
	return true;
}

void
str_mask(char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = str_is_text(text + i, 1) ? 1 :
		    utf8_sequence((unsigned char *)text + i, len - i);
		if (n > 0 && text[i] != '\t')
			continue;
		text[i] = '?';
		n = 1;
	}
}

/* Writes the escape of one byte and returns its length, 4 at most. */
static size_t
escape_byte(char *out, unsigned char c)
{
	static const char HEX[] = "0123456789abcdef";

	out[0] = '\\';
	out[1] = (char)c;
	if (c == '"' || c == '\\')
		return 2;
	if (c == '\n' || c == '\t') {
		out[1] = c == '\n' ? 'n' : 't';
		return 2;
	}
	if (c >= 0x20 && c < 0x7f) {
		out[0] = (char)c;
		return 1;
	}
	out[1] = 'x';
	out[2] = HEX[c >> 4];
	out[3] = HEX[c & 15];
	return 4;
}

/* Writes \uNNNN; 'c' is below 0x10000. */
static size_t
json_unicode(char *out, unsigned c)
{
	static const char HEX[] = "0123456789abcdef";

	out[0] = '\\';
	out[1] = 'u';
	out[2] = HEX[c >> 12];
	out[3] = HEX[c >> 8 & 15];
	out[4] = HEX[c >> 4 & 15];
	out[5] = HEX[c & 15];
	return 6;
}

/* Writes what stands for the character at 's', and returns its length, 6 at
 * most; 'taken' is how many bytes the character has. */
static size_t
json_character(char *out, const unsigned char *s, size_t len, size_t *taken)
{
	*taken = 1;
	if (s[0] < 0x80 && s[0] != '"' && s[0] != '\\' && s[0] >= 0x20 &&
	    s[0] != 0x7f) {
		out[0] = (char)s[0];
		return 1;
	}
	if (s[0] == '"' || s[0] == '\\' || s[0] == '\n' || s[0] == '\t')
		return escape_byte(out, s[0]);
	if (s[0] < 0x80)
		return json_unicode(out, s[0]);
	*taken = utf8_sequence(s, len);
	if (*taken > 0) {
		memcpy(out, s, *taken);
		return *taken;
	}
	*taken = 1;
	if (s[0] != 0xc2 || len < 2 || s[1] < 0x80 || s[1] > 0x9f)
		return json_unicode(out, 0xfffd);
	*taken = 2; /* U+0080 to U+009F */
	return json_unicode(out, s[1]);
}

/* What becomes of the character that begins at 's'. */
typedef size_t escaper(char *out, const unsigned char *s, size_t len,
    size_t *taken);

static const char *
str_copy(escaper *escape, char *out, size_t size, const char *in, size_t len)
{
	const unsigned char *s = (const unsigned char *)in;
	size_t used = 0, cut = 0, taken;
	char one[6];

	for (size_t i = 0; i < len; i += taken) {
		size_t n = escape(one, s + i, len - i, &taken);

		if (used + n >= size) {
			memcpy(out + cut, "...", 4);
			return out;
		}
		memcpy(out + used, one, n);
		used += n;
		if (used + 4 <= size)
			cut = used;
	}
	out[used] = '\0';
	return out;
}

static size_t
escape_character(char *out, const unsigned char *s, size_t len, size_t *taken)
{
	(void)len;
	*taken = 1;
	return escape_byte(out, s[0]);
}

const char *
str_escape(char *out, size_t size, const char *in, size_t len)
{
	return str_copy(escape_character, out, size, in, len);
}

const char *
str_json(char *out, size_t size, const char *in, size_t len)
{
	return str_copy(json_character, out, size, in, len);
}
