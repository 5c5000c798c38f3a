/* The upstream that a request names. */
#include <string.h>

#include "admin-internal.h"
#include "base/str.h"

#define NAMED_MOST 6 /* where all could be listed */

static const struct upstream_conf *
upstream_find(const struct config *config, const char *name,
    struct str_guess *guess)
{
	for (size_t i = 0; i < config->nupstreams; i++) {
		const struct upstream_conf *upstream = &config->upstreams[i];

		if (strcmp(upstream->name, name) == 0)
			return upstream;
		str_guess_offer(guess, name, upstream->name);
	}
	return NULL;
}

/* "a, b and c", "a, b, c, d, e, f and 12 more". */
static void
upstreams_list(const struct config *config, char *text, size_t size)
{
	size_t all = config->nupstreams, used = 0;
	size_t most = all <= NAMED_MOST ? all : NAMED_MOST;

	text[0] = '\0';
	for (size_t i = 0; i < most && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s",
		    i == 0 ? "" : i + 1 == all ? " and " : ", ",
		    config->upstreams[i].name);
	if (most < all && used < size)
		snprintf(text + used, size - used, " and %zu more",
		    all - most);
}

const struct upstream_conf *
admin_upstream(struct admin_request *req, const char *name)
{
	const struct config *config = admin_view(req)->config;
	const struct upstream_conf *found;
	struct str_guess guess = { 0 };
	char list[320], shown[64];

	upstreams_list(config, list, sizeof(list));
	if (name == NULL && config->nupstreams == 1)
		return &config->upstreams[0];
	if (name == NULL) {
		admin_fail(req, 400, "say which upstream (upstream=NAME): "
		    "there are %s", list);
		return NULL;
	}
	found = upstream_find(config, name, &guess);
	if (found != NULL)
		return found;
	str_escape(shown, sizeof(shown), name, strlen(name));
	if (strchr(name, '/') != NULL)
		admin_fail(req, 404, "there is no upstream '%s': say but the "
		    "upstream, without a server", shown);
	else if (guess.word != NULL)
		admin_fail(req, 404, "there is no upstream '%s'; did you mean "
		    "%s?", shown, guess.word);
	else
		admin_fail(req, 404, "there is no upstream '%s'; there %s %s",
		    shown, config->nupstreams == 1 ? "is only" : "are", list);
	return NULL;
}
