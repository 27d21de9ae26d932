/* What the files of the stub share. Nobody outside gdbstub/ (and its tests) includes this. */
#ifndef SANDREC_STUB_INT_H
#define SANDREC_STUB_INT_H

#include "gdbstub/packet.h"
#include "gdbstub/regs.h"
#include "gdbstub/stub.h"

#define STUB_FILES 16
#define STUB_THREADS 4096

struct stub {
	struct debug_target *t;
	int in, out;

	struct packet_in packet;
	struct packet_out reply;
	unsigned char buf[4096];   /* read and not looked at yet */
	size_t at, have;
	bool answered;             /* the packet at hand needs no (further) reply */

	struct stub_regs regs;
	char *xml;
	char *threads_xml, *libraries_xml; /* as they were when their reading began */
	bool extended, multiprocess, swbreak, hwbreak;
	pid_t general, cont;       /* Hg, Hc: 0 = any */
	bool elsewhere;            /* Hg named a process that is not ours: a child that gdb has been told of */
	bool vfork_done;           /* is what the next stop says: the parent goes on at once, in a recording */
	struct debug_wishes wishes;
	struct debug_regs thread_regs; /* of one thread, while a packet is handled */

	pid_t listed[STUB_THREADS]; /* for qsThreadInfo */
	int nlisted, next_listed;
	int file[STUB_FILES];       /* vFile; -1: free */
	bool over;
	bool detached;              /* it has taken its leave, and may still close its files, or start the program again */
	enum stub_end end;
};

/* stub.c */
void stub_handle(struct stub *s, const char *data, size_t len); /* one packet; the reply is sent */
void stub_init(struct stub *s, struct debug_target *t, int in, int out);
void stub_free(struct stub *s);
/* Sends the reply begun, and waits for its acknowledgement when there are any. */
void stub_send(struct stub *s);
void stub_ok(struct stub *s);
void stub_error(struct stub *s, int negative_errno);
bool stub_interrupted(void *stub); /* input while the program runs */

/* "pPID.TID", "TID", "-1", "0". *pid is 0 when not said; -1: all. */
bool stub_thread_id(const char **at, pid_t *pid, pid_t *tid);
void stub_put_thread(struct stub *s, pid_t tid);
pid_t stub_thread(struct stub *s); /* the one that register packets mean */

/* The packets, by their first letters; false: not known, the empty reply. They fill s->reply. */
bool stub_query(struct stub *s, const char *p);                 /* q and Q: query.c */
bool stub_state(struct stub *s, const char *p, size_t len);     /* registers, memory, breakpoints: state.c */
bool stub_control(struct stub *s, const char *p);               /* running and stops: control.c */
bool stub_file(struct stub *s, const char *p, size_t len);      /* vFile: vfile.c */
void stub_put_stop(struct stub *s, const struct debug_stop *stop); /* control.c */
char *stub_libraries_xml(struct stub *s); /* libraries.c; to be freed, NULL: no memory */

#endif
