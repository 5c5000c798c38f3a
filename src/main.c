#include "base/crash.h"
#include "base/log.h"
#include "config/option.h"
#include "control/cli.h"
#include "control/client.h"
#include "control/control.h"
#include "control/reach.h"
#include "control/trial.h"
#include "control/version.h"

#include <string.h>

#define EXIT_FINE  0
#define EXIT_WRONG 1

static void
print_count(size_t count, const char *noun)
{
	printf("%zu %s%s", count, noun, count == 1 ? "" : "s");
}

static void
print_summary(const struct config *config)
{
	printf("%s: ok (", config->path != NULL ? config->path : "command line");
	print_count(config->nlisteners, "listener");
	printf(", ");
	print_count(config->nupstreams, "upstream");
	if (config->nfiles > 1) {
		printf(", ");
		print_count(config->nfiles - 1, "included file");
	}
	printf(")\n");
}

static struct config *
load(const struct config_source *source)
{
	struct config_errors errors;
	struct config *config = config_load(source, &errors);
	const char *head = !log_stderr_is_journal() ? "" :
	    config == NULL ? "<3>" : "<4>";

	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s%s\n", head, errors.lines[i]);
	if (config == NULL && errors.count == 0)
		fprintf(stderr, "%ssluice: out of memory\n", head);
	config_errors_free(&errors);
	return config;
}

/* Loads for the actions that need a configuration. */
static int
load_and_act(const struct cli *cli)
{
	struct config *config = load(&cli->source);
	int code = EXIT_FINE;

	if (config == NULL)
		return EXIT_WRONG;
	if (cli->action == CLI_RUN)
		return control_run(config, &cli->source, cli->background);
	if (cli->action == CLI_DUMP) {
		config_print(stdout, config, control_workers(config));
	} else {
		config_print_access(stdout, config);
		reach_test(config);
		code = cli->resolve ? trial_run(stdout, config) : EXIT_FINE;
		if (code == EXIT_FINE)
			print_summary(config);
		if (code == EXIT_FINE && cli->diff) {
			fflush(stdout);
			code = client_diff(config);
		}
	}
	config_free(config);
	return code;
}

static int
act(const struct cli *cli)
{
	switch (cli->action) {
	case CLI_RUN:
	case CLI_TEST:
	case CLI_DUMP:
		return load_and_act(cli);
	case CLI_HELP:
		cli_print_help(stdout);
		return EXIT_FINE;
	case CLI_HELP_CONFIG:
		return option_help(stdout, stderr, cli->key) < 0 ? EXIT_WRONG :
		    EXIT_FINE;
	case CLI_VERSION:
		version_print(stdout);
		return EXIT_FINE;
	case CLI_WRONG:
		break;
	}
	return EXIT_WRONG;
}

/* The daemon, or one action instead. */
static int
run(int argc, char **argv)
{
	struct cli cli;
	int code;

	cli_parse(&cli, argc, argv);
	code = act(&cli);
	cli_done(&cli);
	return code;
}

int
main(int argc, char **argv)
{
	static char name[] = "sluice ctl";
	static char build[64];
	int code;

	snprintf(build, sizeof(build), "sluice %s (%s)", version_number(),
	    version_build());
	crash_open(build);
	if (argc > 1 && strcmp(argv[1], "ctl") == 0) {
		argv[1] = name; /* which getopt(3) begins its messages with */
		code = client_run(argc - 1, argv + 1);
	} else {
		code = run(argc, argv);
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("sluice: cannot write");
		return code != EXIT_FINE ? code : EXIT_WRONG;
	}
	return code;
}
