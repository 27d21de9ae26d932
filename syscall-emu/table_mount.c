/* Rows: mounts and file systems. */
#include "syscall-emu/names_sets.h"
#include "syscall-emu/plan.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/variants.h"

enum { FSCONFIG_FLAG, FSCONFIG_STRING, FSCONFIG_BINARY, FSCONFIG_PATH, FSCONFIG_PATH_EMPTY };

/* What fsconfig's value is depends on its command; a string in it is looked at up to its end. */
static int64_t len_fs_value(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
			    int64_t ret)
{
	(void)t, (void)m, (void)parent, (void)ret;
	switch ((uint32_t)p->arg[1]) {
	case FSCONFIG_STRING:
		return 256;
	case FSCONFIG_BINARY:
		return (int32_t)p->arg[4] < 0 ? 0 : (int32_t)p->arg[4];
	case FSCONFIG_PATH:
	case FSCONFIG_PATH_EMPTY:
		return 4096;
	default:
		return LEN_ABSENT;
	}
}

/* listmount answers with 64-bit ids; statmount with a struct that says its own size, strings included. */
static int64_t len_statmount(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
			     int64_t ret)
{
	uint32_t size = 0;

	(void)t, (void)parent, (void)ret;
	return guest_read(&size, p->arg[m->arg], sizeof(size)) < 0 ? 0 : (int64_t)size;
}

/* struct mnt_id_req says its own size first. */
static int64_t len_mount_request(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
				 int64_t ret)
{
	uint32_t size = 0;

	(void)t, (void)parent, (void)ret;
	if (guest_read(&size, p->arg[m->arg], sizeof(size)) < 0)
		return 4;
	return size > 4096 ? -E2BIG : (int64_t)size;
}

const struct sys_desc sys_rows_mount[] = {
	{ CALL(mount), .nargs = 5, .arg = { A_STR, A_PATH, A_STR, A_FLAGS, A_STR }, ZERO,
	  .names = { [3] = &names_mount_flags } },
	{ CALL(umount2), .nargs = 2, .arg = { A_PATH, A_FLAGS }, ZERO, .names = { [1] = &names_umount_flags } },
	{ CALL(pivot_root), .nargs = 2, .arg = { A_PATH, A_PATH }, ZERO },
	{ CALL(fsopen), .nargs = 2, .arg = { A_STR, A_FLAGS }, .ret = RET_FD },
	{ CALL(fsconfig), .nargs = 5, .arg = { A_FD, A_ENUM, A_STR, A_PTR, A_INT }, ZERO,
	  .mem = MEM(IN(3, LENFN(len_fs_value))) },
	{ CALL(fsmount), .nargs = 3, .arg = { A_FD, A_FLAGS, A_FLAGS }, .ret = RET_FD },
	{ CALL(fspick), .nargs = 3, .arg = { A_FD, A_PATH, A_FLAGS }, .ret = RET_FD, .names = { [0] = &names_dirfd } },
	{ CALL(open_tree), .nargs = 3, .arg = { A_FD, A_PATH, A_FLAGS }, .ret = RET_FD,
	  .names = { [0] = &names_dirfd } },
	{ CALL(open_tree_attr), .nargs = 5, .arg = { A_FD, A_PATH, A_FLAGS, A_PTR, A_SIZE }, .ret = RET_FD,
	  .mem = MEM(IN(3, ARG(4))), .names = { [0] = &names_dirfd } },
	{ CALL(move_mount), .nargs = 5, .arg = { A_FD, A_PATH, A_FD, A_PATH, A_FLAGS }, ZERO,
	  .names = { [0] = &names_dirfd, [2] = &names_dirfd } },
	{ CALL(mount_setattr), .nargs = 5, .arg = { A_FD, A_PATH, A_FLAGS, A_PTR, A_SIZE }, ZERO,
	  .mem = MEM(IN(3, ARG(4))), .names = { [0] = &names_dirfd } },
	{ CALL(statmount), .nargs = 4, .arg = { A_PTR, A_PTR, A_SIZE, A_FLAGS }, ZERO,
	  .mem = MEM({ .dir = MEM_IN, .arg = 0, .flags = MEM_COPY, .cap = LENFN(len_mount_request) },
		     OUTG(1, ARG(2), LENFN(len_statmount))) },
	{ CALL(listmount), .nargs = 4, .arg = { A_PTR, A_PTR, A_SIZE, A_FLAGS },
	  .mem = MEM({ .dir = MEM_IN, .arg = 0, .flags = MEM_COPY, .cap = LENFN(len_mount_request) },
		     OUTG(1, ARGX(2, 8), RETX(8))) },
	{ CALL(sysfs), .nargs = 3, .arg = { A_ENUM, A_ULONG, A_ULONG }, REFUSED(ENOSYS, "gone from Linux") },
	{ CALL(quotactl), .nargs = 4, .arg = { A_CMD, A_PATH, A_INT, A_ADDR }, .level = LEVEL_GENERIC, .sel = 0,
	  .sel_ignore = QUOTACTL_VARIANT_IGNORE, VARIANTS_OF(quotactl),
	  .names = { [0] = &names_quotactl_cmd } },
	{ CALL(quotactl_fd), .nargs = 4, .arg = { A_FD, A_CMD, A_INT, A_ADDR }, .level = LEVEL_GENERIC, .sel = 1,
	  .sel_ignore = QUOTACTL_VARIANT_IGNORE, VARIANTS_OF(quotactl_fd),
	  .names = { [1] = &names_quotactl_cmd } },
	{ CALL(swapon), .nargs = 2, .arg = { A_PATH, A_FLAGS }, ZERO },
	{ CALL(swapoff), .nargs = 1, .arg = { A_PATH }, ZERO },
};
ROWS_COUNT(mount);
