#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "host.h"

#define EXIT_START_FAILED 3

/* The child's exit code, if it ended without a word. */
static int
daemon_code(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_START_FAILED;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	log_error(0, "ended by signal %d while starting", WTERMSIG(status));
	return EXIT_START_FAILED;
}

/* The child has one byte to say, or ends. */
static int
daemon_wait(pid_t child, int fd)
{
	ssize_t n;
	char byte;

	do
		n = read(fd, &byte, sizeof(byte));
	while (n < 0 && errno == EINTR);
	close(fd);
	return n > 0 ? 0 : daemon_code(child);
}

bool
daemon_fork(int *ready_fd, int *code)
{
	int fds[2];
	pid_t child;

	*code = EXIT_START_FAILED;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		log_error(-errno, "cannot go into the background");
		return false;
	}
	child = fork();
	if (child == 0) {
		close(fds[0]);
		setsid();
		*ready_fd = fds[1];
		return true;
	}
	close(fds[1]);
	if (child < 0) {
		log_error(-errno, "cannot go into the background");
		close(fds[0]);
	} else {
		*code = daemon_wait(child, fds[0]);
	}
	return false;
}

void
daemon_ready(int ready_fd, bool keep_stderr)
{
	int null = host_open_nothing();
	int last = keep_stderr ? STDOUT_FILENO : STDERR_FILENO;
	ssize_t n;

	for (int fd = STDIN_FILENO; null >= 0 && fd <= last; fd++)
		dup2(null, fd);
	if (null >= 0)
		close(null);
	do
		n = write(ready_fd, "", 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		log_debug("nobody waits for the start");
	close(ready_fd);
}
