#include "proto/dns_answer.h"

#include <string.h>

#define HEADER	    12
#define FIXED	    10 /* of a record behind its name: type to rdlength */
#define SRV_FIXED   6  /* of an SRV record's data before its target */
#define NAME_OCTETS 255
#define JUMPS_MOST  127 /* as many as labels in a name */
#define CHAIN_MOST  16 /* of CNAME records; more make no sense */

#define TYPE_CNAME 5
#define TYPE_SRV   33
#define CLASS_IN   1

#define FLAG_ANSWER    0x80
#define FLAG_OPCODE    0x78
#define FLAG_TRUNCATED 0x02

/* As on the wire, uncompressed, in lower case. */
struct name {
	uint8_t len; /* with the 0 at its end */
	uint8_t octets[NAME_OCTETS];
};

struct message {
	const uint8_t *data;
	size_t	       len;
	size_t	       records; /* where they begin */
	unsigned       count;
};

struct record {
	struct name owner;
	unsigned    type, class;
	uint32_t    ttl;
	size_t	    data, end; /* places in the message */
};

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool
name_append(struct name *name, const uint8_t *label)
{
	size_t size = (size_t)label[0] + 1;

	if (name->len + size > NAME_OCTETS)
		return false;
	name->octets[name->len] = label[0];
	for (size_t i = 1; i < size; i++)
		name->octets[name->len + i] = lower(label[i]);
	name->len = (uint8_t)(name->len + size);
	return true;
}

/* The place behind the name at 'at', or 0: broken.  A pointer leads to before
 * the labels that it ends, so each jump goes further back and none goes round.
 * RFC 1035 section 4.1.4, RFC 9267 section 2. */
static size_t
name_read(const struct message *m, size_t at, struct name *name)
{
	size_t begin = at, behind = 0;
	unsigned jumps = 0;

	name->len = 0;
	while (at < m->len) {
		const uint8_t *label = m->data + at;

		if (label[0] >= 0xc0) {
			if (at + 2 > m->len || ++jumps > JUMPS_MOST)
				return 0;
			behind = behind > 0 ? behind : at + 2;
			at = get16(label) & 0x3fff;
			if (at >= begin)
				return 0;
			begin = at;
			continue;
		}
		if (label[0] > 63 || at + 1 + label[0] > m->len ||
		    !name_append(name, label))
			return 0;
		at += (size_t)label[0] + 1;
		if (label[0] == 0)
			return behind > 0 ? behind : at;
	}
	return 0;
}

static bool
name_equal(const struct name *a, const struct name *b)
{
	return a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0;
}

static bool
is_host_octet(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '_';
}

/* A dot or a NUL inside a label would make another name of it: RFC 9267
 * section 3. */
static bool
name_text(const struct name *name, char *text)
{
	size_t at = 0, len = 0;

	while (name->octets[at] != 0) {
		unsigned label = name->octets[at++];

		if (len > 0)
			text[len++] = '.';
		for (; label > 0; label--, at++) {
			if (!is_host_octet(name->octets[at]))
				return false;
			text[len++] = (char)name->octets[at];
		}
	}
	text[len] = '\0';
	return true;
}

/* The place behind the record at 'at', or 0: broken. */
static size_t
record_read(const struct message *m, size_t at, struct record *r)
{
	const uint8_t *p;

	at = name_read(m, at, &r->owner);
	if (at == 0 || m->len - at < FIXED)
		return 0;
	p = m->data + at;
	r->type = get16(p);
	r->class = get16(p + 2);
	r->ttl = (uint32_t)get16(p + 4) << 16 | get16(p + 6);
	if (r->ttl > INT32_MAX)
		r->ttl = 0;
	r->data = at + FIXED;
	r->end = r->data + get16(p + 8);
	return r->end <= m->len ? r->end : 0;
}

static bool
record_is(const struct record *r, unsigned type, const struct name *owner)
{
	return r->type == type && r->class == CLASS_IN &&
	    name_equal(&r->owner, owner);
}

/* The name in a record's data, which has to end where the data does. */
static bool
record_name(const struct message *m, const struct record *r, size_t at,
    struct name *name)
{
	return at < r->end && name_read(m, at, name) == r->end;
}

static enum parse
answer_bad(struct dns_answer *a, const char *why)
{
	a->why = why;
	return PARSE_BAD;
}

static enum parse
answer_head(struct dns_answer *a, struct message *m, struct name *asked)
{
	size_t at;

	if (m->len < HEADER || (m->data[2] & FLAG_ANSWER) == 0 ||
	    (m->data[2] & FLAG_OPCODE) != 0)
		return answer_bad(a, "is no answer");
	if (m->data[2] & FLAG_TRUNCATED)
		return answer_bad(a, "is cut short");
	at = get16(m->data + 4) == 1 ? name_read(m, HEADER, asked) : 0;
	if (at == 0 || m->len - at < 4 ||
	    get16(m->data + at) != TYPE_SRV ||
	    get16(m->data + at + 2) != CLASS_IN)
		return answer_bad(a, "is to another question");
	m->records = at + 4;
	m->count = get16(m->data + 6);
	return PARSE_OK;
}

/* All of them are there, and those that we read can be read. */
static bool
answer_is_whole(const struct message *m)
{
	size_t at = m->records;
	struct record r;
	struct name name;

	for (unsigned i = 0; i < m->count; i++) {
		at = record_read(m, at, &r);
		if (at == 0)
			return false;
		if (r.type == TYPE_CNAME && !record_name(m, &r, r.data, &name))
			return false;
		if (r.type == TYPE_SRV &&
		    !record_name(m, &r, r.data + SRV_FIXED, &name))
			return false;
	}
	return true;
}

static void
answer_age(struct dns_answer *a, const struct record *r, bool *first)
{
	if (*first || r->ttl < a->ttl)
		a->ttl = r->ttl;
	*first = false;
}

/* The next record of a type and an owner from *at on, or false. */
static bool
answer_find(const struct message *m, size_t *at, unsigned *n, unsigned type,
    const struct name *owner, struct record *r)
{
	while (*n < m->count) {
		++*n;
		*at = record_read(m, *at, r);
		if (record_is(r, type, owner))
			return true;
	}
	return false;
}

/* From the name that was asked for to the one that has the records. */
static bool
answer_chain(struct dns_answer *a, const struct message *m, struct name *owner,
    bool *first)
{
	struct record r;

	for (unsigned hops = 0; hops <= CHAIN_MOST; hops++) {
		size_t at = m->records;
		unsigned n = 0;

		if (!answer_find(m, &at, &n, TYPE_CNAME, owner, &r))
			return true;
		record_name(m, &r, r.data, owner);
		answer_age(a, &r, first);
	}
	return false;
}

static bool
service_read(const struct message *m, const struct record *r,
    struct dns_service *service)
{
	const uint8_t *p = m->data + r->data;
	struct name target;

	service->priority = (uint16_t)get16(p);
	service->weight = (uint16_t)get16(p + 2);
	service->port = (uint16_t)get16(p + 4);
	record_name(m, r, r->data + SRV_FIXED, &target);
	return name_text(&target, service->target);
}

size_t
dns_answer_room(const uint8_t *data, size_t len)
{
	/* The root's name, the fixed part, the root as the target. */
	size_t fits = len / (1 + FIXED + SRV_FIXED + 1);
	size_t says = len < HEADER ? 0 : get16(data + 6);

	return fits < says ? fits : says;
}

enum parse
dns_answer_parse(struct dns_answer *a, const uint8_t *data, size_t len,
    struct dns_service *services)
{
	struct message m = { .data = data, .len = len };
	bool first = true;
	unsigned n = 0;
	struct name owner;
	struct record r;
	size_t at;

	*a = (struct dns_answer){ 0 };
	if (answer_head(a, &m, &owner) == PARSE_BAD)
		return PARSE_BAD;
	if (!answer_is_whole(&m))
		return answer_bad(a, "is broken");
	if (!answer_chain(a, &m, &owner, &first))
		return answer_bad(a, "leads round in a circle");
	at = m.records;
	while (answer_find(&m, &at, &n, TYPE_SRV, &owner, &r)) {
		if (!service_read(&m, &r, &services[a->count]))
			return answer_bad(a, "has a target that is no host "
			    "name");
		answer_age(a, &r, &first);
		a->count++;
	}
	return PARSE_OK;
}
