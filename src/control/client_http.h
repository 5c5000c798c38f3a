/* One HTTP request over a blocking Unix socket, and its answer as it comes:
 * evhttp's client dials TCP whatever it is given. */
#ifndef SLUICE_CONTROL_CLIENT_HTTP_H
#define SLUICE_CONTROL_CLIENT_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define EXIT_FINE    0
#define EXIT_REFUSED 1
#define EXIT_DIFFERS 2 /* of a dry run: something would change */
#define EXIT_LOST    3

struct client_request {
	const char *path;   /* of the socket */
	const char *method;
	const char *target; /* "/api/status?format=text" */
	bool	    endless; /* until it is interrupted, which is fine */
	bool	    json;    /* a refusal is for programs, too */
};

/* The body goes to stdout, or if the daemon refuses to stderr; what goes wrong
 * is said there.  Returns the exit code. */
int client_request(const struct client_request *);

/* "sluice ctl: ..." on stderr. */
void client_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
