#include "proto/client_hello.h"

#include <string.h>

#include "base/str.h"

#define RECORD_HEADER	 5
#define RECORD_HANDSHAKE 22
#define RECORD_MOST	 (1 << 14) /* RFC 8446 section 5.1 */
#define MESSAGE_HEADER	 4
#define MESSAGE_HELLO	 1

#define EXTENSION_NAME 0
#define EXTENSION_ALPN 16
#define NAME_HOST      0

#define NAME_MOST  253
#define ODD_NAME   96 /* what is shown of one that is none, and the NUL */
#define LABEL_MOST 63

/* --- framing: from records to a message */

static enum parse
hello_bad(struct client_hello *h, const char *why)
{
	h->why = why;
	return PARSE_BAD;
}

static enum parse
hello_foreign(struct client_hello *h)
{
	h->foreign = true;
	return hello_bad(h, "is not TLS");
}

/* The header of a record, of which 'n' bytes are there.  What is wrong is said
 * at the first byte that is, however many follow. */
static enum parse
hello_record(struct client_hello *h, const uint8_t *header, size_t n)
{
	unsigned length;

	if ((n > 0 && header[0] != RECORD_HANDSHAKE) ||
	    (n > 1 && header[1] != 3))
		return h->at == 0 ? hello_foreign(h) :
		    hello_bad(h, "breaks off for another record");
	if (n < RECORD_HEADER)
		return PARSE_MORE;
	length = (unsigned)header[3] << 8 | header[4];
	if (length == 0)
		return hello_bad(h, "has an empty record");
	if (length > RECORD_MOST)
		return hello_bad(h, "has a record over 16 KiB");
	h->at += RECORD_HEADER;
	h->left = length;
	return PARSE_OK;
}

/* A byte of the message's header. */
static enum parse
hello_header(struct client_hello *h, uint8_t byte)
{
	if (h->have == 0 && byte != MESSAGE_HELLO)
		return hello_bad(h, "is in truth another message");
	if (h->have > 0)
		h->length = h->length << 8 | byte;
	h->at++;
	h->left--;
	h->have++;
	if (h->length > CLIENT_HELLO_MOST)
		return hello_bad(h, "is over 32 KiB");
	return PARSE_OK;
}

static void
hello_skip(struct client_hello *h, size_t len)
{
	uint32_t n = MESSAGE_HEADER + h->length - h->have;

	n = n < h->left ? n : h->left;
	n = n < len - h->at ? n : (uint32_t)(len - h->at);
	h->at += n;
	h->left -= n;
	h->have += n;
}

static bool
hello_is_whole(const struct client_hello *h)
{
	return h->have >= MESSAGE_HEADER &&
	    h->have == MESSAGE_HEADER + h->length;
}

/* Until the whole message is there. */
static enum parse
hello_frame(struct client_hello *h, const uint8_t *data, size_t len)
{
	enum parse answer = PARSE_OK;

	while (answer == PARSE_OK && !hello_is_whole(h)) {
		if (h->left == 0)
			answer = hello_record(h, data + h->at, len - h->at);
		else if (h->at == len)
			answer = PARSE_MORE;
		else if (h->have < MESSAGE_HEADER)
			answer = hello_header(h, data[h->at]);
		else
			hello_skip(h, len);
	}
	return answer;
}

/* --- the message, wherever records cut it */

/* A place in the message.  Reading behind 'end', or behind what came, gives
 * zeroes and is remembered. */
struct cursor {
	const uint8_t *data;
	size_t	       len;
	size_t	       at;
	uint32_t       left;  /* in the record */
	uint32_t       taken; /* of the message */
	uint32_t       end;   /* of the part that is read, as 'taken' */
	bool	       over;
};

/* How many of 'most' bytes lie together at the place, at least one; else 0. */
static uint32_t
cursor_span(struct cursor *c, uint32_t most)
{
	if (c->left == 0 && c->len - c->at >= RECORD_HEADER) {
		c->left = (uint32_t)c->data[c->at + 3] << 8 | c->data[c->at + 4];
		c->at += RECORD_HEADER;
	}
	most = most < c->end - c->taken ? most : c->end - c->taken;
	most = most < c->left ? most : c->left;
	most = most < c->len - c->at ? most : (uint32_t)(c->len - c->at);
	if (most == 0)
		c->over = true;
	return c->over ? 0 : most;
}

/* Takes 'n' bytes, of which the first 'size' go to 'to'. */
static void
take_bytes(struct cursor *c, uint32_t n, char *to, uint32_t size)
{
	uint32_t span, kept;

	for (; n > 0 && (span = cursor_span(c, n)) > 0; n -= span) {
		kept = span < size ? span : size;
		if (kept > 0)
			memcpy(to, c->data + c->at, kept);
		to = kept > 0 ? to + kept : to;
		size -= kept;
		c->at += span;
		c->left -= span;
		c->taken += span;
	}
}

static uint32_t
take_number(struct cursor *c, uint32_t bytes)
{
	uint8_t digits[2] = { 0 };

	take_bytes(c, bytes, (char *)digits, bytes);
	return bytes == 1 ? digits[0] : (uint32_t)digits[0] << 8 | digits[1];
}

static uint32_t
part_left(const struct cursor *c)
{
	return c->over ? 0 : c->end - c->taken;
}

/* Opens a vector whose length stands before it in so many bytes, and returns
 * the end of what it is in, for part_close(). */
static uint32_t
part_open(struct cursor *c, uint32_t bytes)
{
	uint32_t length = take_number(c, bytes), outer = c->end;

	if (length > c->end - c->taken)
		c->over = true;
	else
		c->end = c->taken + length;
	return outer;
}

static void
part_close(struct cursor *c, uint32_t outer)
{
	take_bytes(c, part_left(c), NULL, 0);
	c->end = outer;
}

static void
skip_part(struct cursor *c, uint32_t bytes)
{
	part_close(c, part_open(c, bytes));
}

/* The length of a vector that has to fill all of what it is in. */
static void
part_fill(struct cursor *c, uint32_t bytes)
{
	uint32_t length = take_number(c, bytes);

	if (length != part_left(c))
		c->over = true;
}

/* --- what it says */

/* A letter, digit or one of "-_"; others are in no name that we know. */
static bool
is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool
client_hello_is_name(const char *text, size_t len)
{
	size_t label = 0, digits = 0;

	if (len > NAME_MOST)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' && label > 0) {
			label = digits = 0;
			continue;
		}
		if (!is_name_byte(text[i]) || ++label > LABEL_MOST)
			return false;
		digits += text[i] >= '0' && text[i] <= '9';
	}
	/* a last label of digits is that of an IPv4 address */
	return label > digits;
}

static void
hello_set_name(struct client_hello *h, const char *name, uint32_t len)
{
	h->named = client_hello_is_name(name, len);
	str_escape(h->sni, h->named ? sizeof(h->sni) : ODD_NAME, name, len);
	for (char *c = h->sni; h->named && *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	}
}

/* RFC 6066 section 3: a list, but of one name of each type, and there is one
 * type. */
static void
hello_read_name(struct client_hello *h, struct cursor *c)
{
	char name[CLIENT_HELLO_NAME];
	uint32_t len;

	part_fill(c, 2);
	if (take_number(c, 1) != NAME_HOST)
		c->over = true;
	part_fill(c, 2);
	len = part_left(c);
	take_bytes(c, len, name, sizeof(name));
	if (!c->over)
		hello_set_name(h, name,
		    len < sizeof(name) ? len : sizeof(name));
}

/* RFC 7301 section 3.1: names of 1 to 255 bytes. */
static void
hello_read_alpn(struct client_hello *h, struct cursor *c)
{
	part_fill(c, 2);
	while (part_left(c) > 0) {
		uint32_t rest = part_open(c, 1), len = part_left(c);
		uint8_t *to = h->alpn + h->alpn_len;

		if (len == 0)
			c->over = true;
		if (h->alpn_len + 1 + len <= sizeof(h->alpn)) {
			*to = (uint8_t)len;
			take_bytes(c, len, (char *)to + 1, len);
			h->alpn_len += c->over ? 0 : (uint16_t)(1 + len);
		}
		part_close(c, rest);
	}
}

/* RFC 8446 section 4.2: none comes twice. */
static void
hello_read_extensions(struct client_hello *h, struct cursor *c)
{
	unsigned names = 0, alpns = 0;

	while (part_left(c) > 0) {
		uint32_t type = take_number(c, 2);
		uint32_t rest = part_open(c, 2);

		if (type == EXTENSION_NAME && names++ == 0)
			hello_read_name(h, c);
		else if (type == EXTENSION_ALPN && alpns++ == 0)
			hello_read_alpn(h, c);
		part_close(c, rest);
	}
	if (names > 1 || alpns > 1)
		c->over = true;
}

/* What came of the message, which may be all of it; false if something in it
 * reaches behind that. */
static bool
hello_read(struct client_hello *h, const uint8_t *data)
{
	struct cursor c = { .data = data, .len = h->at,
		.end = h->have < MESSAGE_HEADER ? 0 :
		    MESSAGE_HEADER + h->length };

	h->named = false;
	h->sni[0] = '\0';
	h->alpn_len = 0;
	take_bytes(&c, MESSAGE_HEADER + 2 + 32, NULL, 0); /* version, random */
	skip_part(&c, 1); /* session id */
	skip_part(&c, 2); /* cipher suites */
	skip_part(&c, 1); /* compression */
	if (part_left(&c) == 0)
		return !c.over;
	part_fill(&c, 2);
	hello_read_extensions(h, &c);
	return !c.over;
}

enum parse
client_hello_parse(struct client_hello *h, const uint8_t *data, size_t len)
{
	size_t most = len < CLIENT_HELLO_MOST ? len : CLIENT_HELLO_MOST;
	enum parse answer = hello_frame(h, data, most);

	if (answer == PARSE_MORE && most == CLIENT_HELLO_MOST)
		return hello_bad(h, "is over 32 KiB");
	if (answer == PARSE_OK && !hello_read(h, data)) {
		h->named = false;
		h->alpn_len = 0;
		return hello_bad(h, "is broken");
	}
	return answer;
}

void
client_hello_guess(struct client_hello *h, const uint8_t *data)
{
	hello_read(h, data);
}

bool
client_hello_offers(const struct client_hello *h, const char *protocol)
{
	size_t len = strlen(protocol);

	for (unsigned i = 0; i < h->alpn_len; i += 1U + h->alpn[i]) {
		if (h->alpn[i] == len &&
		    memcmp(h->alpn + i + 1, protocol, len) == 0)
			return true;
	}
	return false;
}
