/* The last line of a daemon that crashes: which signal, where, in which thread
 * and of which build.  Then the signal does what it does without us: a core. */
#ifndef SLUICE_BASE_CRASH_H
#define SLUICE_BASE_CRASH_H

/* How the log has its lines. */
enum crash_form {
	CRASH_PLAIN,  /* as people read them */
	CRASH_LOGFMT, /* with the time */
	CRASH_JSON,
	CRASH_SYSLOG, /* a datagram for the system's logger */
};

/* Handles SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT from now on; not in a
 * build with sanitizers, which have handlers of their own.  'build' says which
 * version this is, and is kept. */
void crash_open(const char *build);

/* The line goes to stderr, and here, too, unless this is stderr.  The
 * descriptor may be closed before the next call: a crash between the two goes
 * to stderr alone, or to what has the number then. */
void crash_set_log(int fd, enum crash_form);

#endif
