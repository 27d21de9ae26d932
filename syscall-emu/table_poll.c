/* Rows: waiting for descriptors, and descriptors made to be waited for. */
#include <errno.h>
#include <sys/resource.h>

#include "syscall-emu/names_sets.h"
#include "syscall-emu/plan.h"
#include "syscall-emu/rows.h"

/* A descriptor set of nfds bits, in whole words. */
static int64_t len_fd_set(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	int32_t n = (int32_t)p->arg[0];

	(void)t, (void)m, (void)parent, (void)ret;
	return n <= 0 ? 0 : ((int64_t)n + 63) / 64 * 8;
}

/* Linux refuses more descriptors than may be open, before it looks at the array. */
static int64_t len_poll(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint32_t n = (uint32_t)p->arg[1];
	struct rlimit lim;

	(void)t, (void)m, (void)parent, (void)ret;
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && n > lim.rlim_cur)
		return -EINVAL;
	return 8 * (int64_t)n;
}

#define FD_SETS INOUT(1, LENFN(len_fd_set)), INOUT(2, LENFN(len_fd_set)), INOUT(3, LENFN(len_fd_set))

/* The kernel's struct { const sigset_t *set; size_t size; } of pselect6. */
static const struct sys_mem pselect_mask[] = { { .dir = MEM_IN, .off = 0, .cap = SIGSET }, { .dir = 0 } };

const struct sys_desc sys_rows_poll[] = {
	{ CALL(poll), .serve = SERVE_READY, .nargs = 3, .arg = { A_PTR, A_UINT, A_INT }, .block = BLOCK_ALWAYS,
	  .mem = MEM(INOUT(0, LENFN(len_poll))) },
	{ CALL(ppoll), .serve = SERVE_READY, .nargs = 5, .arg = { A_PTR, A_UINT, A_PTR, A_PTR, A_SIZE }, .block = BLOCK_ALWAYS,
	  .mem = MEM(INOUT(0, LENFN(len_poll)), INOUT_ALWAYS(2, TIMESPEC), IN(3, SIGSET)) },
	{ CALL(select), .serve = SERVE_READY, .nargs = 5, .arg = { A_INT, A_PTR, A_PTR, A_PTR, A_PTR }, .block = BLOCK_ALWAYS,
	  .mem = MEM(FD_SETS, INOUT_ALWAYS(4, TIMESPEC)) },
	{ CALL(pselect6), .serve = SERVE_READY, .nargs = 6, .arg = { A_INT, A_PTR, A_PTR, A_PTR, A_PTR, A_PTR }, .block = BLOCK_ALWAYS,
	  .mem = MEM(FD_SETS, INOUT_ALWAYS(4, TIMESPEC),
		     { .dir = MEM_IN, .arg = 5, .cap = SZ(16), .sub = pselect_mask }) },
	{ CALL(epoll_create), .serve = SERVE_ANY, .nargs = 1, .arg = { A_INT }, .ret = RET_FD },
	{ CALL(epoll_create1), .serve = SERVE_ANY, .nargs = 1, .arg = { A_FLAGS }, .ret = RET_FD,
	  .names = { [0] = &names_epoll_create_flags } },
	{ CALL(epoll_ctl), .serve = SERVE_ANY, .nargs = 4, .arg = { A_FD, A_ENUM, A_FD, A_PTR }, ZERO, .mem = MEM(IN(3, SZ(12))),
	  .names = { [1] = &names_epoll_op } },
	{ CALL(epoll_wait), .serve = SERVE_READY, .nargs = 4, .arg = { A_FD, A_PTR, A_INT, A_INT }, .block = BLOCK_ALWAYS,
	  .mem = MEM(OUTG(1, ARGX(2, 12), RETX(12))) },
	{ CALL(epoll_pwait), .serve = SERVE_READY, .nargs = 6, .arg = { A_FD, A_PTR, A_INT, A_INT, A_PTR, A_SIZE }, .block = BLOCK_ALWAYS,
	  .mem = MEM(OUTG(1, ARGX(2, 12), RETX(12)), IN(4, SIGSET)) },
	{ CALL(epoll_pwait2), .serve = SERVE_READY, .nargs = 6, .arg = { A_FD, A_PTR, A_INT, A_PTR, A_PTR, A_SIZE }, .block = BLOCK_ALWAYS,
	  .mem = MEM(OUTG(1, ARGX(2, 12), RETX(12)), IN(3, TIMESPEC), IN(4, SIGSET)) },
	{ CALL(epoll_ctl_old), REFUSED(ENOSYS, "gone from Linux") },
	{ CALL(epoll_wait_old), REFUSED(ENOSYS, "gone from Linux") },
	{ CALL(eventfd), .serve = SERVE_ANY, .nargs = 1, .arg = { A_UINT }, .ret = RET_FD },
	{ CALL(eventfd2), .serve = SERVE_ANY, .nargs = 2, .arg = { A_UINT, A_FLAGS }, .ret = RET_FD,
	  .names = { [1] = &names_eventfd_flags } },
	{ CALL(inotify_init), .serve = SERVE_ANY, .ret = RET_FD },
	{ CALL(inotify_init1), .serve = SERVE_ANY, .nargs = 1, .arg = { A_FLAGS }, .ret = RET_FD,
	  .names = { [0] = &names_inotify_flags } },
	{ CALL(inotify_add_watch), .nargs = 3, .arg = { A_FD, A_PATH, A_UINT },
	  .names = { [2] = &names_inotify_mask } },
	{ CALL(inotify_rm_watch), .serve = SERVE_ANY, .nargs = 2, .arg = { A_FD, A_INT }, ZERO },
	{ CALL(fanotify_init), .nargs = 2, .arg = { A_FLAGS, A_FLAGS }, .ret = RET_FD,
	  .names = { [0] = &names_fanotify_flags } },
	{ CALL(fanotify_mark), .nargs = 5, .arg = { A_FD, A_FLAGS, A_ULONG, A_FD, A_PATH }, ZERO,
	  .names = { [3] = &names_dirfd } },
};
ROWS_COUNT(poll);
