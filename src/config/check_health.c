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

/* What [defaults] says is for those that it fits. */
static void
health_unused(struct check *check, const struct section *section,
    const char *key, const char *needs)
{
	struct origin origin = health_origin(section, key);

	if (origin.kind != ORIGIN_DEFAULT && origin.kind != ORIGIN_DEFAULTS)
		report(check->report, origin, "%s is not looked at without "
		    "'%s'", key, needs);
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

	health_unused(check, section, "check_expect", "check = send_expect");
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

static void
health_check_eject(struct check *check, const struct section *section)
{
	const struct upstream_conf *upstream = section->owner;

	if (upstream->eject_after != 0 || health_origin(section,
	    "eject_after").kind != ORIGIN_DEFAULT)
		return;
	health_unused(check, section, "eject_time", "eject_after = 5");
	health_unused(check, section, "eject_max_percent", "eject_after = 5");
}

void
health_check(struct check *check, const struct section *section)
{
	const struct upstream_conf *upstream = section->owner;

	health_check_eject(check, section);
	switch (upstream->check) {
	case CHECK_OFF:
		health_unused(check, section, "check_port", "check = tcp");
		break;
	case CHECK_BY_TCP:
		break;
	case CHECK_BY_TLS:
		health_check_tls(check, section);
		break;
	case CHECK_BY_SEND_EXPECT:
		health_check_send_expect(check, section);
		return;
	case CHECK_BY_HTTP:
		health_check_http(check, section);
		return;
	}
	health_unused(check, section, "check_send", "check = send_expect");
	health_unused(check, section, "check_expect", "check = send_expect");
}
