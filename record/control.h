/*
 * What guest processes and the supervisor tell each other: one pair of SOCK_SEQPACKET sockets per recording. All guest
 * processes share one end, inherited by fork and handed over by exec, so neither their credentials nor their root
 * directory, namespaces or sandbox stand between them and the trace.
 *
 * Towards the supervisor go control_message's. Towards the guests go rings, made ahead of time: a process that is about
 * to have a child takes the next one from the socket, whichever process that is. Each ring's number is that of the child
 * in this recording (from 1, the program that was started), which names its stream: pids may be used twice.
 *
 * All functions return 0 or a negative errno unless said otherwise; a connection whose other end is gone is -EPIPE. They
 * are not interrupted by signals.
 */
#ifndef SANDREC_CONTROL_H
#define SANDREC_CONTROL_H

#include <sys/types.h>

#include "trace/files.h"

enum control_type {
	CONTROL_WANT = 1, /* there is no ring to take: one more */
	CONTROL_BORN,     /* with number, parent, comm, by the new process itself */
	CONTROL_PROGRAM,  /* number, comm */
	CONTROL_ENDED,    /* number, status; perhaps with the descriptor of its virtual machine, as CONTROL_VM */
	CONTROL_VM,       /* number; with the descriptor of the virtual machine that it is about to leave */
	CONTROL_STORE     /* with two descriptors: a file, and a socket for the answer, struct control_stored */
};

struct control_message {
	int32_t type, number, parent, status; /* parent: its number */
	char comm[16];
};

struct control_ring { /* with the ring's descriptor, unless error (a negative errno) */
	int32_t number, error;
};

struct control_stored {
	int32_t error;
	struct file_ref ref;
};

#define CONTROL_FDS 2

int control_create(int *supervisor, int *guests); /* both close-on-exec */

int control_send(int fd, const void *message, size_t len, const int *fds, unsigned nfds);

/*
 * Waits for a message of len bytes. fds (CONTROL_FDS of them) get the descriptors that came with it, -1 for the others.
 * sender: the sender's pid as this process sees it, or 0; only at the supervisor's end. NULL: not wanted. 1: a message; 0:
 * nobody is there any more.
 */
int control_receive(int fd, void *message, size_t len, int fds[CONTROL_FDS], pid_t *sender);

/*
 * Guest side: a message with the virtual machine that this process leaves by its end or by exec. Who closes the last
 * descriptor of a machine waits for KVM, some 100 us on a quiet host, many milliseconds on a busy one: not the process, for
 * whose end its parent waits, but the supervisor. Without effect on the message when the descriptor cannot be sent.
 */
int control_leave_vm(int control, const struct control_message *m, int vm_fd);

/* Guest side. The number of the next ring (> 0) and its descriptor, hidden; or why there is none. */
int control_take_ring(int control, int *ring_fd);

/* Guest side: the supervisor stores the present content of fd. Its errors are those of files_add(). */
int control_store(int control, int fd, struct file_ref *ref);

#endif
