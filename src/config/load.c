#include "build.h"
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What config_free() needs besides what everybody sees. */
struct owned {
	struct config config; /* first, so that its address is ours */
	struct arena  arena;
};

/* One load, from its source to a configuration or errors. */
struct load {
	struct owned   *owned;
	struct arena	arena; /* of the document and the report */
	struct report	report;
	struct document doc;
};

static void
load_init(struct load *load, const char *name,
    const struct config_source *source)
{
	memset(load, 0, sizeof(*load));
	load->report = (struct report){
		.name = name,
		.source = source,
		.arena = &load->arena,
	};
	document_init(&load->doc, &load->arena, &load->report);
	load->owned = calloc(1, sizeof(*load->owned));
	if (load->owned == NULL)
		load->arena.failed = true;
}

static void
load_read(struct load *load, reader_source *source, void *context)
{
	struct reader reader;

	reader_init(&reader, source, context, &load->report);
	document_parse(&load->doc, &reader);
	if (reader.bytes == 0 && load->report.count == 0) {
		report(&load->report, origin_line(0), "is empty");
		load->doc.unsure = true;
	}
	reader_done(&reader);
}

static void
load_values(struct load *load, const char *path)
{
	struct owned *owned = load->owned;
	struct config *config = &owned->config;

	if (path != NULL)
		config->path = arena_text(&owned->arena, path, strlen(path));
	config_build(config, &owned->arena, &load->doc);
	if (!owned->arena.failed)
		config_check(config, &owned->arena, &load->doc);
	if (owned->arena.failed)
		load->arena.failed = true;
}

static struct config *
load_finish(struct load *load, const char *path, struct config_errors *errors)
{
	struct config *config = NULL;

	if (!load->arena.failed)
		load_values(load, path);
	if (!load->arena.failed && load->report.count == 0) {
		config = &load->owned->config;
	} else {
		report_finish(&load->report, errors);
		if (load->owned != NULL)
			config_free(&load->owned->config);
	}
	arena_done(&load->arena);
	return config;
}

static ssize_t
source_file(void *context, char *bytes, size_t size)
{
	const int *fd = context;
	ssize_t got;

	do
		got = read(*fd, bytes, size);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

/* Opening a FIFO must not wait for a writer, nor a terminal become ours. */
static int
file_open(const char *path)
{
	return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static void
load_file(struct load *load, const char *path)
{
	struct origin whole = origin_line(0);
	int fd = file_open(path);
	struct stat st;

	load->doc.unsure = true;
	if (fd < 0) {
		report(&load->report, whole, "cannot open: %s",
		    strerror(errno));
		return;
	}
	if (fstat(fd, &st) < 0)
		report(&load->report, whole, "%s", strerror(errno));
	else if (S_ISDIR(st.st_mode))
		report(&load->report, whole, "is a directory, not a file");
	else if (!S_ISREG(st.st_mode))
		report(&load->report, whole, "is not a regular file");
	else {
		load->doc.unsure = false;
		load_read(load, source_file, &fd);
	}
	close(fd);
}

struct config *
config_load(const struct config_source *source, struct config_errors *errors)
{
	const char *name = source->path != NULL ? source->path : "sluice";
	struct load load;

	*errors = (struct config_errors){ 0 };
	load_init(&load, name, source);
	if (source->path != NULL)
		load_file(&load, source->path);
	arguments_add_forwards(&load.doc, source->forwards);
	arguments_add_sets(&load.doc, source->sets);
	return load_finish(&load, source->path, errors);
}

struct text {
	const char *next;
	size_t	    left;
};

static ssize_t
source_text(void *context, char *bytes, size_t size)
{
	struct text *text = context;
	size_t take = text->left < size ? text->left : size;

	memcpy(bytes, text->next, take);
	text->next += take;
	text->left -= take;
	return (ssize_t)take;
}

struct config *
config_load_text(const char *name, const char *bytes, size_t len,
    struct config_errors *errors)
{
	struct config_source none = { 0 };
	struct text text = { bytes, len };
	struct load load;

	*errors = (struct config_errors){ 0 };
	load_init(&load, name, &none);
	load_read(&load, source_text, &text);
	return load_finish(&load, name, errors);
}

void
config_free(struct config *config)
{
	struct owned *owned = (struct owned *)config;

	if (owned == NULL)
		return;
	arena_done(&owned->arena);
	free(owned);
}
