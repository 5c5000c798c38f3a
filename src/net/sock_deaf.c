/* Sockets that listen and are to hear of nobody new, while those who have begun to
 * connect still come. */
#include "sock-internal.h"

#include <limits.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>

/* A socket filter sees a segment from its TCP header on; byte 13 has the flags
 * (RFC 9293 section 3.1), and what opens a connection has SYN without ACK. */
#define TCP_FLAGS_AT 13
#define TCP_SYN_ACK  0x12
#define TCP_SYN_ONLY 0x02
#define WHOLE_SEGMENT 0xffffffff

bool
sock_deafen(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_AT),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TCP_SYN_ACK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TCP_SYN_ONLY, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, WHOLE_SEGMENT),
	};
	const struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]), .filter = code };

	return !sock_is_unix(fd) && setsockopt(fd, SOL_SOCKET,
	    SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

void
sock_undeafen(int fd)
{
	sock_set(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
}

/* No interface has that index, so what comes in finds the socket no more.  Who
 * has begun to connect is not looked up among those that listen, and is bound to
 * what the socket was bound to when his first segment came (ir_iif in struct
 * inet_request_sock).  From Linux 5.7 on anybody may do that to a socket that is
 * not bound to an interface yet. */
bool
sock_hide(int fd)
{
	return !sock_is_unix(fd) && sock_set(fd, SOL_SOCKET, SO_BINDTOIFINDEX,
	    INT_MAX) == 0;
}

bool
sock_is_hidden(int fd)
{
	socklen_t len = sizeof(int);
	int index = 0;

	getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, &len);
	return index == INT_MAX;
}

/* The group stays what it is; but the kernel chooses from it only where the
 * socket that it comes upon first says so (inet_lookup_reuseport()). */
void
sock_stand_alone(int fd, bool alone)
{
	if (!sock_is_unix(fd))
		sock_set(fd, SOL_SOCKET, SO_REUSEPORT, !alone);
}
