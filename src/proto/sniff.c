#include "proto/sniff.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "proto/client_hello.h"

/* A row has one of two patterns: text, or bytes as "16 03 0." with a dot for
 * any digit. */
struct row {
	struct sniff about;
	const char  *text;
	const char  *hex;
	bool	     fold; /* text: in any case */
};

#define HTTP	{ "http", "an HTTP request" }
#define SMTP	{ "smtp", "an SMTP client's greeting" }
#define PROXY	{ "proxy", "a PROXY protocol header" }
#define POSTGRES(words) { "postgres", "a PostgreSQL " words }

static const struct row ROWS[] = {
	/* RFC 8446 section 5.1; RFC 5246 appendix E.2 */
	{ { "tls", "a TLS hello" }, .hex = "16 03 0." },
	{ { "tls", "a TLS alert" }, .hex = "15 03 0. 00 02" },
	{ { "tls", "TLS data of a session that began elsewhere" },
	    .hex = "17 03 0." },
	{ { "sslv2", "an SSLv2 hello" }, .hex = "8. .. 01 00 02" },
	{ { "sslv2", "an SSLv2 hello" }, .hex = "8. .. 01 03 0." },

	/* RFC 9110 section 9; RFC 9113 section 3.4 */
	{ HTTP, .text = "GET /" },
	{ HTTP, .text = "GET http" },
	{ HTTP, .text = "HEAD /" },
	{ HTTP, .text = "HEAD http" },
	{ HTTP, .text = "POST /" },
	{ HTTP, .text = "POST http" },
	{ HTTP, .text = "PUT /" },
	{ HTTP, .text = "PATCH /" },
	{ HTTP, .text = "DELETE /" },
	{ HTTP, .text = "TRACE /" },
	{ HTTP, .text = "OPTIONS /" },
	{ HTTP, .text = "OPTIONS *" },
	{ { "http", "a request to an HTTP proxy" }, .text = "CONNECT " },
	{ { "http2", "an HTTP/2 preface" }, .text = "PRI * HTTP/2.0" },

	/* the PROXY protocol, sections 2.1 and 2.2 */
	{ PROXY, .text = "PROXY " },
	{ PROXY, .hex = "0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a" },

	/* RFC 4253 section 4.2 */
	{ { "ssh", "an SSH client's greeting" }, .text = "SSH-" },

	/* PostgreSQL, "Message Formats" */
	{ POSTGRES("request for TLS"), .hex = "00 00 00 08 04 d2 16 2f" },
	{ POSTGRES("request for GSSAPI"), .hex = "00 00 00 08 04 d2 16 30" },
	{ POSTGRES("cancel request"), .hex = "00 00 00 .. 04 d2 16 2e" },
	{ POSTGRES("start-up message"), .hex = "00 00 .. .. 00 03 00 0." },

	/* the Redis serialization protocol: an array of bulk strings */
	{ { "redis", "a Redis command" }, .hex = "2a 3. 0d 0a 24" },
	{ { "redis", "a Redis command" }, .hex = "2a 3. 3. 0d 0a 24" },
	{ { "redis", "a Redis command" }, .text = "PING\r\n" },
	{ { "memcached", "a memcached command" }, .text = "get " },
	{ { "memcached", "a memcached command" }, .text = "version\r\n" },
	{ { "memcached", "a memcached command" }, .text = "stats\r\n" },

	/* MQTT 3.1 to 5 section 3.1, the remaining length in one byte or two */
	{ { "mqtt", "an MQTT connect" }, .hex = "10 .. 00 04 4d 51 54 54" },
	{ { "mqtt", "an MQTT connect" }, .hex = "10 .. .. 00 04 4d 51 54 54" },
	{ { "mqtt", "an MQTT connect" }, .hex = "10 .. 00 06 4d 51 49 73" },
	{ { "amqp", "an AMQP header" }, .text = "AMQP" },
	{ { "stomp", "a STOMP connect" }, .text = "STOMP\n" },
	{ { "stomp", "a STOMP connect" }, .text = "CONNECT\n" },
	/* ApiVersions */
	{ { "kafka", "a Kafka request" }, .hex = "00 00 .. .. 00 12 00 0." },

	/* RFC 5321 section 4.1.1.1; RFC 2033 */
	{ SMTP, .text = "EHLO ", .fold = true },
	{ SMTP, .text = "HELO ", .fold = true },
	{ SMTP, .text = "LHLO ", .fold = true },
	/* RFC 6120 section 4.2 */
	{ { "xmpp", "an XMPP stream" }, .text = "<?xml " },
	{ { "xmpp", "an XMPP stream" }, .text = "<stream:stream" },
	/* RFC 854: IAC WILL, WONT, DO, DONT */
	{ { "telnet", "telnet options" }, .hex = "ff fb .." },
	{ { "telnet", "telnet options" }, .hex = "ff fd .." },

	/* [MS-RDPBCGR] 2.2.1.1: TPKT, X.224 connection request */
	{ { "rdp", "an RDP connect" }, .hex = "03 00 00 .. .. e0 00 00" },
	/* [MS-TDS] 2.2.3.1: PRELOGIN, the last of its message */
	{ { "mssql", "an SQL Server prelogin" },
	    .hex = "12 01 00 .. 00 00 .. 00" },
	/* RFC 4511 section 4.2 in BER, a short and a long length */
	{ { "ldap", "an LDAP bind" }, .hex = "30 .. 02 01 .. 60" },
	{ { "ldap", "an LDAP bind" }, .hex = "30 84 00 00 .. .. 02 01 .. 60" },
	/* OP_MSG and OP_QUERY, little-endian, in answer to nothing */
	{ { "mongodb", "a MongoDB message" },
	    .hex = ".. .. 00 00 .. .. .. .. 00 00 00 00 dd 07 00 00" },
	{ { "mongodb", "a MongoDB message" },
	    .hex = ".. .. 00 00 .. .. .. .. 00 00 00 00 d4 07 00 00" },
	/* CQL 3 to 5: OPTIONS, STARTUP */
	{ { "cassandra", "a Cassandra request" },
	    .hex = "03 00 00 00 05 00 00 00 00" },
	{ { "cassandra", "a Cassandra request" },
	    .hex = "04 00 00 00 05 00 00 00 00" },
	{ { "cassandra", "a Cassandra request" },
	    .hex = "05 00 00 00 05 00 00 00 00" },
	/* [MS-SMB2] 2.1 */
	{ { "smb", "an SMB request" }, .hex = "00 .. .. .. fe 53 4d 42" },
	{ { "smb", "an SMB request" }, .hex = "00 .. .. .. ff 53 4d 42" },
	/* RFC 1928 section 3: up to three methods */
	{ { "socks", "a SOCKS5 request" }, .hex = "05 01 00" },
	{ { "socks", "a SOCKS5 request" }, .hex = "05 02 00 0." },
	{ { "socks", "a SOCKS5 request" }, .hex = "05 03 00 01 02" },
	{ { "bittorrent", "a BitTorrent handshake" },
	    .text = "\023BitTorrent protocol" },
};
#define ROW_COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

/* Each returns how many bytes the pattern has if they fit it, else 0. */
static size_t
text_fits(const struct row *row, const char *data, size_t len)
{
	size_t n = strlen(row->text);

	if (len < n)
		return 0;
	if (row->fold ? strncasecmp(row->text, data, n) == 0 :
	    memcmp(row->text, data, n) == 0)
		return n;
	return 0;
}

static bool
digit_fits(char digit, unsigned value)
{
	return digit == '.' || digit == "0123456789abcdef"[value];
}

static size_t
hex_fits(const char *hex, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++, hex += 3) {
		if (!digit_fits(hex[0], data[i] >> 4) ||
		    !digit_fits(hex[1], data[i] & 15))
			return 0;
		if (hex[2] == '\0')
			return i + 1;
	}
	return 0;
}

/* The shortest pattern that fits: what fewer bytes fitted stays the answer. */
const struct sniff *
sniff_bytes(const uint8_t *data, size_t len)
{
	static const struct sniff UNKNOWN = { "", "an unknown protocol" };
	const struct sniff *best = &UNKNOWN;
	size_t shortest = SIZE_MAX, n;

	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (ROWS[i].text != NULL)
			n = text_fits(&ROWS[i], (const char *)data, len);
		else
			n = hex_fits(ROWS[i].hex, data, len);
		if (n == 0 || n >= shortest)
			continue;
		best = &ROWS[i].about;
		shortest = n;
	}
	return best;
}

/* How many of the bytes are the beginning of a line of text; 0: none. */
static size_t
line_length(const uint8_t *data, size_t len)
{
	size_t n = 0;

	while (n < len && data[n] >= ' ' && data[n] < 0x7f)
		n++;
	return n == len || data[n] == '\r' || data[n] == '\n' ? n : 0;
}

static const char *
unknown_text(const uint8_t *data, size_t len, char *text)
{
	size_t line = line_length(data, len);
	char quoted[48], *end;

	if (line > 0) {
		str_escape(quoted, sizeof(quoted), (const char *)data, line);
		snprintf(text, SNIFF_TEXT, "'%s'", quoted);
		return text;
	}
	end = stpcpy(text, len == 1 ? "the byte" : "the bytes");
	for (size_t i = 0; i < len && i < 16; i++)
		end += sprintf(end, " %02x", data[i]);
	strcpy(end, len > 16 ? " ..." : "");
	return text;
}

/* Its name may be read although the rest of it is still under way. */
static const char *
tls_text(const char *words, const uint8_t *data, size_t len, char *text)
{
	struct client_hello hello = { 0 };

	if (client_hello_parse(&hello, data, len) == PARSE_MORE)
		client_hello_guess(&hello, data);
	snprintf(text, SNIFF_TEXT, "%s%s%.64s%s", words,
	    hello.sni[0] != '\0' ? " for " : "", hello.sni,
	    strlen(hello.sni) > 64 ? "..." : "");
	return text;
}

const char *
sniff_text(const uint8_t *data, size_t len, char *text)
{
	const struct sniff *sniff = sniff_bytes(data, len);

	if (len == 0)
		return strcpy(text, "nothing");
	if (sniff->protocol[0] == '\0')
		return unknown_text(data, len, text);
	if (strcmp(sniff->protocol, "tls") == 0)
		return tls_text(sniff->words, data, len, text);
	return strcpy(text, sniff->words);
}
