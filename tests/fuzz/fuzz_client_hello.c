/* However a hello is cut into calls, the answer is that of the whole, and no
 * byte behind those that came is looked at. */
#include "proto/client_hello.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Memory of the exact size. */
static enum parse
feed(struct client_hello *h, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len);
	enum parse answer;

	memcpy(copy, data, len);
	answer = client_hello_parse(h, copy, len);
	if (answer == PARSE_MORE) {
		struct client_hello guess = *h;

		client_hello_guess(&guess, copy);
	}
	free(copy);
	return answer;
}

/* In steps that 'seed' gives, a few bytes to a few hundred. */
static enum parse
feed_in_steps(struct client_hello *h, const uint8_t *data, size_t len,
    unsigned seed)
{
	enum parse answer = PARSE_MORE;
	size_t n = 0;

	while (answer == PARSE_MORE && n < len) {
		seed = seed * 1103515245 + 12345;
		n += 1 + (seed >> 16) % (len > 512 ? 400 : 7);
		n = n < len ? n : len;
		answer = feed(h, data, n);
	}
	return answer;
}

static void
check(const struct client_hello *h, enum parse answer)
{
	assert((answer == PARSE_BAD) == (h->why != NULL));
	assert(memchr(h->sni, '\0', sizeof(h->sni)) != NULL);
	assert(!h->named || client_hello_is_name(h->sni, strlen(h->sni)));
	assert(!h->named || answer == PARSE_OK);
	for (const char *c = h->sni; *c != '\0'; c++)
		assert(*c >= ' ' && *c < 0x7f);
	assert(h->alpn_len <= sizeof(h->alpn));
	assert(!client_hello_offers(h, ""));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client_hello whole = { 0 }, parts = { 0 };
	enum parse answer;

	if (size == 0)
		return 0;
	answer = feed(&whole, data, size);
	check(&whole, answer);
	assert(feed_in_steps(&parts, data, size, data[size - 1]) == answer);
	assert(whole.why == parts.why);
	assert(whole.named == parts.named);
	assert(strcmp(whole.sni, parts.sni) == 0);
	assert(whole.alpn_len == parts.alpn_len);
	assert(memcmp(whole.alpn, parts.alpn, whole.alpn_len) == 0);
	return 0;
}
