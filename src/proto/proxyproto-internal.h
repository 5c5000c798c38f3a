/* What reader and writer of the PROXY protocol share. */
#ifndef SLUICE_PROTO_PROXYPROTO_INTERNAL_H
#define SLUICE_PROTO_PROXYPROTO_INTERNAL_H

#include <stdint.h>

#define PROXYPROTO_SIGNATURE 12
#define PROXYPROTO_TLV	     3 /* type and length before a value */

extern const uint8_t proxyproto_signature[PROXYPROTO_SIGNATURE];

#endif
