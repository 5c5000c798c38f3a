#include "dns.h"

#include <stdlib.h>
#include <string.h>

void
dns_reply_done(struct dns_reply *reply)
{
	free(reply->addrs);
	free(reply->services);
	*reply = (struct dns_reply){ 0 };
}

unsigned
dns_families(const struct addr *addrs, size_t count)
{
	unsigned families = 0;

	for (size_t i = 0; i < count; i++)
		families |= addrs[i].sa.sa_family == AF_INET6 ? DNS_V6 :
		    DNS_V4;
	return families;
}

static size_t
dns_copy(struct addr *to, const struct addr *addrs, size_t count,
    unsigned families)
{
	size_t copied = 0;

	for (size_t i = 0; i < count; i++)
		if (dns_families(&addrs[i], 1) & families)
			to[copied++] = addrs[i];
	return copied;
}

void
dns_reply_keep(struct dns_reply *reply, const struct addr *addrs, size_t count)
{
	bool ahead = count > 0 && (dns_families(addrs, 1) & reply->lost) != 0;
	struct addr *all = calloc(reply->naddrs + count, sizeof(*all));
	size_t n = 0;

	if (all == NULL)
		return;
	if (ahead)
		n = dns_copy(all, addrs, count, reply->lost);
	memcpy(all + n, reply->addrs, reply->naddrs * sizeof(*all));
	n += reply->naddrs;
	if (!ahead)
		n += dns_copy(all + n, addrs, count, reply->lost);
	free(reply->addrs);
	reply->addrs = all;
	reply->naddrs = n;
}
