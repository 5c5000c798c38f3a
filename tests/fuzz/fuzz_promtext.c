/* A label's value is read again as it was, whatever bytes it has; and what
 * finds no room is not half written. */
#include "proto/promtext.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BEFORE "x{l=\""
#define AFTER  "\"} 1\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The value between the quotes at 'text', as Prometheus reads it. */
static char *
unescape(const char *text)
{
	char *value = malloc(strlen(text) + 1), *end = value;

	for (; *text != '"'; text++) {
		assert(*text != '\n' && *text != '\0');
		if (*text == '\\' && *++text == 'n')
			*end++ = '\n';
		else
			*end++ = *text;
	}
	assert(strcmp(text, AFTER) == 0);
	*end = '\0';
	return value;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *value = malloc(size + 1), *text, *again;
	size_t room, len;
	struct promtext p;

	memcpy(value, data, size);
	value[size] = '\0';
	room = size > 0 ? data[0] * 4 + 1 : 1;
	text = malloc(room);
	promtext_begin(&p, text, room, "x", "");
	promtext_label(&p, "l", value);
	len = promtext_number(&p, 1);
	assert(strlen(text) < room);
	if (len > 0) {
		assert(len == strlen(text));
		assert(strncmp(text, BEFORE, strlen(BEFORE)) == 0);
		again = unescape(text + strlen(BEFORE));
		assert(strcmp(again, value) == 0);
		free(again);
	}
	free(text);
	free(value);
	return 0;
}
