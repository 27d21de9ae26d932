/* Rows: names in the file system - open, links, directories, permissions. */
#include "syscall-emu/fd.h"
#include "syscall-emu/names_sets.h"
#include "syscall-emu/plan.h"
#include "syscall-emu/rows.h"

#define FILE_HANDLE_HEAD 8
#define FILE_HANDLE_MAX (FILE_HANDLE_HEAD + 128)

/* A handle says itself how long it is; on EOVERFLOW only its head is written. */
static int64_t len_file_handle(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
			       int64_t ret)
{
	uint32_t bytes;

	(void)t, (void)parent;
	if (ret < 0 || guest_read(&bytes, p->arg[m->arg], sizeof(bytes)) < 0)
		return FILE_HANDLE_HEAD;
	return FILE_HANDLE_HEAD + (int64_t)bytes;
}

/* 4 bytes, 8 with AT_HANDLE_MNT_ID_UNIQUE. */
static int64_t len_mount_id(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
			    int64_t ret)
{
	(void)t, (void)m, (void)parent, (void)ret;
	return p->arg[4] & 1 ? 8 : 4;
}

const struct sys_desc sys_rows_file[] = {
	{ CALL(open), .serve = SERVE_OPEN, .nargs = 3, .arg = { A_PATH, A_FLAGS, A_MODE }, .ret = RET_FD, .block = BLOCK_FD,
	  .names = { [1] = &names_open_flags, [2] = &names_file_mode }, .emulate = do_open },
	{ CALL(openat), .serve = SERVE_OPEN, .nargs = 4, .arg = { A_FD, A_PATH, A_FLAGS, A_MODE }, .ret = RET_FD, .block = BLOCK_FD,
	  .names = { [0] = &names_dirfd, [2] = &names_open_flags, [3] = &names_file_mode }, .emulate = do_openat },
	{ CALL(openat2), .serve = SERVE_OPEN, .nargs = 4, .arg = { A_FD, A_PATH, A_PTR, A_SIZE }, .ret = RET_FD, .block = BLOCK_FD,
	  .mem = MEM(IN(2, ARG(3))), .names = { [0] = &names_dirfd }, .emulate = do_openat2 },
	{ CALL(creat), .serve = SERVE_OPEN, .nargs = 2, .arg = { A_PATH, A_MODE }, .ret = RET_FD, .block = BLOCK_FD, .emulate = do_creat,
	  .names = { [1] = &names_file_mode } },
	{ CALL(name_to_handle_at), .nargs = 5, .arg = { A_FD, A_PATH, A_PTR, A_PTR, A_FLAGS }, ZERO,
	  .mem = MEM({ .dir = MEM_INOUT, .arg = 2, .flags = MEM_ON_ERROR, .cap = SZ(FILE_HANDLE_MAX),
		       .got = LENFN(len_file_handle) },
		     OUT_ALWAYS(3, LENFN(len_mount_id))),
	  .names = { [0] = &names_dirfd } },
	{ CALL(open_by_handle_at), .nargs = 3, .arg = { A_FD, A_PTR, A_FLAGS }, .ret = RET_FD, .block = BLOCK_FD,
	  .mem = MEM(IN(1, SZ(FILE_HANDLE_MAX))), .names = { [2] = &names_open_flags } },

	{ CALL(access), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_FLAGS }, ZERO, .names = { [1] = &names_access_mode } },
	{ CALL(faccessat), .serve = SERVE_PATH, .nargs = 3, .arg = { A_FD, A_PATH, A_FLAGS }, ZERO,
	  .names = { [0] = &names_dirfd, [2] = &names_access_mode } },
	{ CALL(faccessat2), .serve = SERVE_PATH, .nargs = 4, .arg = { A_FD, A_PATH, A_FLAGS, A_FLAGS }, ZERO,
	  .names = { [0] = &names_dirfd, [2] = &names_access_mode, [3] = &names_faccessat_flags } },
	{ CALL(chdir), .serve = SERVE_PATH, .nargs = 1, .arg = { A_PATH }, ZERO },
	{ CALL(fchdir), .serve = SERVE_ANY, .nargs = 1, .arg = { A_FD }, ZERO },
	{ CALL(chroot), .nargs = 1, .arg = { A_PATH }, ZERO },
	{ CALL(getcwd), .serve = SERVE_ANY, .nargs = 2, .arg = { A_PTR, A_SIZE }, .ret = RET_LEN, .mem = MEM(OUTG(0, ARG(1), RETVAL)) },
	{ CALL(rename), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_PATH }, ZERO },
	{ CALL(renameat), .serve = SERVE_PATH, .nargs = 4, .arg = { A_FD, A_PATH, A_FD, A_PATH }, ZERO,
	  .names = { [0] = &names_dirfd, [2] = &names_dirfd } },
	{ CALL(renameat2), .serve = SERVE_PATH, .nargs = 5, .arg = { A_FD, A_PATH, A_FD, A_PATH, A_FLAGS }, ZERO,
	  .names = { [0] = &names_dirfd, [2] = &names_dirfd, [4] = &names_rename_flags } },
	{ CALL(mkdir), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_MODE }, ZERO, .names = { [1] = &names_file_mode } },
	{ CALL(mkdirat), .serve = SERVE_PATH, .nargs = 3, .arg = { A_FD, A_PATH, A_MODE }, ZERO,
	  .names = { [0] = &names_dirfd, [2] = &names_file_mode } },
	{ CALL(rmdir), .serve = SERVE_PATH, .nargs = 1, .arg = { A_PATH }, ZERO },
	{ CALL(link), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_PATH }, ZERO },
	{ CALL(linkat), .serve = SERVE_PATH, .nargs = 5, .arg = { A_FD, A_PATH, A_FD, A_PATH, A_FLAGS }, ZERO,
	  .names = { [0] = &names_dirfd, [2] = &names_dirfd, [4] = &names_at_flags } },
	{ CALL(unlink), .serve = SERVE_PATH, .nargs = 1, .arg = { A_PATH }, ZERO },
	{ CALL(unlinkat), .serve = SERVE_PATH, .nargs = 3, .arg = { A_FD, A_PATH, A_FLAGS }, ZERO,
	  .names = { [0] = &names_dirfd, [2] = &names_at_flags } },
	{ CALL(symlink), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_PATH }, ZERO },
	{ CALL(symlinkat), .serve = SERVE_PATH, .nargs = 3, .arg = { A_PATH, A_FD, A_PATH }, ZERO, .names = { [1] = &names_dirfd } },
	{ CALL(readlink), .serve = SERVE_PATH, .nargs = 3, .arg = { A_PATH, A_PTR, A_INT }, .ret = RET_LEN,
	  .mem = MEM(OUTG(1, ARG(2), RETVAL)), .emulate = do_readlink },
	{ CALL(readlinkat), .serve = SERVE_PATH, .nargs = 4, .arg = { A_FD, A_PATH, A_PTR, A_INT }, .ret = RET_LEN,
	  .mem = MEM(OUTG(2, ARG(3), RETVAL)), .names = { [0] = &names_dirfd }, .emulate = do_readlinkat },
	{ CALL(chmod), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_MODE }, ZERO, .names = { [1] = &names_file_mode } },
	{ CALL(fchmod), .serve = SERVE_ANY, .nargs = 2, .arg = { A_FD, A_MODE }, ZERO, .names = { [1] = &names_file_mode } },
	{ CALL(fchmodat), .serve = SERVE_PATH, .nargs = 3, .arg = { A_FD, A_PATH, A_MODE }, ZERO,
	  .names = { [0] = &names_dirfd, [2] = &names_file_mode } },
	{ CALL(fchmodat2), .serve = SERVE_PATH, .nargs = 4, .arg = { A_FD, A_PATH, A_MODE, A_FLAGS }, ZERO,
	  .names = { [0] = &names_dirfd, [3] = &names_at_flags } },
	{ CALL(chown), .serve = SERVE_PATH, .nargs = 3, .arg = { A_PATH, A_UID, A_UID }, ZERO },
	{ CALL(fchown), .serve = SERVE_ANY, .nargs = 3, .arg = { A_FD, A_UID, A_UID }, ZERO },
	{ CALL(lchown), .serve = SERVE_PATH, .nargs = 3, .arg = { A_PATH, A_UID, A_UID }, ZERO },
	{ CALL(fchownat), .serve = SERVE_PATH, .nargs = 5, .arg = { A_FD, A_PATH, A_UID, A_UID, A_FLAGS }, ZERO,
	  .names = { [0] = &names_dirfd, [4] = &names_at_flags } },
	{ CALL(umask), .serve = SERVE_ANY, .nargs = 1, .arg = { A_MODE } },
	{ CALL(mknod), .nargs = 3, .arg = { A_PATH, A_MODE, A_UINT }, ZERO },
	{ CALL(mknodat), .nargs = 4, .arg = { A_FD, A_PATH, A_MODE, A_UINT }, ZERO, .names = { [0] = &names_dirfd } },
	{ CALL(truncate), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_OFF }, ZERO, .post = post_truncate },
	{ CALL(ftruncate), .serve = SERVE_FILE, .nargs = 2, .arg = { A_FD, A_OFF }, ZERO, .post = post_truncate },
	{ CALL(fallocate), .serve = SERVE_FILE, .nargs = 4, .arg = { A_FD, A_FLAGS, A_OFF, A_OFF }, ZERO, .post = post_truncate,
	  .names = { [1] = &names_fallocate_flags } },
	{ CALL(getdents), .serve = SERVE_FILE, .nargs = 3, .arg = { A_FD, A_PTR, A_UINT }, .ret = RET_LEN,
	  .mem = MEM(OUTG(1, ARG(2), RETVAL)), .post = post_getdents },
	{ CALL(getdents64), .serve = SERVE_FILE, .nargs = 3, .arg = { A_FD, A_PTR, A_UINT }, .ret = RET_LEN,
	  .mem = MEM(OUTG(1, ARG(2), RETVAL)), .post = post_getdents64 },
};
ROWS_COUNT(file);
