#include "build.h"
#include "file.h"
#include "include.h"
#include "reader.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INCLUDED_FILES 1000

/* What config_free() needs besides what everybody sees. */
struct owned {
	struct config config; /* first, so that its address is ours */
	struct arena  arena;
};

/* A file that was read, whatever its name. */
struct file {
	dev_t	      device;
	ino_t	      inode;
	struct origin origin; /* of the include; of the first file: line 0 */
};

/* One load, from its source to a configuration or errors. */
struct load {
	struct owned   *owned;
	struct arena	arena; /* of the document and the report */
	struct report	report;
	struct document doc;
	struct file    *files;
	size_t		nfiles;
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

/* Any line may have been in what could not be read. */
static void
load_unsure(struct load *load)
{
	load->doc.unsure = load->doc.lost = true;
}

static void
load_read(struct load *load, unsigned file, reader_source *source,
    void *context)
{
	size_t before = load->report.count;
	struct reader reader;

	reader_init(&reader, source, context, &load->report, file);
	document_parse(&load->doc, &reader);
	if (reader.bytes == 0 && load->report.count == before) {
		report(&load->report, origin_line(file, 0), "is empty");
		load_unsure(load);
	}
	reader_done(&reader);
}

static void
load_names(struct load *load)
{
	const struct report *report = &load->report;
	struct owned *owned = load->owned;
	struct config *config = &owned->config;

	config->files = arena_alloc(&owned->arena,
	    (report->nothers + 1) * sizeof(*config->files));
	for (unsigned i = 0; config->files != NULL && i <= report->nothers;
	     i++) {
		const char *name = report_file(report, i);

		config->files[i] = arena_text(&owned->arena, name,
		    strlen(name));
	}
	config->nfiles = report->nothers + 1;
	if (!owned->arena.failed)
		config->path = config->files[0];
}

static void
load_values(struct load *load, const char *path)
{
	struct owned *owned = load->owned;
	struct config *config = &owned->config;

	if (path != NULL)
		load_names(load);
	config_build(config, &owned->arena, &load->doc);
	if (!owned->arena.failed)
		config_access(config, &owned->arena, &load->doc);
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
	if (report_finish(&load->report, errors) && load->report.wrong == 0)
		config = &load->owned->config;
	else if (load->owned != NULL)
		config_free(&load->owned->config);
	arena_done(&load->arena);
	return config;
}

static void
load_remember(struct load *load, const struct stat *st, struct origin origin)
{
	struct file *files = arena_grow(&load->arena, load->files,
	    load->nfiles, sizeof(*files));

	if (files == NULL)
		return;
	files[load->nfiles] = (struct file){ st->st_dev, st->st_ino, origin };
	load->files = files;
	load->nfiles++;
}

static void
load_file(struct load *load, const char *path)
{
	struct origin whole = origin_line(0, 0);
	int fd = file_open(path);
	struct stat st;
	char why[FILE_WHY];
	const char *wrong = file_wrong(fd, &st, why);

	if (wrong != NULL) {
		load_unsure(load);
		report(&load->report, whole, "%s", wrong);
	} else {
		load_remember(load, &st, whole);
		load_read(load, 0, file_source, &fd);
	}
	if (fd >= 0)
		close(fd);
}

/* --- include */

/* Reports a file that was read before; a pattern easily matches the file that
 * it stands in. */
static bool
load_knows(struct load *load, struct origin here, const char *path,
    const struct stat *st)
{
	char place[ORIGIN_TEXT];
	size_t i = 0;

	while (i < load->nfiles && (load->files[i].device != st->st_dev ||
	    load->files[i].inode != st->st_ino))
		i++;
	if (i == load->nfiles)
		return false;
	if (i == 0)
		report(&load->report, here, "include '%s': is this file itself",
		    path);
	else
		report(&load->report, here, "include '%s': is included "
		    "already, at %s", path, origin_text(&load->report, here,
		    load->files[i].origin, place));
	return true;
}

static bool
load_may_include(struct load *load, struct origin here, const char *path,
    int fd, struct stat *st)
{
	char why[FILE_WHY];
	const char *wrong = file_wrong(fd, st, why);

	if (load->report.nothers == INCLUDED_FILES)
		report(&load->report, here, "include '%s': %d files are "
		    "included before it, and more are not possible", path,
		    INCLUDED_FILES);
	else if (wrong != NULL)
		report(&load->report, here, "include '%s': %s", path, wrong);
	else
		return !load_knows(load, here, path, st);
	return false;
}

static void
load_included(struct load *load, struct origin here, const char *path)
{
	int fd = file_open(path);
	struct stat st;
	unsigned file;

	if (load_may_include(load, here, path, fd, &st)) {
		load_remember(load, &st, here);
		file = report_add_file(&load->report, path);
		if (file > 0)
			load_read(load, file, file_source, &fd);
	} else {
		load_unsure(load);
	}
	if (fd >= 0)
		close(fd);
}

/* What is empty or in quotes is reported with the other values. */
static void
load_include(struct load *load, const char *from, const struct entry *entry)
{
	const char *glob = entry->value, **files;

	if (*glob == '\0' || *glob == '"' || *glob == '\'')
		return;
	if (from == NULL) {
		report(&load->report, entry->origin, "include is for files");
		load_unsure(load);
	} else if (entry->origin.file > 0) {
		report(&load->report, entry->origin, "include may stand in "
		    "'%s' only, not in a file that it includes", from);
		load_unsure(load);
	} else {
		files = include_files(&load->report, entry->origin, from, glob);
		if (files == NULL)
			load_unsure(load);
		for (; files != NULL && *files != NULL; files++)
			load_included(load, entry->origin, *files);
	}
}

/* The files are read behind the one that includes them; their lines come
 * behind its own, also those of [global], so that this sees them. */
static void
load_includes(struct load *load, const char *from)
{
	const struct section *global = document_find(&load->doc,
	    SECTION_GLOBAL, "");

	if (global == NULL)
		return;
	for (struct entry *e = global->entries; e != NULL; e = e->next) {
		if (strcmp(e->key, "include") == 0)
			load_include(load, from, e);
	}
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
	load_includes(&load, source->path);
	arguments_add_forwards(&load.doc, source->forwards);
	arguments_add_sets(&load.doc, source->sets);
	return load_finish(&load, source->path, errors);
}

/* Errors elsewhere are in the way of nothing. */
struct config *
config_load_global(const char *path, const char *key,
    struct config_errors *errors)
{
	const struct config_source source = { .path = path };
	struct config *config = NULL;
	struct load load;

	*errors = (struct config_errors){ 0 };
	load_init(&load, path, &source);
	load.doc.sought = key;
	load_file(&load, path);
	load_includes(&load, path);
	if (!load.arena.failed)
		config_build_global(&load.owned->config, &load.owned->arena,
		    &load.doc);
	if (report_finish(&load.report, errors) && !load.owned->arena.failed &&
	    document_knows(&load.doc))
		config = &load.owned->config;
	else if (load.owned != NULL)
		config_free(&load.owned->config);
	arena_done(&load.arena);
	return config;
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
	load.doc.alone = true;
	load_read(&load, 0, source_text, &text);
	load_includes(&load, NULL);
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
