#include "control/client.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_socket.h"
#include "base/str.h"
#include "client_http.h"
#include "config/config.h"

#define PATH_TEXT 256

/* What the words behind a command are. */
enum words {
	WORDS_NONE,
	WORDS_FILTERS,
	WORDS_ID_OR_FILTERS,
	WORDS_SERVER,
	WORDS_UPSTREAM, /* or none, where there is only one */
	WORDS_DRAIN,	/* a kind and a name, or none */
};

static const struct command {
	const char *name, *method, *path;
	enum words  words;
	bool	    endless;
	const char *form, *text;
} COMMANDS[] = {
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

struct client {
	const char	     *config, *socket;
	bool		      json;
	bool		      dry, cancel;
	const char	     *rate, *deadline;
	const struct command *command;
	char		     *target; /* owned: path and query so far */
};

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

/* --- the target: a path and parameters */

/* Everything but what RFC 3986 section 2.3 leaves alone. */
static char *
percent_encode(const char *text, size_t len)
{
	char *encoded = malloc(3 * len + 1), *end = encoded;

	for (size_t i = 0; encoded != NULL && i < len; i++) {
		if (strchr("-._~", text[i]) != NULL ||
		    (text[i] >= '0' && text[i] <= '9') ||
		    ((text[i] | 32) >= 'a' && (text[i] | 32) <= 'z'))
			*end++ = text[i];
		else
			end += sprintf(end, "%%%02X", (unsigned char)text[i]);
	}
	if (encoded != NULL)
		*end = '\0';
	return encoded;
}

static bool
target_add(struct client *c, const char *name, size_t len, const char *value)
{
	char *key = percent_encode(name, len), *old = c->target;
	char *encoded = percent_encode(value, strlen(value));
	bool made = key != NULL && encoded != NULL && asprintf(&c->target,
	    "%s%c%s=%s", old, strchr(old, '?') != NULL ? '&' : '?', key,
	    encoded) >= 0;

	if (made)
		free(old);
	else
		c->target = old;
	free(key);
	free(encoded);
	if (!made)
		client_say("out of memory");
	return made;
}

static bool
target_add_word(struct client *c, const char *word)
{
	const char *is = strchr(word, '=');

	if (is == word || (is == NULL &&
	    c->command->words != WORDS_ID_OR_FILTERS)) {
		client_say("'%s' is no KEY=VALUE, as in listener=pg", word);
		return false;
	}
	if (is == NULL)
		return target_add(c, "id", 2, word);
	return target_add(c, word, (size_t)(is - word), is + 1);
}

/* "pg/db1 down", "pg/db1 weight 3". */
static bool
client_take_server(struct client *c, char **words)
{
	char *encoded, *old = c->target;
	size_t count = 0;
	bool weighs, made;

	while (words[count] != NULL)
		count++;
	weighs = count > 1 && strcmp(words[1], "weight") == 0;
	if (count != (weighs ? 3 : 2)) {
		client_say("usage: sluice ctl server UPSTREAM/NAME "
		    "up|down|drain|weight N");
		return false;
	}
	encoded = percent_encode(words[0], strlen(words[0]));
	made = encoded != NULL && asprintf(&c->target, "%s%s", old,
	    encoded) >= 0;
	free(encoded);
	if (!made) {
		c->target = old;
		client_say("out of memory");
		return false;
	}
	free(old);
	return weighs ? target_add(c, "weight", 6, words[2]) :
	    target_add(c, "state", 5, words[1]);
}

/* "listener pg", "upstream pg", "server pg/db1", or nothing. */
static bool
client_take_drain(struct client *c, char **words)
{
	static const char *const kinds[] = { "listener", "upstream", "server" };

	if (*words == NULL)
		return true;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(*words, kinds[i]) == 0 && words[1] != NULL &&
		    words[2] == NULL)
			return target_add(c, kinds[i], strlen(kinds[i]),
			    words[1]);
	client_say("usage: sluice ctl drain [listener NAME | upstream NAME | "
	    "server UPSTREAM/NAME] [--rate N/s] [--deadline TIME] [--cancel]");
	return false;
}

static bool
client_take_words(struct client *c, char **words, const char **filters)
{
	if (c->command->words == WORDS_DRAIN && *filters == NULL)
		return client_take_drain(c, words) && (c->json ||
		    target_add(c, "format", 6, "text"));
	if (c->command->words == WORDS_UPSTREAM && *words != NULL &&
	    !target_add(c, "upstream", 8, *words++))
		return false;
	if (c->command->words == WORDS_SERVER && *filters == NULL)
		return client_take_server(c, words) && (c->json ||
		    target_add(c, "format", 6, "text"));
	if ((c->command->words == WORDS_NONE ||
	    c->command->words == WORDS_UPSTREAM ||
	    c->command->words == WORDS_DRAIN ||
	    c->command->words == WORDS_SERVER) && (*words != NULL ||
	    *filters != NULL)) {
		client_say("%s takes nothing more, not '%s'", c->command->name,
		    *words != NULL ? *words : *filters);
		return false;
	}
	for (; *words != NULL; words++)
		if (!target_add_word(c, *words))
			return false;
	for (; *filters != NULL; filters++)
		if (!target_add_word(c, *filters))
			return false;
	if (c->command->words == WORDS_ID_OR_FILTERS &&
	    strchr(c->target, '?') == NULL) {
		client_say("%s %s: say which", c->command->name,
		    c->command->form);
		return false;
	}
	return c->json || target_add(c, "format", 6, "text");
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
	const struct config_source source = { .path = c->config };
	struct config_errors errors;
	struct config *config = config_load(&source, &errors);
	const char *named;

	for (size_t i = 0; config == NULL && i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	config_errors_free(&errors);
	if (config == NULL) {
		client_say("the daemon was not asked, since that file says "
		    "where it is; --socket PATH says so without");
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

/* Of what would be done instead, only a reload can tell. */
static bool
client_take_dry_run(struct client *c)
{
	if (!c->dry)
		return true;
	if (strcmp(c->command->name, "reload") == 0)
		return target_add(c, "dry_run", 7, "1");
	client_say("--dry-run goes with reload");
	return false;
}

static bool
client_take_pace(struct client *c)
{
	if (c->rate == NULL && c->deadline == NULL && !c->cancel)
		return true;
	if (c->command->words != WORDS_DRAIN) {
		client_say("--rate, --deadline and --cancel go with drain");
		return false;
	}
	return (c->rate == NULL || target_add(c, "rate", 4, c->rate)) &&
	    (c->deadline == NULL || target_add(c, "deadline", 8,
	    c->deadline)) && (!c->cancel || target_add(c, "cancel", 6, "1"));
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

static bool
client_take_file(struct client *c, const char *file)
{
	char *whole = realpath(file, NULL);
	bool made = whole != NULL && target_add(c, "path", 4, whole);

	if (whole == NULL)
		client_say("%s: %m", file);
	free(whole);
	return made;
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
	    target_add(&c, "dry_run", 7, "1") &&
	    target_add(&c, "format", 6, "text") &&
	    client_take_file(&c, config->path)) {
		request.target = c.target;
		code = client_request(&request);
	}
	free(c.target);
	return code;
}
