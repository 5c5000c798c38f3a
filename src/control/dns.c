#include "dns.h"

#include <stdlib.h>

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
