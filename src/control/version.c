#include "control/version.h"

#include <event2/event.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "host.h"
#include "net/conn.h"

static void
version_print_libevent(FILE *out)
{
	struct event_base *base = conn_base_new();

	fprintf(out, "libevent %s (%s)\n", event_get_version(),
	    base == NULL ? "no edge-triggered method" :
	    event_base_get_method(base));
	if (base != NULL)
		event_base_free(base);
}

void
version_print(FILE *out)
{
	struct rlimit fds = { 0 };
	struct utsname kernel;

	getrlimit(RLIMIT_NOFILE, &fds);
	fprintf(out, "sluice %s\n", SLUICE_VERSION);
	version_print_libevent(out);
	fprintf(out, "names by getaddrinfo(3)\n");
	if (uname(&kernel) == 0)
		fprintf(out, "%s %s\n", kernel.sysname, kernel.release);
	fprintf(out, "descriptors %llu (hard limit %llu)\n",
	    (unsigned long long)fds.rlim_cur,
	    (unsigned long long)fds.rlim_max);
	fprintf(out, "CPUs %zu\n", host_cpus());
}
