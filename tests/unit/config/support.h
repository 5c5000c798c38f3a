/* What the tests of this layer share: a text in, a configuration or the errors
 * as one text out. */
#ifndef TESTS_CONFIG_SUPPORT_H
#define TESTS_CONFIG_SUPPORT_H

#include "config/config.h"
#include "config/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* A listener and an upstream on the lines behind what is tried out, so that
 * nothing else is missing. */
#define REST "\n[listener]\nbind = :1\n[upstream]\nhost = h\nport = 1\n"

/* The errors, each with a newline; the caller's to free. */
static inline char *
errors_text(const struct config_errors *errors)
{
	size_t size = 1;
	char *text;

	for (size_t i = 0; i < errors->count; i++)
		size += strlen(errors->lines[i]) + 1;
	text = calloc(1, size);
	assert_non_null(text);
	for (size_t i = 0; i < errors->count; i++) {
		strcat(text, errors->lines[i]);
		strcat(text, "\n");
	}
	return text;
}

static inline void
assert_source_errors(const struct config_source *source, const char *expected)
{
	struct config_errors errors;
	struct config *config = config_load(source, &errors);
	char *text = errors_text(&errors);

	config_free(config);
	config_errors_free(&errors);
	assert_string_equal(text, expected);
	assert_true((config == NULL) == (*expected != '\0'));
	free(text);
}

/* All errors of a file, in their order; "t" stands for its name. */
static inline void
assert_bytes_errors(const char *bytes, size_t len, const char *expected)
{
	struct config_errors errors;
	struct config *config = config_load_text("t", bytes, len, &errors);
	char *text = errors_text(&errors);

	config_free(config);
	config_errors_free(&errors);
	assert_string_equal(text, expected);
	assert_true((config == NULL) == (*expected != '\0'));
	free(text);
}

static inline void
assert_errors(const char *text, const char *expected)
{
	assert_bytes_errors(text, strlen(text), expected);
}

/* The configuration of a text that is right. */
static inline struct config *
load_right(const char *text)
{
	struct config_errors errors;
	struct config *config = config_load_text("t", text, strlen(text),
	    &errors);
	char *wrong = errors_text(&errors);

	assert_string_equal(wrong, "");
	assert_non_null(config);
	config_errors_free(&errors);
	free(wrong);
	return config;
}

/* A line in the section of its option; what is wrong with it, or "". */
static inline void
assert_line(const char *section, const char *line, const char *expected)
{
	char text[1024], errors[512] = "";
	bool listener = strcmp(section, "listener") == 0;
	bool upstream = strcmp(section, "upstream") == 0;

	snprintf(text, sizeof(text), "[%s]\n%s\n%s%s", section, line,
	    listener || strncmp(line, "server", 6) == 0 ? "" :
	    upstream ? "host = h\nport = 1\n" : "",
	    !listener || strncmp(line, "bind", 4) == 0 ? "" :
	    strncmp(line, "socket_", 7) == 0 ? "bind = unix:/s\n" :
	    strncmp(line, "accept_proxy_from", 17) == 0 ?
	    "bind = :1\naccept_proxy = require\n" : "bind = :1\n");
	if (!listener)
		strcat(text, "[listener]\nbind = :1\n");
	if (!upstream)
		strcat(text, "[upstream]\nhost = h\nport = 1\n");
	if (*expected != '\0')
		snprintf(errors, sizeof(errors), "t:2: %s\n", expected);
	assert_errors(text, errors);
}

#endif
