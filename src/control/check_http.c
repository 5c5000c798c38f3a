/* The check that asks for a page, and wants one or a redirection: a status from
 * 200 to 399 (RFC 9110 section 15). */
#include <stdio.h>
#include <string.h>

#include "check.h"

/* "HTTP/1.1 200" */
#define STATUS_LEN 12

static size_t
http_say(const struct check *c, uint8_t *out)
{
	const struct bytes_conf *path = &c->conf->check_send;

	return (size_t)snprintf((char *)out, CHECK_SAID, "GET %.*s HTTP/1.0\r\n"
	    "Host: %s\r\nUser-Agent: sluice\r\nConnection: close\r\n\r\n",
	    path->len > 0 ? (int)path->len : 1,
	    path->len > 0 ? (const char *)path->data : "/",
	    c->host != NULL ? c->host : "localhost");
}

static enum check_answer
http_judge(struct check *c)
{
	unsigned major, minor, status;
	char line[STATUS_LEN + 1];

	snprintf(line, sizeof(line), "%.*s", STATUS_LEN,
	    (const char *)c->heard);
	if (sscanf(line, "HTTP/%1u.%1u %3u", &major, &minor, &status) != 3)
		return check_bad_heard(c, "no HTTP");
	if (status < 200 || status > 399)
		return check_bad(c, "HTTP status %u", status);
	return CHECK_GOOD;
}

static enum check_answer
http_hear(struct check *c)
{
	enum check_answer answer = CHECK_GOOD;

	while (c->len < STATUS_LEN && answer == CHECK_GOOD)
		answer = check_listen(c);
	return answer == CHECK_GOOD ? http_judge(c) : answer;
}

const struct check_kind CHECK_HTTP = { http_say, http_hear, NULL };
