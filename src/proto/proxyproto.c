/* Reading; proxyproto_write.c writes. */
#include "proto/proxyproto.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "proxyproto-internal.h"

#define PREFIX	"PROXY "
#define UNKNOWN "UNKNOWN"
#define WORDS	6 /* of a line */

#define UNIQUE_ID_MOST 128 /* section 2.2.5 */

const uint8_t proxyproto_signature[PROXYPROTO_SIGNATURE] = { '\r', '\n', '\r',
	'\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };

static enum parse __attribute__((format(printf, 2, 3)))
read_bad(struct proxyproto *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->why, sizeof(p->why), format, args);
	va_end(args);
	return PARSE_BAD;
}

static enum parse
read_foreign(struct proxyproto *p)
{
	p->foreign = true;
	return read_bad(p, "is no PROXY header");
}

/* --- version 1: a line */

/* A word of the line for a message: what is strange about it is seen. */
#define SHOWN 24
static const char *
line_show(const char *word, char *shown)
{
	return str_escape(shown, SHOWN, word, strlen(word));
}

/* Decimal, without zeros in front (section 2.1). */
static bool
line_port(const char *word, uint16_t *port)
{
	size_t digits = strspn(word, "0123456789");
	unsigned value = 0;

	if (digits == 0 || digits > 5 || word[digits] != '\0' ||
	    (word[0] == '0' && digits > 1))
		return false;
	for (size_t i = 0; i < digits; i++)
		value = value * 10 + (unsigned)(word[i] - '0');
	*port = (uint16_t)value;
	return value <= UINT16_MAX;
}

/* inet_pton(3) is as strict as section 2.1, but takes "::ffff:192.0.2.1" too,
 * which is how the authors' own proxy writes a mapped address. */
static bool
line_ip(const char *word, bool v6, struct addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	addr->sa.sa_family = v6 ? AF_INET6 : AF_INET;
	return inet_pton(addr->sa.sa_family, word, v6 ?
	    (void *)&addr->in6.sin6_addr : &addr->in.sin_addr) == 1;
}

static enum parse
line_peer(struct proxyproto *p, struct peer *peer, const char *which, bool v6,
    char *const word[3])
{
	char shown[SHOWN];
	struct addr addr;
	uint16_t port;

	if (!line_ip(word[0], v6, &addr))
		return read_bad(p, "%s address '%s' is none of IPv%c", which,
		    line_show(word[0], shown), v6 ? '6' : '4');
	if (!line_port(word[2], &port))
		return read_bad(p, "%s port '%s' is no number from 0 to 65535",
		    which, line_show(word[2], shown));
	if (v6)
		addr.in6.sin6_port = htons(port);
	else
		addr.in.sin_port = htons(port);
	peer_from_sockaddr(peer, &addr.sa);
	return PARSE_OK;
}

static enum parse
line_words(struct proxyproto *p, char *const word[WORDS])
{
	bool v6 = strcmp(word[1], "TCP6") == 0;
	enum parse result;
	char shown[SHOWN];

	if (!v6 && strcmp(word[1], "TCP4") != 0)
		return read_bad(p, "protocol '%s' is not TCP4, TCP6 or UNKNOWN",
		    line_show(word[1], shown));
	result = line_peer(p, &p->source, "source", v6, &word[2]);
	return result == PARSE_OK ? line_peer(p, &p->destination, "destination",
	    v6, &word[3]) : result;
}

/* 'end' is where the CRLF begins. */
static enum parse
line_parse(struct proxyproto *p, const uint8_t *data, size_t end)
{
	char line[PROXYPROTO_LINE], *rest = line, *word[WORDS];
	size_t words = 0;

	memcpy(line, data, end);
	line[end] = '\0';
	if (strlen(line) < end)
		return read_bad(p, "has a NUL in its line");
	while (rest != NULL && words < WORDS) {
		word[words] = strsep(&rest, " ");
		if (word[words++][0] == '\0')
			return read_bad(p, "has a space too many");
	}
	if (words < WORDS || rest != NULL)
		return read_bad(p, "has %s than PROXY, protocol, two addresses "
		    "and two ports", rest != NULL ? "more" : "less");
	return line_words(p, word);
}

static bool
line_is_unknown(const uint8_t *data, size_t len)
{
	return len >= strlen(PREFIX UNKNOWN) &&
	    memcmp(data, PREFIX UNKNOWN, strlen(PREFIX UNKNOWN)) == 0;
}

/* The byte at p->at.  A line ends with CRLF, and with no half of it; that of
 * UNKNOWN is only looked through for its end. */
static enum parse
line_look(struct proxyproto *p, const uint8_t *data)
{
	size_t at = p->at;
	bool after_cr = at > 0 && data[at - 1] == '\r', unknown;

	if (at < strlen(PREFIX))
		return data[at] == PREFIX[at] ? PARSE_MORE : read_foreign(p);
	unknown = line_is_unknown(data, at);
	if (data[at] == '\n' && after_cr) {
		p->len = at + 1;
		return unknown ? PARSE_OK : line_parse(p, data, at - 1);
	}
	if (!unknown && (data[at] == '\n' || after_cr))
		return read_bad(p, "ends its line with %s alone, not CRLF",
		    after_cr ? "CR" : "LF");
	if (at + 1 == PROXYPROTO_LINE)
		return read_bad(p, "has no CRLF in its first %d bytes",
		    PROXYPROTO_LINE);
	return PARSE_MORE;
}

static enum parse
line_read(struct proxyproto *p, const uint8_t *data, size_t len)
{
	enum parse result = PARSE_MORE;

	for (; p->at < len && result == PARSE_MORE; p->at++)
		result = line_look(p, data);
	return result;
}

/* --- version 2: a block */

static unsigned
block_u16(const uint8_t *data)
{
	return (unsigned)data[0] << 8 | data[1];
}

static bool
block_is_local(const uint8_t *data)
{
	return (data[12] & 0x0f) == 0;
}

/* How many bytes of addresses the family has; of AF_UNSPEC they are ignored. */
static size_t
block_addrs(const uint8_t *data)
{
	static const size_t LENGTHS[] = { 0, 12, 36, 2 * PROXYPROTO_PATH };

	return LENGTHS[data[13] >> 4];
}

/* Each byte of the head is judged as soon as it is there. */
static enum parse
block_head(struct proxyproto *p, const uint8_t *data, size_t len)
{
	if (len > 12 && data[12] >> 4 != 2)
		return read_bad(p, "is of version %u of its binary form; "
		    "there is only 2", data[12] >> 4);
	if (len > 12 && (data[12] & 0x0f) > 1)
		return read_bad(p, "has command %u; there are only LOCAL (0) "
		    "and PROXY (1)", data[12] & 0x0f);
	if (len > 13 && !block_is_local(data) &&
	    (data[13] >> 4 > 3 || (data[13] & 0x0f) > 2))
		return read_bad(p, "has address family and protocol 0x%02x, "
		    "which is none", data[13]);
	if (len < PROXYPROTO_HEAD)
		return PARSE_MORE;
	p->len = PROXYPROTO_HEAD + block_u16(data + 14);
	if (p->len > PROXYPROTO_HEAD + PROXYPROTO_ANNOUNCE)
		return read_bad(p, "announces %u bytes; %d are the most that "
		    "are taken", block_u16(data + 14), PROXYPROTO_ANNOUNCE);
	if (!block_is_local(data) &&
	    p->len < PROXYPROTO_HEAD + block_addrs(data))
		return read_bad(p, "announces %u bytes, too short for its %zu "
		    "of addresses", block_u16(data + 14), block_addrs(data));
	return PARSE_OK;
}

static void
block_peer(struct peer *peer, bool v6, const uint8_t *ip, const uint8_t *port)
{
	struct addr addr;

	memset(&addr, 0, sizeof(addr));
	if (v6) {
		addr.in6.sin6_family = AF_INET6;
		memcpy(&addr.in6.sin6_addr, ip, 16);
		memcpy(&addr.in6.sin6_port, port, 2);
	} else {
		addr.in.sin_family = AF_INET;
		memcpy(&addr.in.sin_addr, ip, 4);
		memcpy(&addr.in.sin_port, port, 2);
	}
	peer_from_sockaddr(peer, &addr.sa);
}

/* Of protocol UNSPEC the addresses are there and not to be used. */
static void
block_peers(struct proxyproto *p, const uint8_t *data)
{
	const uint8_t *addrs = data + PROXYPROTO_HEAD;
	unsigned family = data[13] >> 4, size = family == 2 ? 16 : 4;

	if (family == 0 || (data[13] & 0x0f) == 0)
		return;
	if (family == 3) {
		p->source.family = p->destination.family = AF_UNIX;
		p->paths = addrs;
		return;
	}
	block_peer(&p->source, family == 2, addrs, addrs + 2 * size);
	block_peer(&p->destination, family == 2, addrs + size,
	    addrs + 2 * size + 2);
}

/* RFC 9260 appendix A: reflected, 0x1edc6f41 the polynomial. */
static uint32_t
crc32c(uint32_t crc, const uint8_t *data, size_t len)
{
	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* Over the whole header, the sum itself taken as zeros (section 2.2.3). */
static bool
block_sum_fits(const struct proxyproto *p, const uint8_t *data,
    const uint8_t *sum)
{
	static const uint8_t zeros[4];
	uint32_t crc = crc32c(0, data, (size_t)(sum - data));

	crc = crc32c(crc, zeros, sizeof(zeros));
	crc = crc32c(crc, sum + 4, p->len - (size_t)(sum + 4 - data));
	return crc == ((uint32_t)block_u16(sum) << 16 | block_u16(sum + 2));
}

bool
proxyproto_find(const struct proxyproto *p, enum proxyproto_type type,
    const uint8_t **value, size_t *len)
{
	for (size_t at = 0; at < p->tlvs_len; at += PROXYPROTO_TLV + *len) {
		*value = p->tlvs + at + PROXYPROTO_TLV;
		*len = block_u16(p->tlvs + at + 1);
		if (p->tlvs[at] == type)
			return true;
	}
	return false;
}

/* Whether they end where the header does. */
static bool
block_tlvs_fit(const uint8_t *tlvs, size_t len)
{
	size_t at = 0;

	while (at + PROXYPROTO_TLV <= len)
		at += PROXYPROTO_TLV + block_u16(tlvs + at + 1);
	return at == len;
}

static enum parse
block_tlvs(struct proxyproto *p, const uint8_t *data)
{
	size_t start = PROXYPROTO_HEAD + block_addrs(data), len;
	const uint8_t *value;

	if (!block_tlvs_fit(data + start, p->len - start))
		return data[13] >> 4 == 0 ? PARSE_OK : read_bad(p,
		    "has a value (TLV) that does not end where the header does");
	p->tlvs = data + start;
	p->tlvs_len = p->len - start;
	if (proxyproto_find(p, PROXYPROTO_UNIQUE_ID, &value, &len) &&
	    len > UNIQUE_ID_MOST)
		return read_bad(p, "has a unique id of %zu bytes; %d are the "
		    "most", len, UNIQUE_ID_MOST);
	if (!proxyproto_find(p, PROXYPROTO_CRC32C, &value, &len))
		return PARSE_OK;
	if (len != 4 || !block_sum_fits(p, data, value))
		return read_bad(p, "has a wrong checksum (CRC32C)");
	return PARSE_OK;
}

static enum parse
block_read(struct proxyproto *p, const uint8_t *data, size_t len)
{
	enum parse result;

	for (; p->at < len && p->at < PROXYPROTO_SIGNATURE; p->at++)
		if (data[p->at] != proxyproto_signature[p->at])
			return read_foreign(p);
	result = block_head(p, data, len);
	if (result != PARSE_OK)
		return result;
	if (len < p->len)
		return PARSE_MORE;
	p->local = block_is_local(data);
	if (p->local)
		return PARSE_OK;
	block_peers(p, data);
	return block_tlvs(p, data);
}

enum parse
proxyproto_read(struct proxyproto *p, const uint8_t *data, size_t len)
{
	if (len == 0)
		return PARSE_MORE;
	return data[0] == PREFIX[0] ? line_read(p, data, len) :
	    block_read(p, data, len);
}
