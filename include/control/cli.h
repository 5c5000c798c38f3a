/* The command line. */
#ifndef SLUICE_CONTROL_CLI_H
#define SLUICE_CONTROL_CLI_H

#include <stdio.h>

#include "config/config.h"

enum cli_action {
	CLI_RUN,
	CLI_TEST,	 /* -t */
	CLI_DUMP,	 /* -T */
	CLI_HELP,	 /* --help */
	CLI_HELP_CONFIG, /* --help-config */
	CLI_VERSION,	 /* -V */
	CLI_WRONG,	 /* a mistake, which was said on stderr */
};

#define CLI_MADE 3 /* of -p and -u */

struct cli {
	enum cli_action	     action;
	struct config_source source;	 /* texts are argv's or the environment's */
	bool		     background; /* -d */
	bool		     resolve;	 /* --resolve, with -t */
	bool		     diff;	 /* --diff, with -t */
	const char	    *key;	 /* --help-config KEY, or NULL: all */
	const char	   **sets;	 /* owned, as are ... */
	const char	   **forwards;	 /* ... these */
	const char	    *pid_file; /* -p, as given, or NULL */
	const char	    *user;     /* -u, as given, or NULL */
	char		    *made[CLI_MADE]; /* what these add to the sets; owned */
};

/* Reads the arguments.  Where neither -c nor -L names a configuration, the
 * first of $SLUICE_CONFIG, ./proxy.ini (not as root) and
 * /etc/sluice/proxy.ini is taken. */
void cli_parse(struct cli *, int argc, char **argv);
void cli_done(struct cli *);

/* --help. */
void cli_print_help(FILE *);

#endif
