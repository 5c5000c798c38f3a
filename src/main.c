/* The command line, and which file to read; then control_run(). */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/option.h"
#include "control/control.h"
#include "control/version.h"

#define EXIT_USAGE	   1
#define SYSTEM_CONFIG	   "/etc/sluice/proxy.ini"
#define LOCAL_CONFIG	   "./proxy.ini"

enum { OPT_SET = 256, OPT_HELP_CONFIG };

enum action { ACTION_RUN, ACTION_TEST, ACTION_DUMP };

struct arguments {
	const char  *path;
	enum action  action;
	const char **sets;     /* NULL-ended */
	const char **forwards; /* NULL-ended */
};

static const char usage[] =
    "usage: sluice [-c FILE] [-L BIND=UPSTREAM]... [-tT] [--set KEY=VALUE]...\n"
    "\n"
    "  -c, --config FILE        read FILE (else $SLUICE_CONFIG, ./proxy.ini\n"
    "                           unless root, " SYSTEM_CONFIG ")\n"
    "  -L, --forward BIND=UPSTREAM\n"
    "                           forward without a file: :5432=db1:5432\n"
    "  -t, --test               check the configuration and exit\n"
    "  -T, --dump               print what is in effect, with its origin\n"
    "      --set SECTION.KEY=VALUE, SECTION.NAME.KEY=VALUE\n"
    "                           replace one value of the file\n"
    "      --help-config [KEY]  the options of proxy.ini, or one of them\n"
    "  -V, --version            version, libraries, limits\n"
    "  -h, --help               this\n"
    "\n"
    "Runs in the foreground. TERM drains and stops; exit codes: 0 fine,\n"
    "1 usage or configuration, 3 could not start.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "forward", required_argument, NULL, 'L' },
	{ "test", no_argument, NULL, 't' },
	{ "dump", no_argument, NULL, 'T' },
	{ "set", required_argument, NULL, OPT_SET },
	{ "help-config", optional_argument, NULL, OPT_HELP_CONFIG },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void
list_add(const char **list, const char *item)
{
	while (*list != NULL)
		list++;
	*list = item;
}

static int
help_config(int argc, char **argv)
{
	const char *key = optarg;

	if (key == NULL && optind < argc)
		key = argv[optind];
	return option_help(stdout, stderr, key) == 0 ? 0 : EXIT_USAGE;
}

/* Takes one option; returns an exit code that ends the program, or -1. */
static int
take_option(struct arguments *args, int option, int argc, char **argv)
{
	switch (option) {
	case 'c':
		args->path = optarg;
		return -1;
	case 'L':
		list_add(args->forwards, optarg);
		return -1;
	case OPT_SET:
		list_add(args->sets, optarg);
		return -1;
	case 't':
		args->action = ACTION_TEST;
		return -1;
	case 'T':
		args->action = ACTION_DUMP;
		return -1;
	case OPT_HELP_CONFIG:
		return help_config(argc, argv);
	case 'V':
		version_print(stdout);
		return 0;
	case 'h':
		fputs(usage, stdout);
		return 0;
	}
	fputs("try: sluice --help\n", stderr);
	return EXIT_USAGE;
}

static int
take_arguments(struct arguments *args, int argc, char **argv)
{
	int option, code = -1;

	while (code < 0 && (option = getopt_long(argc, argv, "c:L:tTVh",
	    options, NULL)) != -1)
		code = take_option(args, option, argc, argv);
	if (code < 0 && optind < argc) {
		fprintf(stderr, "sluice: '%s' is not an option; "
		    "try: sluice --help\n", argv[optind]);
		code = EXIT_USAGE;
	}
	return code;
}

/* As DESIGN has it: what lies in a directory somebody else may write is not
 * obeyed as root. NULL: none, and said so. */
static const char *
find_config(void)
{
	const char *path = getenv("SLUICE_CONFIG");

	if (path != NULL && path[0] != '\0')
		return path;
	if (access(LOCAL_CONFIG, F_OK) == 0) {
		if (geteuid() != 0)
			return LOCAL_CONFIG;
		fputs("sluice: ./proxy.ini exists but is not used as root; "
		    "pass -c\n", stderr);
	}
	if (access(SYSTEM_CONFIG, F_OK) == 0)
		return SYSTEM_CONFIG;
	fputs("sluice: no configuration: pass -c FILE or -L BIND=UPSTREAM "
	    "(-L :5432=db1.internal:5432)\n", stderr);
	return NULL;
}

static struct config *
load_config(const struct arguments *args)
{
	struct config_source source = {
		.path = args->path,
		.sets = args->sets,
		.forwards = args->forwards,
	};
	struct config_errors errors = { 0 };
	struct config *config;

	if (source.path == NULL && args->forwards[0] == NULL &&
	    (source.path = find_config()) == NULL)
		return NULL;
	config = config_load(&source, &errors);
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	config_errors_free(&errors);
	return config;
}

static const char *
base_name(const char *path)
{
	const char *slash = path == NULL ? NULL : strrchr(path, '/');

	return path == NULL ? "command line" : slash == NULL ? path :
	    slash + 1;
}

static int
test_config(struct config *config)
{
	printf("%s: ok (%zu listener%s, %zu upstream%s)\n",
	    base_name(config->path), config->nlisteners,
	    config->nlisteners == 1 ? "" : "s", config->nupstreams,
	    config->nupstreams == 1 ? "" : "s");
	config_free(config);
	return 0;
}

static int
dump_config(struct config *config)
{
	config_print(stdout, config);
	config_free(config);
	return 0;
}

static int
run(const struct arguments *args)
{
	struct config *config = load_config(args);

	if (config == NULL)
		return EXIT_USAGE;
	switch (args->action) {
	case ACTION_TEST:
		return test_config(config);
	case ACTION_DUMP:
		return dump_config(config);
	case ACTION_RUN:
		break;
	}
	return control_run(config);
}

int
main(int argc, char **argv)
{
	struct arguments args = { 0 };
	size_t room = (size_t)argc + 1;
	int code;

	args.sets = calloc(room, sizeof(*args.sets));
	args.forwards = calloc(room, sizeof(*args.forwards));
	if (args.sets == NULL || args.forwards == NULL)
		return EXIT_USAGE;
	code = take_arguments(&args, argc, argv);
	if (code < 0)
		code = run(&args);
	free(args.sets);
	free(args.forwards);
	return code;
}
