/* How far a reader of bytes has come.
 *
 *	PARSE_MORE -> PARSE_OK, PARSE_BAD; neither is left again */
#ifndef SLUICE_PROTO_PARSE_H
#define SLUICE_PROTO_PARSE_H

enum parse {
	PARSE_OK,   /* whole, and understood */
	PARSE_MORE, /* fine so far */
	PARSE_BAD,  /* whatever follows: not what was to be read */
};

#endif
