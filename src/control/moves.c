#include "moves.h"

#include <stdio.h>

/* Those of one set that the other lacks.  Returns the end of the text. */
static char *
moves_of(const struct endpoint_set *set, const struct endpoint_set *other,
    const char *word, char *text)
{
	size_t count = 0;

	for (size_t i = 0; i < set->count; i++) {
		const struct server_state *server = set->endpoints[i].server;

		if (endpoint_set_has(other, server) ||
		    !endpoint_set_is_first(set, i))
			continue;
		if (count++ < MOVES_NAMED)
			text += sprintf(text, "%s%s", count == 1 ? word : ", ",
			    server->text);
	}
	if (count > MOVES_NAMED)
		text += sprintf(text, " and %zu more", count - MOVES_NAMED);
	return text;
}

const char *
moves_text(const struct endpoint_set *before, const struct endpoint_set *after,
    char *text)
{
	char *end = text;

	*end = '\0';
	end = moves_of(after, before, "; came ", end);
	moves_of(before, after, "; went ", end);
	return text;
}
