/* Text -> configuration, or errors: never both, never neither.  What is
 * accepted prints as a text that is accepted and prints the same. */
#include "config/config.h"
#include "config/option.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What ${NAME} finds is the same for everybody. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char none[] = "EMPTY=", host[] = "HOST=db1.internal",
	    port[] = "PORT=5432", path[] = "PATH=/run/$ {x}/a",
	    note[] = "NOTE=x ; y", bytes[] = "BYTES=\x01", long_value[300];

	(void)argc, (void)argv;
	memset(long_value, 'l', sizeof(long_value) - 1);
	memcpy(long_value, "LONG=", 5);
	putenv(none);
	putenv(host);
	putenv(port);
	putenv(path);
	putenv(note);
	putenv(bytes);
	putenv(long_value);
	return 0;
}

/* Without the origins, which tell of lines. */
static char *
print(const struct config *config, size_t *size)
{
	char *text = NULL, *out, *in;
	FILE *file = open_memstream(&text, size);

	assert(file != NULL);
	config_print(file, config, 0);
	fclose(file);
	for (in = out = text; *in != '\0'; in++) {
		if (strncmp(in, " ; ", 3) == 0)
			in += strcspn(in, "\n");
		*out++ = *in;
	}
	*out = '\0';
	*size = (size_t)(out - text);
	return text;
}

static struct config *
load(const char *text, size_t size)
{
	struct config_errors errors;
	struct config *config = config_load_text("f", text, size, &errors);

	assert((config == NULL) == (errors.count > 0));
	for (size_t i = 0; i < errors.count; i++) {
		assert(strncmp(errors.lines[i], "f:", 2) == 0);
		assert(strchr(errors.lines[i], '\n') == NULL);
	}
	config_errors_free(&errors);
	return config;
}

static void
check_values(const struct config *config)
{
	assert(config->nlisteners > 0);
	for (size_t i = 0; i < config->nlisteners; i++) {
		assert(config->listeners[i].nbinds > 0);
		assert(config->listeners[i].upstream != NULL);
		assert(config->listeners[i].index == i);
	}
	for (size_t i = 0; i < config->nupstreams; i++) {
		const struct upstream_conf *upstream = &config->upstreams[i];

		assert(upstream->nservers > 0);
		for (size_t j = 0; j < upstream->nservers; j++) {
			const struct server_conf *s = &upstream->servers[j];

			assert((s->host != NULL) == (s->addr.len == 0));
			assert(s->weight >= 1 && s->weight <= 1000);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = load((const char *)data, size);
	char *first, *second;
	size_t len;

	if (config == NULL)
		return 0;
	check_values(config);
	first = print(config, &len);
	config_free(config);
	config = load(first, len);
	assert(config != NULL);
	second = print(config, &len);
	assert(strcmp(first, second) == 0);
	free(first);
	free(second);
	config_free(config);
	return 0;
}
