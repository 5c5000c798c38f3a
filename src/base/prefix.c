#include "base/prefix.h"

#include <errno.h>
#include <string.h>

#include "base/units.h"

#define MAPPED_BITS 96 /* ::ffff:0:0/96, RFC 4291 section 2.5.5.2 */

/* 0xff for a byte wholly inside, 0 for one wholly outside. */
static uint8_t
prefix_mask(unsigned bits, unsigned byte)
{
	if (bits >= (byte + 1) * 8)
		return 0xff;
	return bits <= byte * 8 ? 0 : (uint8_t)(0xff00u >> (bits - byte * 8));
}

static unsigned
prefix_length(uint16_t family)
{
	return family == AF_INET ? 4 : 16;
}

/* What stands behind the slash; NULL: all bits. */
static int
prefix_bits(struct prefix *p, const char *text, bool mapped)
{
	unsigned all = prefix_length(p->family) * 8;
	unsigned before = mapped ? MAPPED_BITS : 0;
	uint64_t bits = all + before;
	char why[UNITS_WHY];

	if (text != NULL && number_parse(text, &bits, why) != NULL)
		return -EINVAL;
	if (bits < before || bits > all + before)
		return -EINVAL;
	p->bits = (uint8_t)(bits - before);
	return 0;
}

int
prefix_parse(struct prefix *p, const char *text)
{
	const char *slash = strchr(text, '/');
	char host[ADDR_TEXT];
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	struct addr addr;
	struct peer peer;
	int error;

	memset(p, 0, sizeof(*p));
	if (strcmp(text, "unix") == 0) {
		p->family = AF_UNIX;
		return 0;
	}
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	error = addr_from_ip(&addr, host, 0);
	if (error < 0)
		return error;
	peer_from_sockaddr(&peer, &addr.sa);
	p->family = peer.family;
	error = prefix_bits(p, slash == NULL ? NULL : slash + 1,
	    peer.family == AF_INET && strchr(host, ':') != NULL);
	for (unsigned i = 0; i < prefix_length(p->family); i++)
		p->ip[i] = peer.ip[i] & prefix_mask(p->bits, i);
	return error;
}

bool
prefix_has(const struct prefix *p, const struct peer *peer)
{
	if (p->family == AF_UNSPEC)
		return true;
	if (p->family != peer->family)
		return false;
	for (unsigned i = 0; i * 8 < p->bits; i++)
		if (((p->ip[i] ^ peer->ip[i]) & prefix_mask(p->bits, i)) != 0)
			return false;
	return true;
}

bool
prefix_covers(const struct prefix *wide, const struct prefix *narrow)
{
	struct peer first = { .family = narrow->family };

	memcpy(first.ip, narrow->ip, sizeof(first.ip));
	return wide->bits <= narrow->bits && prefix_has(wide, &first);
}
