/* Whatever a name server says: no byte behind it is looked at, and what is
 * found are host names, no more of them than there was room for. */
#include "proto/dns_answer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_target(const char *target)
{
	size_t label = 0, len = strnlen(target, DNS_NAME);

	assert(len < DNS_NAME);
	for (size_t i = 0; i < len; i++) {
		assert(strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.",
		    target[i]) != NULL);
		label = target[i] == '.' ? 0 : label + 1;
		assert(label <= 63 && (label > 0 || i + 1 < len));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room = dns_answer_room(data, size);
	struct dns_service *services = calloc(room + 1, sizeof(*services));
	uint8_t *copy = malloc(size);
	struct dns_answer answer;
	enum parse result;

	assert(services != NULL && room <= size);
	if (size > 0)
		memcpy(copy, data, size);
	memset(&services[room], 0x5a, sizeof(*services));
	result = dns_answer_parse(&answer, copy, size, services);
	assert((result == PARSE_BAD) == (answer.why != NULL));
	if (result == PARSE_OK) {
		assert(answer.count <= room && answer.ttl <= INT32_MAX);
		for (size_t i = 0; i < answer.count; i++)
			check_target(services[i].target);
	}
	assert(services[room].port == 0x5a5a);
	free(copy);
	free(services);
	return 0;
}
