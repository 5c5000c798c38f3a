/* The check that says something, and wants to hear something: redis, SMTP, any
 * protocol with a short answer to a short question. */
#include <string.h>

#include "check.h"

static size_t
expect_say(const struct check *c, uint8_t *out)
{
	const struct bytes_conf *bytes = &c->conf->check_send;

	memcpy(out, bytes->data != NULL ? bytes->data : out, bytes->len);
	return bytes->len;
}

static enum check_answer
expect_hear(struct check *c)
{
	const struct bytes_conf *want = &c->conf->check_expect;
	enum check_answer answer;

	if (want->len == 0)
		return CHECK_GOOD;
	while ((answer = check_listen(c)) == CHECK_GOOD) {
		if (memmem(c->heard, c->len, want->data, want->len) != NULL)
			return CHECK_GOOD;
		if (c->len == CHECK_HEARD)
			return check_bad_heard(c, "not what was expected");
	}
	return answer;
}

const struct check_kind CHECK_SEND_EXPECT = { expect_say, expect_hear, NULL };
