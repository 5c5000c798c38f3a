#include "client-internal.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_socket.h"
#include "base/str.h"
#include "client_http.h"
#include "control/client.h"

#define PATH_TEXT 256

static const struct command COMMANDS[] = {
	{ "status", "GET", "/api/status", WORDS_NONE, false, "",
	    "listeners, servers, what they do" },
	{ "sessions", "GET", "/api/sessions", WORDS_FILTERS, false,
	    "[KEY=VALUE ...]", "who is connected to what" },
	{ "kill", "POST", "/api/sessions/kill", WORDS_ID_OR_FILTERS, false,
	    "ID | KEY=VALUE ...", "end a session, or all that match" },
	{ "servers", "GET", "/api/servers", WORDS_NONE, false, "",
	    "which are up, why not, what was changed by hand" },
	{ "server", "POST", "/api/servers/", WORDS_SERVER, false,
	    "UPSTREAM/NAME WHAT", "up, down, drain, or weight N (or "
	    "default)" },
	{ "drain", "POST", "/api/drain", WORDS_DRAIN, false,
	    "[WHAT NAME]", "no new sessions there, and the old ones leave" },
	{ "pause", "POST", "/api/pause", WORDS_UPSTREAM, false, "[UPSTREAM]",
	    "new sessions wait, as while a database restarts" },
	{ "resume", "POST", "/api/resume", WORDS_UPSTREAM, false,
	    "[UPSTREAM]", "they go on" },
	{ "reload", "POST", "/api/reload", WORDS_NONE, false, "[--dry-run]",
	    "read the configuration, or say what that changes" },
	{ "events", "GET", "/api/events", WORDS_NONE, true, "",
	    "what is logged, as it happens, until ^C" },
};

#define COMMAND_COUNT (sizeof(COMMANDS) / sizeof(COMMANDS[0]))

static const struct option LONG_FLAGS[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "socket", required_argument, NULL, 's' },
	{ "filter", required_argument, NULL, 'f' },
	{ "json", no_argument, NULL, 'j' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "rate", required_argument, NULL, 'r' },
	{ "deadline", required_argument, NULL, 'd' },
	{ "cancel", no_argument, NULL, 'u' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void
client_help(FILE *out)
{
	char form[64];

	fputs("usage: sluice ctl [-c FILE | --socket PATH] [--json] COMMAND\n"
	      "\n", out);
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		snprintf(form, sizeof(form), "%s %s", COMMANDS[i].name,
		    COMMANDS[i].form);
		fprintf(out, "  %-26s%s\n", form, COMMANDS[i].text);
	}
	fputs("\n  -c, --config FILE         where the daemon is: at its "
	      "admin_socket; a reload\n"
	      "                            reads the daemon's own file\n"
	      "  --socket PATH             that one; without either\n"
	      "                            $XDG_RUNTIME_DIR/"
	      ADMIN_SOCKET_FILE " if it is there, else\n"
	      "                            " ADMIN_SOCKET_DIR "/"
	      ADMIN_SOCKET_FILE "\n"
	      "  --filter KEY=VALUE        the same as KEY=VALUE: those "
	      "sessions, by listener,\n"
	      "                            upstream, server, client, min_age "
	      "or id; repeatable\n"
	      "  --json                    for programs\n"
	      "  --dry-run                 with reload: change nothing, say what "
	      "would be\n"
	      "  --rate N/s                with drain: so many sessions leave "
	      "in a second\n"
	      "  --deadline TIME           with drain: all have left by then, "
	      "as in 5m\n"
	      "  --cancel                  with drain: undo it\n"
	      "\nExit: 0 fine, 1 usage, or the daemon refuses, 2 --dry-run "
	      "found changes,\n3 no daemon was reached.\n", out);
}

static const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(COMMANDS[i].name, name) == 0)
			return &COMMANDS[i];
	return NULL;
}

bool
client_knows(const char *name)
{
	return command_find(name) != NULL;
}

static void
command_unknown(const char *name)
{
	struct str_guess guess = { 0 };

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		str_guess_offer(&guess, name, COMMANDS[i].name);
	if (guess.word != NULL)
		client_say("there is no command '%s'; did you mean %s?", name,
		    guess.word);
	else
		client_say("there is no command '%s'; 'sluice ctl --help' "
		    "lists them", name);
}

/* --- where the daemon is */

static const char *
path_by_default(char *path)
{
	if (admin_socket_auto(path, PATH_TEXT) && access(path, F_OK) == 0)
		return path;
	snprintf(path, PATH_TEXT, "%s",
	    ADMIN_SOCKET_DIR "/" ADMIN_SOCKET_FILE);
	return path;
}

/* Of that configuration, which came from a file; NULL once it is said that there
 * is none. */
static const char *
path_that_is_named(const struct config *config, const char *file, char *path)
{
	const char *named = config->global.admin_socket;

	if (named == NULL)
		client_say("%s says admin_socket = off: there is no way in",
		    file);
	else if (strcmp(named, "auto") == 0)
		return path_by_default(path);
	else
		return strncpy(path, named, PATH_TEXT - 1);
	return NULL;
}

static const char *
path_of_config(const struct client *c, char *path)
{
	struct config_errors errors;
	struct config *config = config_load_global(c->config, "admin_socket",
	    &errors);
	const char *named;

	for (size_t i = 0; config == NULL && i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	config_errors_free(&errors);
	if (config == NULL) {
		client_say("the daemon was not asked: what that file says of "
		    "admin_socket cannot be read; --socket PATH says it "
		    "without");
		return NULL;
	}
	named = path_that_is_named(config, c->config, path);
	config_free(config);
	return named;
}

/* --- the whole */

/* Returns false with a mistake said, or with help asked for (command NULL,
 * *code 0). */
static bool
client_flags(struct client *c, int argc, char **argv, const char **filters,
    int *code)
{
	int flag;

	*code = EXIT_REFUSED;
	while ((flag = getopt_long(argc, argv, "c:h", LONG_FLAGS, NULL)) != -1) {
		switch (flag) {
		case 'c':
			c->config = optarg;
			break;
		case 's':
			c->socket = optarg;
			break;
		case 'f':
			*filters++ = optarg;
			break;
		case 'j':
			c->json = true;
			break;
		case 'n':
			c->dry = true;
			break;
		case 'r':
			c->rate = optarg;
			break;
		case 'd':
			c->deadline = optarg;
			break;
		case 'u':
			c->cancel = true;
			break;
		case 'h':
			client_help(stdout);
			*code = EXIT_FINE;
			return false;
		default: /* getopt(3) has said which */
			fputs("'sluice ctl --help' lists the options\n",
			    stderr);
			return false;
		}
	}
	return true;
}

static bool
client_command(struct client *c, const char *name)
{
	if (name == NULL) {
		client_help(stderr);
		return false;
	}
	c->command = command_find(name);
	if (c->command == NULL) {
		command_unknown(name);
		return false;
	}
	c->target = strdup(c->command->path);
	if (c->target == NULL)
		client_say("out of memory");
	return c->target != NULL;
}

static int
client_do(const struct client *c)
{
	struct client_request request = { .method = c->command->method,
		.target = c->target, .endless = c->command->endless,
		.json = c->json };
	char path[PATH_TEXT] = "";

	request.path = c->socket != NULL ? c->socket :
	    c->config != NULL ? path_of_config(c, path) :
	    path_by_default(path);
	return request.path == NULL ? EXIT_REFUSED : client_request(&request);
}

int
client_run(int argc, char **argv)
{
	const char **filters = calloc((size_t)argc + 1, sizeof(*filters));
	struct client c = { 0 };
	int code;

	if (filters == NULL) {
		client_say("out of memory");
		return EXIT_REFUSED;
	}
	if (client_flags(&c, argc, argv, filters, &code) &&
	    client_command(&c, argv[optind]) && client_take_dry_run(&c) &&
	    client_take_pace(&c) &&
	    client_take_words(&c, argv + optind + 1, filters))
		code = client_do(&c);
	free(filters);
	free(c.target);
	return code;
}

int
client_diff(const struct config *config)
{
	char path[PATH_TEXT] = "";
	struct client c = { .command = command_find("reload"), .dry = true };
	struct client_request request = { .method = c.command->method };
	int code = EXIT_REFUSED;

	if (config->path == NULL) {
		client_say("--diff compares a file: pass -c FILE");
		return code;
	}
	request.path = path_that_is_named(config, config->path, path);
	c.target = strdup(c.command->path);
	if (request.path != NULL && c.target != NULL &&
	    client_add(&c, "dry_run", "1") &&
	    client_add(&c, "format", "text") &&
	    client_take_file(&c, config->path)) {
		request.target = c.target;
		code = client_request(&request);
	}
	free(c.target);
	return code;
}
