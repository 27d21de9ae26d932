/* Rows: what a file is - stat, times, extended attributes. */
#include "syscall-emu/fd.h"
#include "syscall-emu/names_sets.h"
#include "syscall-emu/rows.h"

#define STAT SZ(144)
#define STATFS SZ(120)
#define STATX SZ(256)

/* A struct xattr_args whose value is read (set) or written (get). */
static const struct sys_mem setxattr_value[] = {
	{ .dir = MEM_IN, .off = 0, .cap = { .op = LEN_FIELD, .off = 8, .width = 4, .scale = 1 } }, { .dir = 0 }
};
static const struct sys_mem getxattr_value[] = {
	{ .dir = MEM_OUT, .off = 0, .cap = { .op = LEN_FIELD, .off = 8, .width = 4, .scale = 1 }, .got = RETVAL },
	{ .dir = 0 }
};

const struct sys_desc sys_rows_attr[] = {
	{ CALL(stat), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_PTR }, ZERO, .mem = MEM(OUT(1, STAT)), .post = post_stat_exe },
	{ CALL(fstat), .serve = SERVE_ANY, .nargs = 2, .arg = { A_FD, A_PTR }, ZERO, .mem = MEM(OUT(1, STAT)) },
	{ CALL(lstat), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_PTR }, ZERO, .mem = MEM(OUT(1, STAT)) },
	{ CALL(newfstatat), .serve = SERVE_PATH, .nargs = 4, .arg = { A_FD, A_PATH, A_PTR, A_FLAGS }, ZERO, .mem = MEM(OUT(2, STAT)),
	  .names = { [0] = &names_dirfd, [3] = &names_at_flags }, .post = post_newfstatat_exe },
	{ CALL(statx), .serve = SERVE_PATH, .nargs = 5, .arg = { A_FD, A_PATH, A_FLAGS, A_UINT, A_PTR }, ZERO, .mem = MEM(OUT(4, STATX)),
	  .names = { [0] = &names_dirfd, [2] = &names_statx_flags, [3] = &names_statx_mask }, .post = post_statx_exe },
	{ CALL(statfs), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_PTR }, ZERO, .mem = MEM(OUT(1, STATFS)) },
	{ CALL(fstatfs), .serve = SERVE_ANY, .nargs = 2, .arg = { A_FD, A_PTR }, ZERO, .mem = MEM(OUT(1, STATFS)) },
	{ CALL(ustat), .nargs = 2, .arg = { A_UINT, A_PTR }, ZERO, .mem = MEM(OUT(1, SZ(32))) },
	{ CALL(file_getattr), .nargs = 5, .arg = { A_FD, A_PATH, A_PTR, A_SIZE, A_FLAGS }, ZERO,
	  .mem = MEM(OUT(2, ARG(3))), .names = { [0] = &names_dirfd } },
	{ CALL(file_setattr), .nargs = 5, .arg = { A_FD, A_PATH, A_PTR, A_SIZE, A_FLAGS }, ZERO,
	  .mem = MEM(IN(2, ARG(3))), .names = { [0] = &names_dirfd } },

	{ CALL(utime), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_PTR }, ZERO, .mem = MEM(IN(1, SZ(16))) },
	{ CALL(utimes), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_PTR }, ZERO, .mem = MEM(IN(1, SZ(32))) },
	{ CALL(futimesat), .serve = SERVE_PATH, .nargs = 3, .arg = { A_FD, A_PATH, A_PTR }, ZERO, .mem = MEM(IN(2, SZ(32))),
	  .names = { [0] = &names_dirfd } },
	{ CALL(utimensat), .serve = SERVE_PATH, .nargs = 4, .arg = { A_FD, A_PATH, A_PTR, A_FLAGS }, ZERO, .mem = MEM(IN(2, SZ(32))),
	  .names = { [0] = &names_dirfd, [3] = &names_at_flags } },

	{ CALL(setxattr), .serve = SERVE_PATH, .nargs = 5, .arg = { A_PATH, A_STR, A_PTR, A_SIZE, A_FLAGS }, ZERO,
	  .mem = MEM(IN(2, ARG(3))),
	  .names = { [4] = &names_xattr_flags } },
	{ CALL(lsetxattr), .serve = SERVE_PATH, .nargs = 5, .arg = { A_PATH, A_STR, A_PTR, A_SIZE, A_FLAGS }, ZERO,
	  .mem = MEM(IN(2, ARG(3))),
	  .names = { [4] = &names_xattr_flags } },
	{ CALL(fsetxattr), .serve = SERVE_ANY, .nargs = 5, .arg = { A_FD, A_STR, A_PTR, A_SIZE, A_FLAGS }, ZERO, .mem = MEM(IN(2, ARG(3))),
	  .names = { [4] = &names_xattr_flags } },
	{ CALL(setxattrat), .nargs = 6, .arg = { A_FD, A_PATH, A_FLAGS, A_STR, A_PTR, A_SIZE }, ZERO,
	  .mem = MEM({ .dir = MEM_IN, .arg = 4, .cap = ARG(5), .sub = setxattr_value }) },
	{ CALL(getxattr), .serve = SERVE_PATH, .nargs = 4, .arg = { A_PATH, A_STR, A_PTR, A_SIZE }, .ret = RET_LEN,
	  .mem = MEM(OUTG(2, ARG(3), RETVAL)) },
	{ CALL(lgetxattr), .serve = SERVE_PATH, .nargs = 4, .arg = { A_PATH, A_STR, A_PTR, A_SIZE }, .ret = RET_LEN,
	  .mem = MEM(OUTG(2, ARG(3), RETVAL)) },
	{ CALL(fgetxattr), .serve = SERVE_ANY, .nargs = 4, .arg = { A_FD, A_STR, A_PTR, A_SIZE }, .ret = RET_LEN,
	  .mem = MEM(OUTG(2, ARG(3), RETVAL)) },
	{ CALL(getxattrat), .nargs = 6, .arg = { A_FD, A_PATH, A_FLAGS, A_STR, A_PTR, A_SIZE }, .ret = RET_LEN,
	  .mem = MEM({ .dir = MEM_IN, .arg = 4, .cap = ARG(5), .sub = getxattr_value }) },
	{ CALL(listxattr), .serve = SERVE_PATH, .nargs = 3, .arg = { A_PATH, A_PTR, A_SIZE }, .ret = RET_LEN,
	  .mem = MEM(OUTG(1, ARG(2), RETVAL)) },
	{ CALL(llistxattr), .serve = SERVE_PATH, .nargs = 3, .arg = { A_PATH, A_PTR, A_SIZE }, .ret = RET_LEN,
	  .mem = MEM(OUTG(1, ARG(2), RETVAL)) },
	{ CALL(flistxattr), .serve = SERVE_ANY, .nargs = 3, .arg = { A_FD, A_PTR, A_SIZE }, .ret = RET_LEN,
	  .mem = MEM(OUTG(1, ARG(2), RETVAL)) },
	{ CALL(listxattrat), .nargs = 5, .arg = { A_FD, A_PATH, A_FLAGS, A_PTR, A_SIZE }, .ret = RET_LEN,
	  .mem = MEM(OUTG(3, ARG(4), RETVAL)) },
	{ CALL(removexattr), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_STR }, ZERO },
	{ CALL(lremovexattr), .serve = SERVE_PATH, .nargs = 2, .arg = { A_PATH, A_STR }, ZERO },
	{ CALL(fremovexattr), .serve = SERVE_ANY, .nargs = 2, .arg = { A_FD, A_STR }, ZERO },
	{ CALL(removexattrat), .nargs = 4, .arg = { A_FD, A_PATH, A_FLAGS, A_STR }, ZERO },
};
ROWS_COUNT(attr);
