/* A PROXY header in any bytes.  The first says where they are cut: whatever the
 * cuts, the verdict is that of the whole; a header that was understood and is
 * written anew, in version 2, says the same; in version 1, the same of what it
 * has words for. */
#include "proto/proxyproto.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
assert_same_peer(const struct peer *a, const struct peer *b)
{
	assert(a->family == b->family && a->port == b->port);
	assert(memcmp(a->ip, b->ip, sizeof(a->ip)) == 0);
}

static void
assert_same(const struct proxyproto *a, const struct proxyproto *b)
{
	assert(a->local == b->local && a->len == b->len);
	assert(a->foreign == b->foreign && strcmp(a->why, b->why) == 0);
	assert(a->paths == b->paths && a->tlvs == b->tlvs);
	assert(a->tlvs_len == b->tlvs_len);
	assert_same_peer(&a->source, &b->source);
	assert_same_peer(&a->destination, &b->destination);
}

/* 'cut' chooses the pieces: each is of up to so many bytes. */
static enum parse
read_in_pieces(struct proxyproto *p, const uint8_t *data, size_t size,
    unsigned cut)
{
	enum parse result = PARSE_MORE;
	size_t len = 0;

	memset(p, 0, sizeof(*p));
	while (result == PARSE_MORE && len < size) {
		len += 1 + (cut = cut * 1103515245 + 12345) / 65536 % 24;
		result = proxyproto_read(p, data, len < size ? len : size);
	}
	return result;
}

static void
check_block(const struct proxyproto *p)
{
	size_t size = PROXYPROTO_HEAD + 2 * PROXYPROTO_PATH + p->tlvs_len, len;
	uint8_t *data = malloc(size);
	struct proxyproto_writer w;
	struct proxyproto again = { 0 };

	proxyproto_begin(&w, data, size, p);
	len = proxyproto_end(&w);
	assert(proxyproto_read(&again, data, len) == PARSE_OK);
	assert(again.len == len && again.local == p->local);
	assert_same_peer(&again.source, &p->source);
	assert_same_peer(&again.destination, &p->destination);
	assert((again.paths == NULL) == (p->paths == NULL));
	if (p->paths != NULL)
		assert(memcmp(again.paths, p->paths, 2 * PROXYPROTO_PATH) == 0);
	assert(again.tlvs_len <= p->tlvs_len);
	free(data);
}

static void
check_line(const struct proxyproto *p)
{
	uint8_t *data = malloc(PROXYPROTO_LINE);
	size_t len = proxyproto_line(p, (char *)data);
	struct proxyproto again = { 0 };

	assert(proxyproto_read(&again, data, len) == PARSE_OK);
	assert(again.len == len);
	if (again.source.family != AF_UNSPEC) {
		assert_same_peer(&again.source, &p->source);
		assert_same_peer(&again.destination, &p->destination);
	}
	free(data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxyproto whole = { 0 }, parts;
	enum parse result;
	uint8_t *copy;

	if (size == 0)
		return 0;
	copy = malloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	result = proxyproto_read(&whole, copy, size - 1);
	assert(read_in_pieces(&parts, copy, size - 1, data[0]) == result);
	assert_same(&whole, &parts);
	assert((whole.why[0] != '\0') == (result == PARSE_BAD));
	assert(result != PARSE_OK || whole.len <= size - 1);
	if (result == PARSE_OK) {
		check_block(&whole);
		check_line(&whole);
	}
	free(copy);
	return 0;
}
