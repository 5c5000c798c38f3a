/* The option type of "dns_server = ADDR[:PORT]". */
#include "rows.h"

#include "hostport.h"

#include <stdio.h>
#include <string.h>

#define DNS_PORT 53

static const char *
dns_server_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "ADDR, ADDR:PORT or [V6]:PORT");
}

static const char *
dns_server_read(struct hostport *hp, const char *text, char *why)
{
	const char *wrong = host_parse(hp, text, why);

	if (wrong == NULL && hp->kind == HOST_NUMERIC) {
		addr_set_port(&hp->addr, DNS_PORT);
		return NULL;
	}
	if (wrong != NULL)
		wrong = hostport_parse(hp, text, why);
	if (wrong != NULL)
		return wrong;
	if (hp->kind != HOST_NUMERIC)
		return "must be a numeric address, as in 192.0.2.53 or "
		       "192.0.2.53:5353";
	return hp->first == 0 || hp->first != hp->last ?
	    "needs a port from 1 to 65535" : NULL;
}

static bool
dns_server_set(const struct setting *setting)
{
	struct global_conf *global = setting->owner;
	char why[HOSTPORT_WHY];
	struct hostport hp;
	const char *wrong = dns_server_read(&hp, setting->text, why);
	struct addr *servers;

	if (!SLUICE_CARES)
		return setting_wrong(setting, " needs c-ares, and this build "
		    "has none (sluice -V)");
	if (wrong != NULL)
		return setting_wrong(setting, " '%s' %s", setting->text,
		    wrong);
	servers = arena_grow(setting->arena, global->dns_servers,
	    global->ndns_servers, sizeof(*servers));
	if (servers == NULL)
		return false;
	servers[global->ndns_servers++] = hp.addr;
	global->dns_servers = servers;
	return true;
}

static bool
dns_server_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct global_conf *global = owner;

	(void)option;
	if (n >= global->ndns_servers)
		return false;
	addr_text(&global->dns_servers[n], item->text);
	return true;
}

const struct option_type TYPE_DNS_SERVER = { dns_server_set, dns_server_get,
	dns_server_form };
