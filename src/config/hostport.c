#include "hostport.h"

#include "base/units.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63
#define PORT_MAX  65535

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_host_byte(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* RFC 1123 section 2.1, and the underscore that people use.  A name whose last
 * label is a number would be a mistyped IPv4 address. */
static const char *
name_wrong(const char *name)
{
	size_t label = 0;
	bool digits = true;

	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '.' && label > 0 && p[1] == '\0')
			break;
		if (*p == '.' ? label == 0 : !is_host_byte(*p))
			return "is neither an address nor a host name";
		digits = *p == '.' || (digits && is_digit(*p));
		label = *p == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return "has a part of more than 63 bytes";
	}
	return digits ? "is not an IPv4 address" : NULL;
}

static const char *
host_set(struct hostport *hp, const char *host, size_t len, bool brackets)
{
	if (len > HOST_MAX)
		return "is longer than a host name can be";
	memcpy(hp->host, host, len);
	hp->host[len] = '\0';
	hp->kind = HOST_NUMERIC;
	if (addr_from_ip(&hp->addr, hp->host, 0) == 0)
		return NULL;
	if (brackets)
		return "is not an IPv6 address";
	hp->kind = HOST_NAME;
	return name_wrong(hp->host);
}

static const char *
unix_set(struct hostport *hp, const char *path)
{
	int error = addr_from_path(&hp->addr, path);

	hp->kind = HOST_UNIX;
	if (error == -ENAMETOOLONG)
		return "is a path of more than 107 bytes";
	if (error < 0)
		return "names no path behind 'unix:'";
	return *path == '/' || *path == '@' ? NULL :
	    "needs an absolute path, as in unix:/run/app.sock";
}

/* Reads "PORT" or "PORT-PORT". */
static const char *
ports_set(struct hostport *hp, const char *text)
{
	static const char WRONG[] = "needs a port from 0 to 65535 at its end";
	const char *dash = strchr(text, '-');
	size_t len = dash != NULL ? (size_t)(dash - text) : strlen(text);
	char first[8] = "", why[UNITS_WHY];
	uint64_t from, to;

	if (len >= sizeof(first))
		return WRONG;
	memcpy(first, text, len);
	if (number_parse(first, &from, why) != NULL || from > PORT_MAX)
		return WRONG;
	to = from;
	if (dash != NULL &&
	    (number_parse(dash + 1, &to, why) != NULL || to > PORT_MAX))
		return WRONG;
	if (to < from)
		return "is a range that ends before it begins";
	hp->first = (unsigned)from;
	hp->last = (unsigned)to;
	addr_set_port(&hp->addr, (uint16_t)from);
	return NULL;
}

static bool
all_digits(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789-")] == '\0';
}

static bool
is_ip(const char *text, size_t len)
{
	char ip[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	struct addr addr;

	if (len >= sizeof(ip))
		return false;
	memcpy(ip, text, len);
	ip[len] = '\0';
	return addr_from_ip(&addr, ip, 0) == 0;
}

/* What somebody meant who wrote no "HOST:PORT"; 'colon' is the last. */
static const char *
split_wrong(const char *text, const char *colon, char *why)
{
	if (colon == NULL && !all_digits(text))
		return "needs a port, as in ADDR:PORT";
	if (colon == NULL)
		snprintf(why, HOSTPORT_WHY, "needs a colon: write ':%.11s'",
		    text);
	else if (all_digits(colon + 1) && is_ip(text, (size_t)(colon - text)))
		snprintf(why, HOSTPORT_WHY, "needs brackets around the IPv6 "
		    "address: '[%.*s]%.12s'", (int)(colon - text), text, colon);
	else if (is_ip(text, strlen(text)))
		snprintf(why, HOSTPORT_WHY, "needs brackets around the IPv6 "
		    "address, and a port: '[%.64s]:PORT'", text);
	else
		return "has too many colons";
	return why;
}

const char *
hostport_parse(struct hostport *hp, const char *text, char *why)
{
	const char *close = text[0] == '[' ? strchr(text, ']') : NULL;
	const char *colon = strrchr(text, ':'), *wrong = NULL;

	memset(hp, 0, sizeof(*hp));
	if (strncmp(text, "unix:", 5) == 0)
		return unix_set(hp, text + 5);
	if (strchr(text, ',') != NULL)
		return "has a comma: one a line, with the key again each time";
	if (text[0] == '[' && close == NULL)
		return "has no ']' behind '['";
	if (close != NULL && (close[1] != ':' || colon != close + 1))
		return "needs a port behind ']', as in [ADDR]:PORT";
	if (close == NULL && (colon == NULL || strchr(text, ':') != colon))
		return split_wrong(text, colon, why);
	if (close != NULL)
		wrong = host_set(hp, text + 1, (size_t)(close - text) - 1,
		    true);
	else if (colon > text)
		wrong = host_set(hp, text, (size_t)(colon - text), false);
	return wrong != NULL ? wrong : ports_set(hp, colon + 1);
}

const char *
host_parse(struct hostport *hp, const char *text, char *why)
{
	size_t len = strlen(text);
	bool brackets = text[0] == '[' && text[len - 1] == ']';
	const char *colon = strrchr(text, ':'), *wrong;

	memset(hp, 0, sizeof(*hp));
	if (strncmp(text, "unix:", 5) == 0) {
		snprintf(why, HOSTPORT_WHY, "is no host: write 'server = "
		    "%.110s' instead", text);
		return why;
	}
	wrong = host_set(hp, text + brackets, len - 2 * brackets, brackets);
	if (wrong == NULL || colon == NULL || !all_digits(colon + 1))
		return wrong;
	snprintf(why, HOSTPORT_WHY, "has a port in it: write 'port = %.5s' on "
	    "a line of its own", colon + 1);
	return why;
}
