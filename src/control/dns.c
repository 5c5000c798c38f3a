#include "dns.h"

#include <stdlib.h>

void
dns_reply_done(struct dns_reply *reply)
{
	free(reply->addrs);
	free(reply->services);
	*reply = (struct dns_reply){ 0 };
}
