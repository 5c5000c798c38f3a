/* The option type of bytes: "PING\\r\\n", "hex:0000000804d2162f". */
#include "rows.h"

#include <stdio.h>
#include <string.h>

#define HEX "hex:"

/* -1: none. */
static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c | 32);

	return at == NULL ? -1 : (int)(at - digits);
}

/* Two digits, or -1. */
static int
hex_byte(const char *text)
{
	int high = hex_digit(text[0]);
	int low = high < 0 ? -1 : hex_digit(text[1]);

	return low < 0 ? -1 : high * 16 + low;
}

/* The byte that is meant behind a backslash, and how many characters say it; -1
 * for nonsense. */
static int
escape_byte(const char *text, size_t *len)
{
	static const char names[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
	const char *at;

	*len = 3;
	if (text[0] == 'x')
		return hex_byte(text + 1);
	*len = 1;
	at = text[0] == '\0' ? NULL : strchr(names, text[0]);
	return at == NULL ? -1 : (unsigned char)bytes[at - names];
}

static const char *
text_parse(struct bytes_conf *bytes, const char *text)
{
	size_t len;
	int byte;

	while (*text != '\0') {
		len = 0;
		byte = (unsigned char)*text++;
		if (byte == '\\')
			byte = escape_byte(text, &len);
		if (byte < 0)
			return "a backslash is followed by r, n, t, 0, another "
			    "backslash, or xNN";
		bytes->data[bytes->len++] = (uint8_t)byte;
		text += len;
	}
	return NULL;
}

static const char *
hex_parse(struct bytes_conf *bytes, const char *text)
{
	int byte;

	for (; *text != '\0'; text += 2) {
		byte = hex_byte(text);
		if (byte < 0)
			return HEX " is followed by pairs of hexadecimal "
			    "digits";
		bytes->data[bytes->len++] = (uint8_t)byte;
	}
	return bytes->len > 0 ? NULL : HEX " is followed by nothing";
}

static bool
bytes_set(const struct setting *setting)
{
	struct bytes_conf *bytes = setting_field(setting);
	size_t len = strlen(setting->text), head = strlen(HEX);
	const char *wrong;

	*bytes = (struct bytes_conf){ 0 };
	bytes->text = arena_text(setting->arena, setting->text, len);
	bytes->data = arena_alloc(setting->arena, len);
	if (bytes->text == NULL || bytes->data == NULL)
		return false;
	wrong = strncmp(setting->text, HEX, head) == 0 ?
	    hex_parse(bytes, setting->text + head) :
	    text_parse(bytes, setting->text);
	return wrong == NULL || setting_wrong(setting, ": %s, not so in '%s'",
	    wrong, setting->text);
}

static bool
bytes_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct bytes_conf *bytes = option_field(option, owner);

	if (n > 0 || bytes->text == NULL)
		return false;
	snprintf(item->text, sizeof(item->text), "%s", bytes->text);
	return true;
}

static const char *
bytes_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "text, in which \\r \\n \\t \\0 \\\\ and \\xNN "
	    "stand for bytes, or hex:0D0A...");
}

const struct option_type TYPE_BYTES = { bytes_set, bytes_get, bytes_form };
