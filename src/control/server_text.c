/* What is told of a server. */
#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "base/log.h"
#include "servers.h"

const char *
servers_state(unsigned out, char *text)
{
	static const struct {
		unsigned    bit;
		const char *word;
	} words[] = {
		{ SERVER_DISABLED, "down" },
		{ SERVER_DRAINING, "drain" },
		{ SERVER_FAILING, "failing" },
		{ SERVER_EJECTED, "ejected" },
	};
	size_t len = 0;

	strcpy(text, "up");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((out & words[i].bit) != 0)
			len += (size_t)snprintf(text + len, SERVERS_STATE - len,
			    "%s%s", len > 0 ? "+" : "", words[i].word);
	return text;
}

unsigned
servers_out_bits(enum servers_out by)
{
	static const unsigned bits[SERVERS_OUTS] = {
		[OUT_BY_OPERATOR] = SERVER_DISABLED | SERVER_DRAINING,
		[OUT_BY_CHECK] = SERVER_FAILING,
		[OUT_BY_EJECTION] = SERVER_EJECTED,
	};

	return bits[by];
}

const char *
servers_why(const struct server *s, char *text)
{
	unsigned out = atomic_load_explicit(&s->state->out,
	    memory_order_relaxed);
	char *end = text;

	strcpy(text, out == 0 ? s->cause : "");
	for (size_t i = 0; i < SERVERS_OUTS; i++)
		if ((out & servers_out_bits(i)) != 0)
			end += sprintf(end, "%s%s", end > text ? "; " : "",
			    s->causes[i]);
	return text;
}

const char *
servers_name(const struct server *s, char *text)
{
	const char *address = s->state->text;

	if (strcmp(s->line->name, address) == 0)
		snprintf(text, SERVERS_NAME, "%s", address);
	else
		snprintf(text, SERVERS_NAME, "%s (%s)", s->line->name, address);
	return text;
}

/* How long it was as it was.  To the millisecond while the log would take two
 * lines that are the same for one said twice (repeats.h). */
static const char *
server_spell(uint64_t ms, char *text)
{
	if (ms >= 10000)
		return human_duration(ms, text);
	snprintf(text, HUMAN_TEXT, "%u.%03us", (unsigned)(ms / 1000),
	    (unsigned)(ms % 1000));
	return text;
}

void
server_log(const struct server *s, unsigned set, unsigned out, uint64_t spell)
{
	char name[SERVERS_NAME], word[SERVERS_STATE], state[80];
	char line[LOG_LINE], after[HUMAN_TEXT], why[SERVERS_WHY] = "";
	size_t all, up = servers_up(s->servers, s->upstream->index, &all);
	bool stays = set == 0 && out != 0;

	servers_state(set != 0 ? set : out, word);
	if (stays)
		servers_why(s, why);
	if (stays)
		snprintf(state, sizeof(state), "stays out (%s)", word);
	else
		snprintf(state, sizeof(state), "is %s after %s",
		    set == SERVER_FAILING ? "down" :
		    set == SERVER_DRAINING ? "drained" : word,
		    server_spell(spell, after));
	snprintf(line, sizeof(line), "upstream %s: server %s %s: %s%s%s; %zu "
	    "of %zu are up", s->upstream->name, servers_name(s, name), state,
	    s->cause, stays ? ", but still: " : "", why, up, all);
	if (set != 0)
		log_warn(0, "%s", line);
	else
		log_info("%s", line);
}
