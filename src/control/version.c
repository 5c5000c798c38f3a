#include "control/version.h"

#include <event2/event.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "check_tls.h"
#include "dns.h"
#include "host.h"
#include "net/conn.h"
#include "sandbox.h"

#ifndef SLUICE_INIH
#define SLUICE_INIH "of unknown version" /* it has no way to ask */
#endif

const char *
version_number(void)
{
	return SLUICE_VERSION;
}

const char *
version_build(void)
{
	return SLUICE_BUILD;
}

static void
print_limit(FILE *out, const char *name, rlim_t limit)
{
	if (limit == RLIM_INFINITY)
		fprintf(out, "%s unlimited", name);
	else
		fprintf(out, "%s %ju", name, (uintmax_t)limit);
}

static void
print_fds(FILE *out)
{
	struct rlimit fds;

	if (getrlimit(RLIMIT_NOFILE, &fds) < 0)
		return;
	print_limit(out, "open files", fds.rlim_cur);
	print_limit(out, ", raised to", fds.rlim_max);
	fputs(" at start\n", out);
}

void
version_print(FILE *out)
{
	struct event_base *base = conn_base_new();
	struct utsname kernel;
	char sandbox[96];

	fprintf(out, "sluice %s (%s)\n", SLUICE_VERSION, SLUICE_BUILD);
	fprintf(out, "libevent %s, %s\n", event_get_version(),
	    base != NULL ? event_base_get_method(base) : "no usable method");
	fprintf(out, "inih %s\n", SLUICE_INIH);
	fprintf(out, "OpenSSL %s\n", check_tls_version());
	fprintf(out, "%s\n", dns_library());
	fprintf(out, "sandbox: %s\n", sandbox_text(sandbox, sizeof(sandbox)));
	fprintf(out, "features: %s, relay by splice and copy\n",
	    dns_feature());
	print_fds(out);
	fprintf(out, "CPUs %zu\n", host_cpus());
	if (uname(&kernel) == 0)
		fprintf(out, "kernel %s %s %s\n", kernel.sysname,
		    kernel.release, kernel.machine);
	if (base != NULL)
		event_base_free(base);
}
