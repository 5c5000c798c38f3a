#include "bound.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/sock.h"

struct bound_path {
	const struct addr *addr; /* not ours */
	dev_t		   dev;
	ino_t		   ino;
};

int
bound_add(struct bound *b, const struct addr *addr)
{
	struct bound_path *paths;
	struct stat st;

	if (addr->un.sun_path[0] == '\0' ||
	    lstat(addr->un.sun_path, &st) < 0)
		return 0;
	paths = realloc(b->paths, (b->count + 1) * sizeof(*paths));
	if (paths == NULL)
		return -ENOMEM;
	paths[b->count++] = (struct bound_path){ addr, st.st_dev, st.st_ino };
	b->paths = paths;
	return 0;
}

/* Who listens there has made it anew, and was given our number: they are used
 * again. */
static void
bound_unlink(const struct bound_path *bound)
{
	const char *path = bound->addr->un.sun_path;
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_dev == bound->dev &&
	    st.st_ino == bound->ino &&
	    sock_unlink_stale(bound->addr) == -EACCES)
		unlink(path);
}

void
bound_remove(struct bound *b)
{
	for (size_t i = 0; i < b->count; i++)
		bound_unlink(&b->paths[i]);
	free(b->paths);
	*b = (struct bound){ 0 };
}
