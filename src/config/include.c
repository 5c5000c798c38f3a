#include "include.h"

#include "base/str.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#define WILD "*?["

/* The folder of a file, with its slash; behind it goes what is relative. */
static size_t
folder_len(const char *from, const char *path)
{
	const char *slash = strrchr(from, '/');

	return *path == '/' || slash == NULL ? 0 : (size_t)(slash - from) + 1;
}

/* The path behind its folder, of which no byte is to be wild. */
static char *
path_join(struct arena *arena, const char *from, const char *path, bool quote)
{
	size_t folder = folder_len(from, path), len = 0;
	char *joined = arena_alloc(arena, 2 * folder + strlen(path) + 1);

	if (joined == NULL)
		return NULL;
	for (size_t i = 0; i < folder; i++) {
		if (quote && strchr(WILD "\\", from[i]) != NULL)
			joined[len++] = '\\';
		joined[len++] = from[i];
	}
	strcpy(joined + len, path);
	return joined;
}

/* A folder that is not there matches nothing; one that cannot be read might. */
static int
folder_wrong(const char *path, int error)
{
	(void)path;
	return error != ENOENT && error != ENOTDIR;
}

static int
path_compare(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

/* Messages and -T name the files. */
static bool
paths_are_text(char *const *paths, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!str_is_text(paths[i], strlen(paths[i])))
			return false;
	}
	return true;
}

static const char **
paths_copy(struct arena *arena, char **paths, size_t count)
{
	const char **copy = arena_alloc(arena, (count + 1) * sizeof(*copy));

	if (count > 0)
		qsort(paths, count, sizeof(*paths), path_compare);
	for (size_t i = 0; copy != NULL && i < count; i++) {
		copy[i] = arena_text(arena, paths[i], strlen(paths[i]));
		if (copy[i] == NULL)
			return NULL;
	}
	return copy;
}

static const char **
paths_match(struct report *report_to, struct origin origin,
    const char *pattern, const char *shown)
{
	const char **paths = NULL;
	glob_t found = { 0 };
	int result;

	errno = 0;
	result = glob(pattern, GLOB_NOSORT, folder_wrong, &found);
	if (result == GLOB_NOSPACE)
		report_to->arena->failed = true;
	else if (result == GLOB_ABORTED)
		report(report_to, origin, "include '%s': cannot read the "
		    "folder: %s", shown, strerror(errno));
	else if (!paths_are_text(found.gl_pathv, found.gl_pathc))
		report(report_to, origin, "include '%s': a file's name "
		    "contains a control character or bytes that are not UTF-8",
		    shown);
	else
		paths = paths_copy(report_to->arena, found.gl_pathv,
		    found.gl_pathc);
	globfree(&found);
	return paths;
}

char *
include_path(struct arena *arena, const char *from, const char *path)
{
	return path_join(arena, from, path, false);
}

const char **
include_files(struct report *report, struct origin origin, const char *from,
    const char *glob)
{
	bool wild = strpbrk(glob, WILD) != NULL;
	char *path = path_join(report->arena, from, glob, wild);

	if (path == NULL)
		return NULL;
	return wild ? paths_match(report, origin, path, glob) :
	    paths_copy(report->arena, &path, 1);
}
