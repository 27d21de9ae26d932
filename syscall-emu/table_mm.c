/* Rows: the address space. */
#include "syscall-emu/fd.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/names_sets.h"
#include "syscall-emu/rows.h"

/* mincore answers one byte a page. */
static int64_t len_pages(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	(void)t, (void)m, (void)parent, (void)ret;
	return (int64_t)(p->arg[1] / 4096 + !!(p->arg[1] & 4095));
}

/*
 * process_vm_writev to oneself writes guest memory; to another process it does not. A thread's id names its process
 * too, and one that is written without need is only logged without need.
 */
static int64_t len_remote(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	pid_t pid = (pid_t)p->arg[0];

	(void)m, (void)parent;
	return (pid == t->proc->pid || pid == t->tid) && ret > 0 ? ret : 0;
}

const struct sys_desc sys_rows_mm[] = {
	{ CALL(mmap), .serve = SERVE_MAP, .nargs = 6, .arg = { A_ADDR, A_SIZE, A_FLAGS, A_FLAGS, A_FD, A_OFF }, .ret = RET_ADDR,
	  .replay = BOTH, .names = { [2] = &names_prot, [3] = &names_mmap_flags }, .emulate = do_mmap },
	{ CALL(munmap), .serve = SERVE_ANY, .nargs = 2, .arg = { A_ADDR, A_SIZE }, ZERO, .replay = REDO, .emulate = do_munmap },
	{ CALL(mprotect), .serve = SERVE_ANY, .nargs = 3, .arg = { A_ADDR, A_SIZE, A_FLAGS }, ZERO, .replay = REDO_FAILED,
	  .names = { [2] = &names_prot }, .emulate = do_mprotect },
	{ CALL(pkey_mprotect), .nargs = 4, .arg = { A_ADDR, A_SIZE, A_FLAGS, A_INT }, ZERO, .replay = REDO_FAILED,
	  .names = { [2] = &names_prot }, .emulate = do_pkey_mprotect },
	{ CALL(pkey_alloc), .nargs = 2,
	  .arg = { A_UINT, A_UINT }, REFUSED(ENOSPC, "protection keys are not offered") },
	{ CALL(pkey_free), .nargs = 1, .arg = { A_INT }, REFUSED(EINVAL, "protection keys are not offered") },
	{ CALL(mremap), .nargs = 5, .arg = { A_ADDR, A_SIZE, A_SIZE, A_FLAGS, A_ADDR }, .ret = RET_ADDR,
	  .replay = REDO,
	  .emulate = do_mremap, .names = { [3] = &names_mremap_flags } },
	{ CALL(brk), .serve = SERVE_ANY, .nargs = 1, .arg = { A_ADDR }, .ret = RET_ADDR, .replay = REDO, .emulate = do_brk },
	{ CALL(madvise), .serve = SERVE_ANY, .nargs = 3, .arg = { A_ADDR, A_SIZE, A_ENUM }, ZERO, .replay = REDO,
	  .names = { [2] = &names_madvise }, .emulate = do_madvise },
	{ CALL(process_madvise), .nargs = 5, .arg = { A_FD, A_PTR, A_ULONG, A_ENUM, A_FLAGS }, .ret = RET_LEN,
	  REFUSED(EPERM, "advice to other processes; a process's own memory takes madvise") },
	{ CALL(process_mrelease), .nargs = 2, .arg = { A_FD, A_FLAGS }, ZERO },
	{ CALL(mincore), .nargs = 3, .arg = { A_ADDR, A_SIZE, A_PTR }, ZERO, .mem = MEM(OUT(2, LENFN(len_pages))),
	  .emulate = do_mincore },
	{ CALL(msync), .nargs = 3, .arg = { A_ADDR, A_SIZE, A_FLAGS }, ZERO, .block = BLOCK_ALWAYS,
	  .emulate = do_msync,
	  .names = { [2] = &names_msync_flags } },
	{ CALL(mlock), .nargs = 2, .arg = { A_ADDR, A_SIZE }, ZERO, .emulate = do_mlock },
	{ CALL(mlock2), .nargs = 3, .arg = { A_ADDR, A_SIZE, A_FLAGS }, ZERO, .emulate = do_mlock2,
	  .names = { [2] = &names_mlock_flags } },
	{ CALL(munlock), .nargs = 2, .arg = { A_ADDR, A_SIZE }, ZERO, .emulate = do_munlock },
	{ CALL(mlockall), .nargs = 1, .arg = { A_FLAGS }, ZERO, .emulate = do_mlockall,
	  .names = { [0] = &names_mlockall_flags } },
	{ CALL(munlockall), ZERO, .emulate = do_munlockall },
	{ CALL(remap_file_pages), .nargs = 5, .arg = { A_ADDR, A_SIZE, A_FLAGS, A_ULONG, A_FLAGS }, ZERO,
	  .replay = REDO,
	  .emulate = do_remap_file_pages },
	{ CALL(mseal), .nargs = 3, .arg = { A_ADDR, A_SIZE, A_FLAGS }, ZERO,
	  REFUSED(ENOSYS, "sealed mappings could not be replaced by the recorder") },
	{ CALL(map_shadow_stack), .nargs = 3, .arg = { A_ADDR, A_SIZE, A_FLAGS }, .ret = RET_ADDR,
	  REFUSED(EOPNOTSUPP, "shadow stacks are not offered") },
	{ CALL(mbind), .nargs = 6, .arg = { A_ADDR, A_SIZE, A_ENUM, A_PTR, A_ULONG, A_FLAGS }, ZERO,
	  .mem = MEM(IN(3, LENFN(len_bitmap))), .emulate = do_mbind,
	  .names = { [2] = &names_mpol, [5] = &names_mpol_flags } },
	{ CALL(set_mempolicy), .serve = SERVE_ALTERS, .nargs = 3, .arg = { A_ENUM, A_PTR, A_ULONG }, ZERO,
	  .mem = MEM(IN(1, LENFN(len_bitmap))),
	  .names = { [0] = &names_mpol } },
	{ CALL(set_mempolicy_home_node), .nargs = 4, .arg = { A_ADDR, A_SIZE, A_ULONG, A_FLAGS }, ZERO,
	  REFUSED(ENOSYS, "mappings have no policy of their own") },
	{ CALL(get_mempolicy), .nargs = 5, .arg = { A_PTR, A_PTR, A_ULONG, A_ADDR, A_FLAGS }, ZERO,
	  .mem = MEM(OUT(0, SZ(4)), OUT(1, LENFN(len_bitmap))) },
	{ CALL(migrate_pages), .nargs = 4, .arg = { A_PID, A_ULONG, A_PTR, A_PTR }, 
	  REFUSED(EPERM, "would move the recorder's memory too") },
	{ CALL(move_pages), .nargs = 6, .arg = { A_PID, A_ULONG, A_PTR, A_PTR, A_PTR, A_FLAGS },
	  .mem = MEM(IN(2, ARGX(1, 8)), IN(3, ARGX(1, 4)), OUT(4, ARGX(1, 4))) },
	{ CALL(process_vm_readv), .nargs = 6, .arg = { A_PID, A_PTR, A_ULONG, A_PTR, A_ULONG, A_FLAGS },
	  .ret = RET_LEN,
	  .mem = MEM(IOVEC(1, MEM_OUT, RETVAL), IOVEC(3, MEM_IN, RETVAL)) },
	{ CALL(process_vm_writev), .nargs = 6, .arg = { A_PID, A_PTR, A_ULONG, A_PTR, A_ULONG, A_FLAGS },
	  .ret = RET_LEN,
	  .mem = MEM(IOVEC(1, MEM_IN, RETVAL), IOVEC(3, MEM_OUT, LENFN(len_remote))), .emulate = do_process_vm_writev },
	{ CALL(userfaultfd), .nargs = 1, .arg = { A_FLAGS }, .ret = RET_FD,
	  REFUSED(ENOSYS, "page faults are the recorder's own") },
};
ROWS_COUNT(mm);
