/* More bytes never give a protocol another name, and what is said of them is
 * short and printable. */
#include "proto/sniff.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sniff *all = sniff_bytes(data, size);
	char text[SNIFF_TEXT];

	for (size_t len = 0; len <= size && len <= 2 * SNIFF_MOST; len++) {
		uint8_t *copy = malloc(len);
		const struct sniff *some;

		if (len > 0)
			memcpy(copy, data, len);
		some = sniff_bytes(copy, len);
		assert(some == all || (some->protocol[0] == '\0' &&
		    len < SNIFF_MOST));
		free(copy);
	}
	sniff_text(data, size, text);
	assert(memchr(text, '\0', sizeof(text)) != NULL && text[0] != '\0');
	for (const char *c = text; *c != '\0'; c++)
		assert(*c >= ' ' && *c < 0x7f);
	return 0;
}
