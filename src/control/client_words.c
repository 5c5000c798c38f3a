#include "client-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_http.h"

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

bool
client_add(struct client *c, const char *name, const char *value)
{
	return target_add(c, name, strlen(name), value);
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
		return client_add(c, "id", word);
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
	return weighs ? client_add(c, "weight", words[2]) :
	    client_add(c, "state", words[1]);
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
			return client_add(c, kinds[i], words[1]);
	client_say("usage: sluice ctl drain [listener NAME | upstream NAME | "
	    "server UPSTREAM/NAME] [--rate N/s] [--deadline TIME] [--cancel]");
	return false;
}

bool
client_take_words(struct client *c, char **words, const char **filters)
{
	if (c->command->words == WORDS_DRAIN && *filters == NULL)
		return client_take_drain(c, words) && (c->json ||
		    client_add(c, "format", "text"));
	if (c->command->words == WORDS_UPSTREAM && *words != NULL &&
	    !client_add(c, "upstream", *words++))
		return false;
	if (c->command->words == WORDS_SERVER && *filters == NULL)
		return client_take_server(c, words) && (c->json ||
		    client_add(c, "format", "text"));
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
	return c->json || client_add(c, "format", "text");
}

/* Of what would be done instead, only a reload can tell. */
bool
client_take_dry_run(struct client *c)
{
	if (!c->dry)
		return true;
	if (strcmp(c->command->name, "reload") == 0)
		return client_add(c, "dry_run", "1");
	client_say("--dry-run goes with reload");
	return false;
}

bool
client_take_pace(struct client *c)
{
	if (c->rate == NULL && c->deadline == NULL && !c->cancel)
		return true;
	if (c->command->words != WORDS_DRAIN) {
		client_say("--rate, --deadline and --cancel go with drain");
		return false;
	}
	return (c->rate == NULL || client_add(c, "rate", c->rate)) &&
	    (c->deadline == NULL || client_add(c, "deadline", c->deadline)) &&
	    (!c->cancel || client_add(c, "cancel", "1"));
}

bool
client_take_file(struct client *c, const char *file)
{
	char *whole = realpath(file, NULL);
	bool made = whole != NULL && client_add(c, "path", whole);

	if (whole == NULL)
		client_say("%s: %m", file);
	free(whole);
	return made;
}

