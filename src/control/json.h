/* JSON is written, never parsed, by us.  Commas put themselves. */
#ifndef SLUICE_CONTROL_JSON_H
#define SLUICE_CONTROL_JSON_H

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
	struct evbuffer *out;	/* not ours */
	bool		 comma; /* before what comes next */
};

/* An object '{' or an array '[' begins or ends.  'key' is NULL inside an array
 * and for the outermost; keys are written as they are. */
void json_begin(struct json *, const char *key, char bracket);
void json_end(struct json *, char bracket);

/* Bytes that are no UTF-8 become U+FFFD.  A NULL text is null. */
void json_text(struct json *, const char *key, const char *text);
void json_bytes(struct json *, const char *key, const char *text, size_t len);
void json_number(struct json *, const char *key, uint64_t);
void json_bool(struct json *, const char *key, bool);

#endif
