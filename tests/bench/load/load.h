/* What the files of the load generator share; main.c says what it does. */
#ifndef LOAD_H
#define LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/epoll.h>
#include <sys/types.h>

#define CHUNK_MAX (1 << 20)

struct load;

/* --- stream.c: the bytes of one direction of a connection.
 *
 * All are a part of one pattern, which repeats after a length that no buffer
 * has; so a byte that is missing, doubled or misplaced is seen.  Each begins
 * somewhere else, and its first four bytes say where, so that bytes of another
 * connection are seen as well. */

enum { STREAM_HEAD = 4 };

struct stream {
	uint64_t at;	/* bytes so far */
	uint32_t phase; /* where in the pattern it began */
};

enum look { LOOK_AT_SPOTS, LOOK_AT_ALL };

/* One connection, of either side. */
struct peer {
	int	      fd; /* -1: none */
	bool	      eof, ready, under_way;
	struct stream in, out;
	uint64_t      goal;	  /* how many bytes are to be sent so far */
	uint64_t      asked, due; /* ns: this request, 0: none; the next */
};

void stream_init(void);
void stream_begin(struct stream *, uint64_t number);

/* One send(2).  Returns what that returns. */
ssize_t peer_send_some(struct peer *, size_t most);

/* Sends until all of the goal is gone, or no more goes.  Returns false on an
 * error. */
bool peer_send(struct peer *);

/* Reads what is there and compares all of it, or 4 KiB of each MiB.  Returns
 * false on an error; EBADMSG is a wrong byte. */
bool peer_receive(struct peer *, enum look, uint32_t events);

/* --- histogram.c: how long requests took, to 1.6 %. */

struct histogram {
	uint64_t count[64][64], total, max;
};

void	 histogram_add(struct histogram *, uint64_t ns);
uint64_t histogram_part(const struct histogram *, double part);

/* --- client.c, server.c: what is done with connections. */

struct role {
	const char *name;
	bool	    serves;
	size_t	    size, peers; /* unless the arguments say otherwise */
	uint32_t    events;	 /* that a peer's socket is asked for */
	void	    (*event)(struct load *, struct peer *, uint32_t);
	/* clients: is connected; the time begins; it is over */
	void	    (*open)(struct load *, struct peer *);
	void	    (*begin)(struct load *, struct peer *);
	void	    (*end)(struct load *, struct peer *);
};

extern const struct role CLIENTS[], SERVERS[];

struct load {
	const struct role *role;
	struct sockaddr_in addr;
	size_t		   size;
	const char	  *congestion; /* control that is wanted, or NULL */
	char		   controlled[16]; /* that of the first connection */
	bool		   waits;      /* for a line of stdin */
	enum look	   look;
	uint64_t	   count;   /* clients: how many may still begin */
	uint64_t	   open;    /* connections that are under way */
	uint64_t	   begun, ready;
	uint64_t	   started, until, ms; /* the first two in ns */
	uint64_t	   pace, due; /* ns from a request to the next, or 0 */
	uint64_t	   turn;      /* whose request is next */
	bool		   ending;
	int		   epoll;
	struct peer	   listener, input, timer;
	struct peer	  *peers;
	size_t		   npeers;
	struct histogram   latency;
	uint64_t	   done, failed, wrong, bytes;
	double		   cpu; /* seconds of ours before it began */
	int		   error; /* errno of the first that failed */
};

void client_begin(struct load *);
void client_end(struct load *);
bool client_open_next(struct load *); /* false: all are */
void client_pace(struct load *);
void server_open(struct load *);
void server_accept(struct load *);
void server_report(struct load *);

/* --- loop.c */

void   load_run(struct load *);
void   load_watch(struct load *, struct peer *, int how, uint32_t events);
double load_cpu(void); /* seconds that we used */
void   socket_prepare(const struct load *, int fd);
void   congestion_note(struct load *, int fd);

uint64_t      now_ns(void);
noreturn void die(const char *what);

#endif
