/* The first message of TLS, read for what the client asks for, without taking
 * part: RFC 8446 sections 4.1.2 and 5.1 (and RFC 5246's, which reads the same).
 * With encrypted client hello (RFC 9849) it is the outer one, whose name is
 * that of the server in front. */
#ifndef SLUICE_PROTO_CLIENT_HELLO_H
#define SLUICE_PROTO_CLIENT_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/parse.h"

/* The longest hello that is read, with the headers of its records. */
#define CLIENT_HELLO_MOST (32 * 1024)

#define CLIENT_HELLO_NAME 256
#define CLIENT_HELLO_ALPN 256

/* Zeroed before the first byte. */
struct client_hello {
	const char *why; /* BAD: what is wrong, as in "a hello that ..." */
	bool foreign;	 /* BAD: something else, and no hello that went wrong */

	/* Where the reader stands: it has looked at 'at' bytes, of which 'have'
	 * are of the message; 'left' follow in the record it is in. */
	uint32_t at, left, have;
	uint32_t length; /* of the message behind its 4 bytes, once have >= 4 */

	/* What it says, when it is OK. */
	bool	 named;	   /* 'sni' is a host name, in lower case */
	char	 sni[CLIENT_HELLO_NAME]; /* else: escaped, and cut
						   after 95 bytes; or "" */
	uint16_t alpn_len;
	uint8_t	 alpn[CLIENT_HELLO_ALPN]; /* the list as in RFC 7301 section 3.1,
					     less the entries without room */
};

/* Looks at the bytes that have come since the last call.  'data' is all that
 * came so far, from the first byte on.  BAD: no TLS hello, a broken one, or one
 * over CLIENT_HELLO_MOST.  The answer does not depend on how the bytes were cut
 * into calls, and a call looks at no byte twice, but for the one that ends. */
enum parse client_hello_parse(struct client_hello *, const uint8_t *data,
    size_t len);

/* After MORE, when no more will come: reads 'sni' if that much of the hello is
 * there.  For people: a hello that is not whole is no reason to go anywhere. */
void client_hello_guess(struct client_hello *, const uint8_t *data);

/* Whether the client offers the protocol, "h2". */
bool client_hello_offers(const struct client_hello *, const char *protocol);

/* Whether the text is a host name that a client may ask for: letters, digits,
 * '-' and '_' in labels of 1 to 63 bytes, 253 in all, without a dot at the end,
 * and no IP address (RFC 6066 section 3). */
bool client_hello_is_name(const char *text, size_t len);

#endif
