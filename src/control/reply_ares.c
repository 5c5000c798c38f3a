/* What c-ares answers, as a dns_reply. */
#include "reply_ares.h"

#include <netdb.h>
#include <stdlib.h>

const char *
reply_why(int status, enum dns_kind kind)
{
	switch (status) {
	case ARES_ENODATA:
		return kind == DNS_SERVICES ? "it has no SRV records" :
		    "it has no address";
	case ARES_ENOTFOUND:
		return DNS_NO_NAME;
	case ARES_ESERVFAIL:
		return "the name server failed";
	case ARES_EREFUSED:
		return "the name server refuses to answer";
	case ARES_ETIMEOUT:
		return "no name server answered in time";
	case ARES_ECONNREFUSED:
		return "no name server could or would answer";
	case ARES_EBADRESP:
		return "the answer is broken";
	case ARES_ENOMEM:
		return "out of memory";
	default:
		return ares_strerror(status);
	}
}

static uint32_t
ttl_of(int ttl)
{
	return ttl < 0 ? 0 : (uint32_t)ttl; /* RFC 2181 section 8 */
}

static void
reply_age(struct dns_reply *reply, int ttl)
{
	if (ttl_of(ttl) < reply->ttl)
		reply->ttl = ttl_of(ttl);
}

const char *
reply_add_addresses(struct dns_reply *reply, const struct ares_addrinfo *info)
{
	size_t count = reply->naddrs;
	struct addr *addrs;

	for (struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next)
		count++;
	if (count == 0)
		return reply_why(ARES_ENODATA, DNS_ADDRESSES);
	addrs = realloc(reply->addrs, count * sizeof(*addrs));
	if (addrs == NULL)
		return reply_why(ARES_ENOMEM, DNS_ADDRESSES);
	if (reply->naddrs == 0)
		reply->ttl = UINT32_MAX;
	reply->addrs = addrs;
	for (struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next) {
		struct addr *addr = &addrs[reply->naddrs++];

		*addr = (struct addr){ 0 };
		addr_from_sockaddr(addr, n->ai_addr, n->ai_addrlen);
		addr_set_port(addr, 0);
		reply_age(reply, n->ai_ttl);
	}
	for (struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
		reply_age(reply, c->ttl);
	return NULL;
}

/* "." says that there is no such service: RFC 2782. */
const char *
reply_add_services(struct dns_reply *reply, const uint8_t *data, size_t len)
{
	struct dns_answer answer;

	reply->services = calloc(dns_answer_room(data, len) + 1,
	    sizeof(*reply->services));
	if (reply->services == NULL)
		return reply_why(ARES_ENOMEM, DNS_SERVICES);
	if (dns_answer_parse(&answer, data, len, reply->services) == PARSE_BAD)
		return reply_why(ARES_EBADRESP, DNS_SERVICES);
	for (size_t i = 0; i < answer.count; i++)
		if (reply->services[i].target[0] != '\0')
			reply->services[reply->nservices++] =
			    reply->services[i];
	reply->has_ttl = true;
	reply->ttl = answer.ttl;
	return reply->nservices == 0 ? reply_why(ARES_ENODATA, DNS_SERVICES) :
	    NULL;
}
