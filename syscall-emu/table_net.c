/* Rows: sockets. */
#include <stddef.h>
#include <sys/socket.h>

#include "syscall-emu/fd.h"
#include "syscall-emu/names_sets.h"
#include "syscall-emu/plan.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/variants.h"

_Static_assert(sizeof(struct msghdr) == 56 && sizeof(struct mmsghdr) == 64, "the kernel's layout");

/* recvmsg refuses more pieces than it can take with an error of its own. */
static int64_t len_msg_iovec(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
			     int64_t ret)
{
	const struct msghdr *h = (const struct msghdr *)(uintptr_t)parent;

	(void)t, (void)p, (void)m, (void)ret;
	return h->msg_iovlen > KERNEL_IOV_MAX ? -EMSGSIZE : (int64_t)(h->msg_iovlen * sizeof(struct iovec));
}

/* Both mmsg calls look at the first UIO_MAXIOV messages only. */
static int64_t len_messages(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
			    int64_t ret)
{
	uint32_t n = (uint32_t)p->arg[2];

	(void)t, (void)m, (void)parent, (void)ret;
	return (int64_t)(n < KERNEL_IOV_MAX ? n : KERNEL_IOV_MAX) * (int64_t)sizeof(struct mmsghdr);
}

#define MSG_FIELD(f) FIELD(struct msghdr, f)
#define NAME_AND_CONTROL(d) \
	{ .dir = (d), .off = offsetof(struct msghdr, msg_name), .cap = MSG_FIELD(msg_namelen), \
	  .got = MSG_FIELD(msg_namelen) }, \
	{ .dir = (d), .off = offsetof(struct msghdr, msg_control), .cap = MSG_FIELD(msg_controllen), \
	  .got = MSG_FIELD(msg_controllen) }
#define MSG_PIECES(d, moved) \
	{ .dir = MEM_IN, .flags = MEM_ARRAY | MEM_BUDGET, .off = offsetof(struct msghdr, msg_iov), .elem = 16, \
	  .cap = LENFN(len_msg_iovec), .got = moved, .sub = IOV_PIECES(d) }
#define SENT_NAME_AND_CONTROL \
	{ .dir = MEM_IN, .off = offsetof(struct msghdr, msg_name), .cap = MSG_FIELD(msg_namelen) }, \
	{ .dir = MEM_IN, .off = offsetof(struct msghdr, msg_control), .cap = MSG_FIELD(msg_controllen) }

static const struct sys_mem received[] = { NAME_AND_CONTROL(MEM_OUT), MSG_PIECES(MEM_OUT, RETVAL), { .dir = 0 } };
static const struct sys_mem received_many[] = {
	NAME_AND_CONTROL(MEM_OUT), MSG_PIECES(MEM_OUT, FIELD(struct mmsghdr, msg_len)), { .dir = 0 }
};
static const struct sys_mem sent[] = { SENT_NAME_AND_CONTROL, MSG_PIECES(MEM_IN, RETVAL), { .dir = 0 } };
static const struct sys_mem sent_many[] = {
	SENT_NAME_AND_CONTROL, MSG_PIECES(MEM_IN, FIELD(struct mmsghdr, msg_len)), { .dir = 0 }
};

/* An address and its length, as accept and getsockname have them: filled up to what fits. */
#define SOCKADDR_OUT(a, l) OUTG(a, DEREF(l, SOCKLEN), DEREF(l, SOCKLEN)), INOUT(l, SZ(SOCKLEN))
#define NONBLOCKING(a) .block = BLOCK_FD, .nb_arg = (a), .nb_mask = MSG_DONTWAIT

const struct sys_desc sys_rows_net[] = {
	{ CALL(socket), .serve = SERVE_ANY, .nargs = 3, .arg = { A_ENUM, A_FLAGS, A_INT }, .ret = RET_FD,
	  .names = { [0] = &names_socket_family, [1] = &names_socket_type } },
	{ CALL(socketpair), .serve = SERVE_ANY, .nargs = 4, .arg = { A_ENUM, A_FLAGS, A_INT, A_PTR }, ZERO, .mem = MEM(OUT(3, SZ(8))),
	  .names = { [0] = &names_socket_family, [1] = &names_socket_type } },
	{ CALL(bind), .serve = SERVE_ANY, .nargs = 3, .arg = { A_FD, A_PTR, A_INT }, ZERO, .mem = MEM(IN(1, ARG(2))) },
	{ CALL(connect), .serve = SERVE_FD, .nargs = 3, .arg = { A_FD, A_PTR, A_INT }, ZERO, .block = BLOCK_FD,
	  .mem = MEM(IN(1, ARG(2))) },
	{ CALL(listen), .serve = SERVE_ANY, .nargs = 2, .arg = { A_FD, A_INT }, ZERO },
	{ CALL(accept), .serve = SERVE_FD, .nargs = 3, .arg = { A_FD, A_PTR, A_PTR }, .ret = RET_FD, .block = BLOCK_FD,
	  .mem = MEM(SOCKADDR_OUT(1, 2)) },
	{ CALL(accept4), .serve = SERVE_FD, .nargs = 4, .arg = { A_FD, A_PTR, A_PTR, A_FLAGS }, .ret = RET_FD, .block = BLOCK_FD,
	  .mem = MEM(SOCKADDR_OUT(1, 2)), .names = { [3] = &names_accept_flags } },
	{ CALL(getsockname), .serve = SERVE_ANY, .nargs = 3, .arg = { A_FD, A_PTR, A_PTR }, ZERO, .mem = MEM(SOCKADDR_OUT(1, 2)) },
	{ CALL(getpeername), .serve = SERVE_ANY, .nargs = 3, .arg = { A_FD, A_PTR, A_PTR }, ZERO, .mem = MEM(SOCKADDR_OUT(1, 2)) },
	{ CALL(shutdown), .serve = SERVE_ANY, .nargs = 2, .arg = { A_FD, A_ENUM }, ZERO, .names = { [1] = &names_shutdown_how } },
	{ CALL(sendto), .serve = SERVE_FD, .nargs = 6, .arg = { A_FD, A_PTR, A_SIZE, A_FLAGS, A_PTR, A_INT },
	  .ret = RET_LEN, NONBLOCKING(3),
	  .mem = MEM({ .dir = MEM_IN, .arg = 1, .cap = ARG(2), .got = RETVAL }, IN(4, ARG(5))),
	  .names = { [3] = &names_msg_flags }, .post = post_write },
	{ CALL(recvfrom), .serve = SERVE_FD, .nargs = 6, .arg = { A_FD, A_PTR, A_SIZE, A_FLAGS, A_PTR, A_PTR }, .ret = RET_LEN,
	  NONBLOCKING(3), .mem = MEM(OUTG(1, ARG(2), RETVAL), SOCKADDR_OUT(4, 5)),
	  .names = { [3] = &names_msg_flags } },
	{ CALL(sendmsg), .serve = SERVE_FD, .nargs = 3, .arg = { A_FD, A_PTR, A_FLAGS }, .ret = RET_LEN, NONBLOCKING(2),
	  .mem = MEM({ .dir = MEM_IN, .arg = 1, .cap = SZ(sizeof(struct msghdr)), .sub = sent }),
	  .names = { [2] = &names_msg_flags }, .emulate = do_sendmsg, .post = post_write },
	{ CALL(recvmsg), .serve = SERVE_FD, .nargs = 3, .arg = { A_FD, A_PTR, A_FLAGS }, .ret = RET_LEN, NONBLOCKING(2),
	  .mem = MEM({ .dir = MEM_INOUT, .arg = 1, .cap = SZ(sizeof(struct msghdr)), .sub = received }),
	  .names = { [2] = &names_msg_flags } },
	{ CALL(sendmmsg), .nargs = 4, .arg = { A_FD, A_PTR, A_UINT, A_FLAGS }, NONBLOCKING(3),
	  .mem = MEM({ .dir = MEM_INOUT, .arg = 1, .flags = MEM_ARRAY, .elem = sizeof(struct mmsghdr),
		       .cap = LENFN(len_messages), .got = RETX(sizeof(struct mmsghdr)), .sub = sent_many }),
	  .names = { [3] = &names_msg_flags }, .emulate = do_sendmmsg, .post = post_write },
	{ CALL(recvmmsg), .nargs = 5, .arg = { A_FD, A_PTR, A_UINT, A_FLAGS, A_PTR }, NONBLOCKING(3),
	  .mem = MEM({ .dir = MEM_INOUT, .arg = 1, .flags = MEM_ARRAY, .elem = sizeof(struct mmsghdr),
		       .cap = LENFN(len_messages), .got = RETX(sizeof(struct mmsghdr)), .sub = received_many },
		     INOUT(4, TIMESPEC)),
	  .names = { [3] = &names_msg_flags } },
	{ CALL(setsockopt), .serve = SERVE_ANY, .nargs = 5, .arg = { A_FD, A_ENUM, A_ENUM, A_PTR, A_INT }, ZERO, .mem = MEM(IN(3, ARG(4))),
	  .sel = 1, .sel2 = 2, VARIANTS_OF(setsockopt),
	  .names = { [1] = &names_sock_level, [2] = &names_so_option } },
	{ CALL(getsockopt), .serve = SERVE_ANY, .nargs = 5, .arg = { A_FD, A_ENUM, A_ENUM, A_PTR, A_PTR }, ZERO,
	  .mem = MEM(SOCKADDR_OUT(3, 4)), .sel = 1, .sel2 = 2, VARIANTS_OF(getsockopt),
	  .names = { [1] = &names_sock_level, [2] = &names_so_option } },
};
ROWS_COUNT(net);
