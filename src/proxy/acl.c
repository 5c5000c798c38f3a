#include "acl.h"

#include <stdio.h>

#include "config/option.h"
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
acl_explain_range(const struct config *config, const struct access_conf *access,
    const struct access_range *range, char *text)
{
	const struct access_rule *rule = &access->rules[range->rule];
	char place[CONFIG_PLACE], line[32] = "";

	if (range->line > 0)
		snprintf(line, sizeof(line), " line %u", range->line);
	snprintf(text, ACL_TEXT, "denied by deny %s%s (%s)", rule->text, line,
	    config_place(config, rule->origin, place));
}

void
acl_explain(const struct config *config, const struct access_conf *access,
    const struct peer *peer, struct ending *ending, char *text)
{
	uint32_t found = prefix_map_find(access->map, peer);

	*ending = (struct ending){ .by = BY_PROXY, .how = HOW_LIMIT };
	if (found == PREFIX_MAP_NONE) {
		ending->cause = "denied: it is in no line";
		ending->rule = "allow";
		return;
	}
	acl_explain_range(config, access, &access->ranges[found], text);
	ending->detail = text;
}
