/* A build without libseccomp. */
#include "callfilter.h"

const char *
callfilter_library(void)
{
	return "not built in";
}

int
callfilter_new(struct callfilter **filter, enum sandbox_thread thread)
{
	(void)thread;
	*filter = NULL;
	return 0;
}

void
callfilter_free(struct callfilter *filter)
{
	(void)filter;
}

int
callfilter_enter(const struct callfilter *filter)
{
	(void)filter;
	return 0;
}
