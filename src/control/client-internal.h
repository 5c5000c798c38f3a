/* What client.c is asked to do, and the request that client_words.c makes of
 * it. */
#ifndef SLUICE_CONTROL_CLIENT_INTERNAL_H
#define SLUICE_CONTROL_CLIENT_INTERNAL_H

#include <stdbool.h>

/* What the words behind a command are. */
enum words {
	WORDS_NONE,
	WORDS_FILTERS,
	WORDS_ID_OR_FILTERS,
	WORDS_SERVER,
	WORDS_UPSTREAM, /* or none, where there is only one */
	WORDS_DRAIN,	/* a kind and a name, or none */
};

struct command {
	const char *name, *method, *path;
	enum words  words;
	bool	    endless;
	const char *form, *text;
};

struct client {
	const char	     *config, *socket;
	bool		      json;
	bool		      dry, cancel;
	const char	     *rate, *deadline;
	const struct command *command;
	char		     *target; /* owned: path and query so far */
};

/* Each adds to the target what a user said, and returns false once it is said
 * what is wrong with that. */
bool client_add(struct client *, const char *name, const char *value);
bool client_take_dry_run(struct client *);
bool client_take_pace(struct client *);
bool client_take_words(struct client *, char **words, const char **filters);
bool client_take_file(struct client *, const char *file);

#endif
