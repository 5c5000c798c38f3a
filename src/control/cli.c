#include "control/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/client.h"

#define HERE_FILE   "proxy.ini"
#define SYSTEM_FILE "/etc/sluice/proxy.ini"

enum long_only { LONG_SET = 256, LONG_HELP_CONFIG, LONG_RESOLVE, LONG_DIFF };

static const struct help_line {
	const char *flags, *text;
} HELP[] = {
	{ "-c, --config FILE", "the configuration; without it $SLUICE_CONFIG, "
	    "./" HERE_FILE, },
	{ "", "(not as root) or " SYSTEM_FILE },
	{ "-L, --forward BIND=UPSTREAM", "" },
	{ "", "forward, with no file needed: -L :5432=db1.internal:5432;" },
	{ "", "repeatable, and beside a file where -c names one" },
	{ "-t, --test", "test the configuration and exit" },
	{ "--resolve", "with -t: also look names up, and bind listeners" },
	{ "--diff", "with -t: also what it would change in the running daemon" },
	{ "-T, --dump", "print it as it is in effect, each value with its origin" },
	{ "--set KEY=VALUE", "instead of the file's value: "
	    "--set global.workers=2," },
	{ "", "--set listener.NAME.idle_timeout=1h; repeatable" },
	{ "-d, --daemon", "run in the background; returns when it is ready" },
	{ "-p, --pid-file FILE", "instead of the file's pid_file" },
	{ "-u, --user USER[:GROUP]", "" },
	{ "", "who to be after the start as root" },
	{ "-V, --version", "version, libraries, limits" },
	{ "-h, --help", "this" },
	{ "--help-config [KEY]", "every option of the configuration, or one" },
};

static const struct option LONG_FLAGS[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "forward", required_argument, NULL, 'L' },
	{ "daemon", no_argument, NULL, 'd' },
	{ "pid-file", required_argument, NULL, 'p' },
	{ "user", required_argument, NULL, 'u' },
	{ "test", no_argument, NULL, 't' },
	{ "resolve", no_argument, NULL, LONG_RESOLVE },
	{ "diff", no_argument, NULL, LONG_DIFF },
	{ "dump", no_argument, NULL, 'T' },
	{ "set", required_argument, NULL, LONG_SET },
	{ "help", no_argument, NULL, 'h' },
	{ "help-config", optional_argument, NULL, LONG_HELP_CONFIG },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

void
cli_print_help(FILE *out)
{
	fputs("usage: sluice [-c FILE] [-L BIND=UPSTREAM ...] "
	      "[--set KEY=VALUE ...]\n"
	      "              [-d | -t [--resolve] [--diff] | -T]\n\n", out);
	for (size_t i = 0; i < sizeof(HELP) / sizeof(HELP[0]); i++)
		fprintf(out, "  %-21s%s\n", HELP[i].flags, HELP[i].text);
	fputs("\n'sluice ctl' shows and changes the running daemon: 'sluice "
	      "ctl --help'.\n", out);
	fputs("\nSignals: TERM finishes sessions (drain_timeout) and stops, "
	      "QUIT without a limit,\nINT within 1 s; a second TERM or INT "
	      "stops at once; HUP reads the configuration\nand opens the logs "
	      "anew, USR1 the logs alone.\nExit: 0 fine, 1 usage or "
	      "configuration error, 2 --diff found changes, 3 start\nfailed, "
	      "or --diff found no daemon.\n", out);
}

static void
list_add(const char **list, const char *text)
{
	while (*list != NULL)
		list++;
	*list = text;
}

/* getopt(3) takes "--help-config=KEY" only; people write a blank. */
static const char *
optional_word(int argc, char **argv)
{
	if (optarg == NULL && optind < argc && argv[optind][0] != '-')
		return argv[optind++];
	return optarg;
}

static void
cli_flag(struct cli *cli, int flag, int argc, char **argv)
{
	switch (flag) {
	case 'c':
		cli->source.path = optarg;
		break;
	case 'L':
		list_add(cli->forwards, optarg);
		break;
	case 't':
		cli->action = CLI_TEST;
		break;
	case 'T':
		cli->action = CLI_DUMP;
		break;
	case LONG_RESOLVE:
		cli->resolve = true;
		break;
	case LONG_DIFF:
		cli->diff = true;
		break;
	case 'd':
		cli->background = true;
		break;
	case 'p':
		cli->pid_file = optarg;
		break;
	case 'u':
		cli->user = optarg;
		break;
	case 'V':
		cli->action = CLI_VERSION;
		break;
	case 'h':
		cli->action = CLI_HELP;
		break;
	case LONG_SET:
		list_add(cli->sets, optarg);
		break;
	case LONG_HELP_CONFIG:
		cli->action = CLI_HELP_CONFIG;
		cli->key = optional_word(argc, argv);
		break;
	default: /* getopt(3) has said which */
		cli->action = CLI_WRONG;
	}
}

static void
cli_say_stray(const char *word)
{
	if (strcmp(word, "ctl") == 0)
		fputs("sluice: ctl comes first, as in 'sluice ctl -c FILE "
		      "status'\n", stderr);
	else if (client_knows(word))
		fprintf(stderr, "sluice: did you mean 'sluice ctl %s'?\n",
		    word);
	else
		fprintf(stderr, "sluice: '%s' is not an option%s\n", word,
		    access(word, R_OK) == 0 ?
		    "; for a configuration write -c before it" : "");
}

static void
cli_flags(struct cli *cli, int argc, char **argv)
{
	int flag;

	while (cli->action != CLI_WRONG && (flag = getopt_long(argc, argv,
	    "+c:L:dp:u:tTVh", LONG_FLAGS, NULL)) != -1)
		cli_flag(cli, flag, argc, argv);
	if (cli->action != CLI_WRONG && optind < argc) {
		cli_say_stray(argv[optind]);
		cli->action = CLI_WRONG;
	}
	if ((cli->resolve || cli->diff) && cli->action != CLI_WRONG &&
	    cli->action != CLI_TEST) {
		fprintf(stderr, "sluice: %s goes with -t\n", cli->resolve ?
		    "--resolve" : "--diff");
		cli->action = CLI_WRONG;
	}
	if (cli->action == CLI_WRONG)
		fputs("'sluice --help' lists the options\n", stderr);
}

/* A file in the working directory is anybody's, and root must not obey it. */
static const char *
cli_search(void)
{
	const char *path = getenv("SLUICE_CONFIG");

	if (path != NULL && *path != '\0')
		return path;
	if (access(HERE_FILE, F_OK) == 0) {
		if (geteuid() != 0)
			return HERE_FILE;
		fputs("sluice: ./" HERE_FILE " exists but is not used as root; "
		      "pass -c\n", stderr);
	}
	return access(SYSTEM_FILE, F_OK) == 0 ? SYSTEM_FILE : NULL;
}

static bool __attribute__((format(printf, 3, 4)))
cli_make(struct cli *cli, size_t i, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&cli->made[i], format, args);
	va_end(args);
	if (len < 0) {
		cli->made[i] = NULL;
		return false;
	}
	list_add(cli->sets, cli->made[i]);
	return true;
}

/* The configuration takes absolute paths. */
static bool
cli_set_pid_file(struct cli *cli)
{
	char *here;
	bool made;

	if (cli->pid_file == NULL || cli->pid_file[0] == '/')
		return cli->pid_file == NULL || cli_make(cli, 0,
		    "global.pid_file=%s", cli->pid_file);
	here = getcwd(NULL, 0);
	made = here != NULL && cli_make(cli, 0, "global.pid_file=%s/%s", here,
	    cli->pid_file);
	free(here);
	return made;
}

static bool
cli_set_user(struct cli *cli)
{
	const char *colon;

	if (cli->user == NULL)
		return true;
	colon = strchrnul(cli->user, ':');
	return cli_make(cli, 1, "global.user=%.*s", (int)(colon - cli->user),
	    cli->user) && (*colon == '\0' ||
	    cli_make(cli, 2, "global.group=%s", colon + 1));
}

/* -p and -u say the same as --set. */
static bool
cli_add_sets(struct cli *cli)
{
	if (cli_set_pid_file(cli) && cli_set_user(cli))
		return true;
	fputs("sluice: out of memory\n", stderr);
	cli->action = CLI_WRONG;
	return false;
}

static bool
cli_reads_config(const struct cli *cli)
{
	return cli->action == CLI_RUN || cli->action == CLI_TEST ||
	    cli->action == CLI_DUMP;
}

void
cli_parse(struct cli *cli, int argc, char **argv)
{
	memset(cli, 0, sizeof(*cli));
	cli->sets = calloc((size_t)argc + CLI_MADE + 1, sizeof(*cli->sets));
	cli->forwards = calloc((size_t)argc + 1, sizeof(*cli->forwards));
	if (cli->sets == NULL || cli->forwards == NULL) {
		fputs("sluice: out of memory\n", stderr);
		cli->action = CLI_WRONG;
		return;
	}
	cli_flags(cli, argc, argv);
	if (!cli_add_sets(cli))
		return;
	cli->source.sets = cli->sets;
	cli->source.forwards = cli->forwards;
	if (!cli_reads_config(cli) || cli->source.path != NULL ||
	    cli->forwards[0] != NULL)
		return;
	cli->source.path = cli_search();
	if (cli->source.path == NULL) {
		fputs("sluice: no configuration: pass -c FILE or -L "
		      "BIND=UPSTREAM, or write " SYSTEM_FILE "\n", stderr);
		cli->action = CLI_WRONG;
	}
}

void
cli_done(struct cli *cli)
{
	for (size_t i = 0; i < CLI_MADE; i++)
		free(cli->made[i]);
	free(cli->sets);
	free(cli->forwards);
	memset(cli, 0, sizeof(*cli));
}
