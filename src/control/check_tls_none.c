/* In place of check_tls.c, where there is no OpenSSL: the configuration has
 * said so already. */
#include "check.h"
#include "check_tls.h"

const char *
check_tls_version(void)
{
	return "none";
}

static enum check_answer
none_hear(struct check *c)
{
	return check_bad(c, "this build has no TLS");
}

const struct check_kind CHECK_TLS = { NULL, none_hear, NULL };
