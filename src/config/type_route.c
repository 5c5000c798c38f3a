/* The option type of "route = sni HOST -> UPSTREAM" and its kin. */
#include "rows.h"

#include "base/str.h"
#include "hostport.h"
#include "range.h"
#include "reader.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PROTOCOL_MAX 255 /* RFC 7301 section 3.1 */

/* One rule while its line is read: what it compares with. */
struct route_line {
	const struct setting *setting;
	struct route_conf     rule;
	const char	     *word;
};

static bool
route_wrong(const struct route_line *line, const char *wrong)
{
	return setting_wrong(line->setting, ": %s '%s' %s",
	    route_kind_text(line->rule.kind), line->word, wrong);
}

/* --- each kind */

static bool
is_ascii(const char *text)
{
	while (*text != '\0' && (unsigned char)*text < 0x80)
		text++;
	return *text == '\0';
}

/* What somebody may have meant that is no name. */
static const char *
sni_wrong(const char *host)
{
	size_t len = strlen(host);
	char why[HOSTPORT_WHY];
	struct hostport hp;

	if (!is_ascii(host))
		return "is not what clients send: write the name as xn--...";
	if (host_parse(&hp, host, why) == NULL && hp.kind == HOST_NUMERIC)
		return "is an address, and clients send only names: route "
		       "by its bind";
	if (strcmp(host, "*") == 0)
		return "is every name: for all others write upstream = "
		       "NAME";
	if (strchr(host, ',') != NULL)
		return "has a comma: one a line, with the key again each time";
	if (strchr(host, ':') != NULL)
		return "must be a name without a port";
	if (len > 1 && host[len - 1] == '.')
		return "must be written without the dot at its end, as "
		       "clients send it";
	if (strchr(host, '*') != NULL)
		return "has a '*' that is not its first label, as in "
		       "*.example.com";
	return "is not a host name";
}

static bool
route_set_sni(struct route_line *line)
{
	const char *name = line->word;
	char *text;

	if (strncmp(name, "*.", 2) == 0)
		name += 2;
	if (!client_hello_is_name(name, strlen(name)))
		return route_wrong(line, sni_wrong(line->word));
	text = arena_text(line->setting->arena, line->word,
	    strlen(line->word));
	line->rule.text = text;
	for (; text != NULL && *text != '\0'; text++)
		*text = (char)tolower((unsigned char)*text);
	return line->rule.text != NULL;
}

static bool
route_set_alpn(struct route_line *line)
{
	size_t len = strlen(line->word);

	if (strchr(line->word, ',') != NULL)
		return route_wrong(line, "has a comma: one a line, with the "
		    "key again each time");
	if (len > PROTOCOL_MAX)
		return route_wrong(line, "is over 255 bytes long");
	line->rule.text = arena_text(line->setting->arena, line->word, len);
	return line->rule.text != NULL;
}

static bool
route_set_client(struct route_line *line)
{
	char why[RANGE_WHY];
	const char *wrong = range_parse(&line->rule.prefix, line->word,
	    RANGE_ALL, why);

	if (wrong != NULL)
		return route_wrong(line, wrong);
	line->rule.text = arena_text(line->setting->arena, line->word,
	    strlen(line->word));
	return line->rule.text != NULL;
}

static bool (*const SETTERS[])(struct route_line *) = {
	[ROUTE_SNI] = route_set_sni,
	[ROUTE_ALPN] = route_set_alpn,
	[ROUTE_CLIENT] = route_set_client,
};

/* --- a line */

static bool
route_set_kind(struct route_line *line, const char *word)
{
	struct str_guess guess = { 0 };

	for (unsigned i = 0; i < ROUTE_KINDS; i++) {
		line->rule.kind = (enum route_kind)i;
		if (strcmp(word, route_kind_text(line->rule.kind)) == 0)
			return true;
		str_guess_offer(&guess, word,
		    route_kind_text((enum route_kind)i));
	}
	if (guess.word != NULL)
		return setting_wrong(line->setting, ": unknown '%s'; did you "
		    "mean '%s'?", word, guess.word);
	return setting_wrong(line->setting, ": unknown '%s'; there are sni, "
	    "alpn and client", word);
}

static bool
route_append(const struct route_line *line)
{
	struct listener_conf *listener = line->setting->owner;
	struct routes *routes = &listener->routes;
	struct route_conf *rules = arena_grow(line->setting->arena,
	    routes->rules, routes->count, sizeof(*rules));

	if (rules == NULL)
		return false;
	rules[routes->count] = line->rule;
	routes->rules = rules;
	routes->count++;
	return true;
}

static const char *
route_form(const struct option *option, char *text)
{
	(void)option;
	return strcpy(text, "sni HOST -> UPSTREAM, alpn NAME -> UPSTREAM or "
	    "client CIDR -> UPSTREAM");
}

static bool
route_wrong_form(const struct setting *setting)
{
	const char *arrow = strstr(setting->text, "->");
	char form[FORM_TEXT];

	if (arrow != NULL && arrow > setting->text && arrow[2] != '\0' &&
	    (strchr(" \t", arrow[-1]) == NULL ||
	    strchr(" \t", arrow[2]) == NULL))
		return setting_wrong(setting, " needs blanks around '->', not "
		    "'%s'", setting->text);
	return setting_wrong(setting, " must be %s, not '%s'",
	    route_form(NULL, form), setting->text);
}

static bool
route_set(const struct setting *setting)
{
	struct route_line line = { .setting = setting,
		.rule.origin = setting->origin };
	char words[READER_LINE + 1], *rest = NULL;
	const char *kind, *arrow, *upstream;

	snprintf(words, sizeof(words), "%s", setting->text);
	kind = strtok_r(words, " \t", &rest);
	if (!route_set_kind(&line, kind))
		return false;
	line.word = strtok_r(NULL, " \t", &rest);
	arrow = strtok_r(NULL, " \t", &rest);
	upstream = strtok_r(NULL, " \t", &rest);
	if (upstream == NULL || strcmp(arrow, "->") != 0 ||
	    strtok_r(NULL, " \t", &rest) != NULL)
		return route_wrong_form(setting);
	line.rule.upstream_name = arena_text(setting->arena, upstream,
	    strlen(upstream));
	return line.rule.upstream_name != NULL &&
	    SETTERS[line.rule.kind](&line) && route_append(&line);
}

static bool
route_get(const struct option *option, const void *owner, size_t n,
    struct item *item)
{
	const struct listener_conf *listener = owner;
	const struct route_conf *rule;

	(void)option;
	if (n >= listener->routes.count)
		return false;
	rule = &listener->routes.rules[n];
	snprintf(item->text, sizeof(item->text), "%s %s -> %s",
	    route_kind_text(rule->kind), rule->text, rule->upstream_name);
	item->origin = rule->origin;
	return true;
}

const struct option_type TYPE_ROUTE = { route_set, route_get, route_form };
