/* The options of health checks against each other. */
#include "check.h"

#include "rows.h"

static struct origin
health_origin(const struct section *section, const char *key)
{
	const struct upstream_conf *upstream = section->owner;

	return upstream->origins[option_index(option_find(section->kind,
	    key))];
}

static void
health_check_send_expect(struct check *check, const struct section *section)
{
	const struct upstream_conf *upstream = section->owner;

	if (upstream->check_send.len == 0 && upstream->check_expect.len == 0 &&
	    !section->unsure)
		report(check->report, health_origin(section, "check"),
		    "check = send_expect needs something to send or to expect, "
		    "as 'check_expect = +PONG'");
}

static void
health_check_http(struct check *check, const struct section *section)
{
	const struct upstream_conf *upstream = section->owner;
	const struct bytes_conf *path = &upstream->check_send;

	if (path->len > 0 && path->data[0] != '/')
		report(check->report, health_origin(section, "check_send"),
		    "check_send is the path of a page where check is http, "
		    "and begins with '/'");
}

static void
health_check_tls(struct check *check, const struct section *section)
{
	if (SLUICE_OPENSSL == 0)
		report(check->report, health_origin(section, "check"),
		    "check = tls needs a build with OpenSSL; this one has "
		    "none");
}

void
health_check(struct check *check, const struct section *section)
{
	const struct upstream_conf *upstream = section->owner;

	switch (upstream->check) {
	case CHECK_OFF:
	case CHECK_BY_TCP:
		break;
	case CHECK_BY_TLS:
		health_check_tls(check, section);
		break;
	case CHECK_BY_SEND_EXPECT:
		health_check_send_expect(check, section);
		break;
	case CHECK_BY_HTTP:
		health_check_http(check, section);
		break;
	}
}
