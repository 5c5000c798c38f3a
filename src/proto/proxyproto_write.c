#include "proto/proxyproto.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proxyproto-internal.h"

/* How both addresses are written: as IPv6 if one of them is, since a header has
 * one family (section 2.1). */
static uint16_t
write_family(const struct proxyproto *p)
{
	uint16_t a = p->source.family, b = p->destination.family;

	if (a == b)
		return a;
	return (a == AF_INET && b == AF_INET6) ||
	    (a == AF_INET6 && b == AF_INET) ? AF_INET6 : AF_UNSPEC;
}

/* The address in 4 or 16 bytes; an IPv4 one among IPv6 is mapped (RFC 4291
 * section 2.5.5.2). */
static size_t
write_ip(const struct peer *peer, uint16_t family, uint8_t *ip)
{
	if (family == AF_INET || peer->family == AF_INET6) {
		memcpy(ip, peer->ip, 16);
		return family == AF_INET ? 4 : 16;
	}
	memset(ip, 0, 10);
	memset(ip + 10, 0xff, 2);
	memcpy(ip + 12, peer->ip, 4);
	return 16;
}

size_t
proxyproto_line(const struct proxyproto *p, char *line)
{
	uint16_t family = write_family(p);
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	char text[PROXYPROTO_LINE + 1];
	uint8_t ip[16];
	int len;

	if (family != AF_INET && family != AF_INET6) {
		len = snprintf(text, sizeof(text), "PROXY UNKNOWN\r\n");
	} else {
		write_ip(&p->source, family, ip);
		inet_ntop(family, ip, from, sizeof(from));
		write_ip(&p->destination, family, ip);
		inet_ntop(family, ip, to, sizeof(to));
		len = snprintf(text, sizeof(text), "PROXY %s %s %s %u %u\r\n",
		    family == AF_INET ? "TCP4" : "TCP6", from, to,
		    p->source.port, p->destination.port);
	}
	assert(len > 0 && (size_t)len <= PROXYPROTO_LINE);
	memcpy(line, text, (size_t)len);
	return (size_t)len;
}

static void
write_bytes(struct proxyproto_writer *w, const void *data, size_t len)
{
	assert(len <= w->size - w->len);
	memcpy(w->data + w->len, data, len);
	w->len += len;
}

static void
write_u16(struct proxyproto_writer *w, size_t value)
{
	uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	write_bytes(w, bytes, sizeof(bytes));
}

static void
write_addrs(struct proxyproto_writer *w, const struct proxyproto *p,
    uint16_t family)
{
	static const uint8_t unnamed[2 * PROXYPROTO_PATH];
	uint8_t ip[16];

	if (family == AF_UNIX) {
		write_bytes(w, p->paths != NULL ? p->paths : unnamed,
		    sizeof(unnamed));
	} else if (family != AF_UNSPEC) {
		write_bytes(w, ip, write_ip(&p->source, family, ip));
		write_bytes(w, ip, write_ip(&p->destination, family, ip));
		write_u16(w, p->source.port);
		write_u16(w, p->destination.port);
	}
}

/* All that were read are well-formed. */
static void
write_tlvs(struct proxyproto_writer *w, const struct proxyproto *p)
{
	size_t len;

	for (size_t at = 0; at < p->tlvs_len; at += len) {
		const uint8_t *tlv = p->tlvs + at;

		len = PROXYPROTO_TLV + ((size_t)tlv[1] << 8 | tlv[2]);
		if (tlv[0] != PROXYPROTO_CRC32C && tlv[0] != PROXYPROTO_NOOP)
			write_bytes(w, tlv, len);
	}
}

/* LOCAL has neither addresses nor a family (section 2.2); AF_UNSPEC goes with
 * protocol UNSPEC, the others with STREAM. */
void
proxyproto_begin(struct proxyproto_writer *w, uint8_t *data, size_t size,
    const struct proxyproto *p)
{
	uint16_t family = p->local ? AF_UNSPEC : write_family(p);
	uint8_t head[] = { p->local ? 0x20 : 0x21,
		family == AF_INET ? 0x11 : family == AF_INET6 ? 0x21 :
		family == AF_UNIX ? 0x31 : 0x00 };

	*w = (struct proxyproto_writer){ .data = data, .size = size };
	write_bytes(w, proxyproto_signature, PROXYPROTO_SIGNATURE);
	write_bytes(w, head, sizeof(head));
	write_u16(w, 0);
	write_addrs(w, p, family);
	write_tlvs(w, p);
}

bool
proxyproto_add(struct proxyproto_writer *w, enum proxyproto_type type,
    const void *value, size_t len)
{
	uint8_t byte = (uint8_t)type;

	if (len > UINT16_MAX || w->size - w->len < PROXYPROTO_TLV + len)
		return false;
	write_bytes(w, &byte, 1);
	write_u16(w, len);
	write_bytes(w, value, len);
	return true;
}

size_t
proxyproto_end(struct proxyproto_writer *w)
{
	size_t announced = w->len - PROXYPROTO_HEAD;

	assert(announced <= UINT16_MAX);
	w->data[14] = (uint8_t)(announced >> 8);
	w->data[15] = (uint8_t)announced;
	return w->len;
}
