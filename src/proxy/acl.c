#include "acl.h"

#include <stdio.h>

#include "proxy/closerecord.h"

bool
acl_allows(const struct access_conf *access, const struct peer *peer)
{
	uint32_t found;

	if (access->map == NULL)
		return true;
	found = prefix_map_find(access->map, peer);
	if (found == PREFIX_MAP_NONE)
		return access->rest;
	return access->rules[access->ranges[found].rule].allow;
}

/* "denied by deny 10.0.0.0/8 (proxy.ini:12)", and of a file its line, too. */
static void
acl_explain_range(const struct access_rule *rule,
    const struct access_range *range, char *text)
{
	char line[32] = "";

	if (range->line > 0)
		snprintf(line, sizeof(line), " line %u", range->line);
	snprintf(text, ACL_TEXT, "denied by deny %s%s (%s)", rule->text, line,
	    rule->place);
}

void
acl_explain(const struct access_conf *access, const struct peer *peer,
    struct ending *ending, char *text)
{
	const struct access_range *range;
	uint32_t found = prefix_map_find(access->map, peer);
	char ip[ADDR_TEXT];

	*ending = (struct ending){ .by = BY_PROXY, .how = HOW_LIMIT,
		.detail = text };
	if (found == PREFIX_MAP_NONE) {
		snprintf(text, ACL_TEXT, "denied: no allow has %s",
		    peer_ip_text(peer, ip));
		ending->rule = "allow";
		return;
	}
	range = &access->ranges[found];
	acl_explain_range(&access->rules[range->rule], range, text);
}
