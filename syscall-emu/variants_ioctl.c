/*
 * ioctl commands. Sizes are the kernel's, which are not always those coded in the number (FS_IOC_GETFLAGS says long and
 * moves an int); terminals have the kernel's own 36-byte termios, not libc's.
 *
 * Source: Linux uapi headers; ioctl_tty(2) and its like; fs/ioctl.c, block/ioctl.c, net/core/dev_ioctl.c.
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <linux/blkzoned.h>
#include <linux/btrfs.h>
#include <linux/fiemap.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <linux/input.h>
#include <linux/kd.h>
#include <linux/loop.h>
#include <linux/nsfs.h>
#include <linux/perf_event.h>
#include <linux/random.h>
#include <linux/rtc.h>
#include <linux/serial.h>
#include <linux/sockios.h>
#include <linux/vt.h>
#include <linux/watchdog.h>

#include "syscall-emu/fd.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/variants.h"

_Static_assert(sizeof(struct termios) == 36 && sizeof(struct termios2) == 44, "the kernel's layout");
_Static_assert(sizeof(struct ifreq) == 40 && sizeof(struct ifconf) == 16, "the kernel's layout");

/* sys/ioctl.h, which some of the headers include, has these as libc sees them. */
#define TERMIO 18
#define WINSIZE 8

/* Missing in older headers, or in all that can be included together. */
#ifndef SIOCGSTAMP
#define SIOCGSTAMP 0x8906
#define SIOCGSTAMPNS 0x8907
#endif
#ifndef NS_GET_MNTNS_ID
#define NS_GET_MNTNS_ID _IOR(0xb7, 5, __u64)
#endif
#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, __u64)
#endif
#ifndef PIDFD_GET_CGROUP_NAMESPACE
#define PIDFD_GET_CGROUP_NAMESPACE _IO(0xff, 1)
#define PIDFD_GET_IPC_NAMESPACE _IO(0xff, 2)
#define PIDFD_GET_MNT_NAMESPACE _IO(0xff, 3)
#define PIDFD_GET_NET_NAMESPACE _IO(0xff, 4)
#define PIDFD_GET_PID_NAMESPACE _IO(0xff, 5)
#define PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE _IO(0xff, 6)
#define PIDFD_GET_TIME_NAMESPACE _IO(0xff, 7)
#define PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE _IO(0xff, 8)
#define PIDFD_GET_USER_NAMESPACE _IO(0xff, 9)
#define PIDFD_GET_UTS_NAMESPACE _IO(0xff, 10)
#endif
#define EXT4_IOC_GETVERSION _IOR('f', 3, long)
#define EXT4_IOC_SETVERSION _IOW('f', 4, long)
#define EXT4_IOC_MIGRATE _IO('f', 9)
#define EXT4_IOC_ALLOC_DA_BLKS _IO('f', 12)
#define EXT4_IOC_PRECACHE_EXTENTS _IO('f', 18)
#define FS_IOC_RESVSP _IOW('X', 40, char[48])

#define FIEMAP_MAX (1u << 16) /* extents asked for at once; more is EINVAL in Linux at a far larger number */
#define DEDUPE_MAX 127        /* what fits in the page that Linux allows */

/* A count inside the object that is at the argument itself. */
static uint32_t count_at(const struct plan *p, unsigned offset)
{
	uint32_t n;

	return guest_read(&n, p->arg[2] + offset, sizeof(n)) < 0 ? 0 : n;
}

/* struct perf_event_query_bpf: room for so many ids behind two counts. */
static int64_t len_perf_query(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	(void)t, (void)m, (void)parent, (void)ret;
	return (int64_t)sizeof(struct perf_event_query_bpf) + 4 * (int64_t)count_at(p, 0);
}

static int64_t len_fiemap(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint32_t n = count_at(p, offsetof(struct fiemap, fm_extent_count));

	(void)t, (void)m, (void)parent, (void)ret;
	return n > FIEMAP_MAX ? -EINVAL : (int64_t)(sizeof(struct fiemap) + n * sizeof(struct fiemap_extent));
}

static int64_t len_fiemap_mapped(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
				 int64_t ret)
{
	uint64_t n = count_at(p, offsetof(struct fiemap, fm_mapped_extents));

	(void)t, (void)m, (void)parent, (void)ret;
	return (int64_t)(sizeof(struct fiemap) + n * sizeof(struct fiemap_extent));
}

static uint16_t dedupe_count(const struct plan *p)
{
	uint16_t n;

	return guest_read(&n, p->arg[2] + offsetof(struct file_dedupe_range, dest_count), sizeof(n)) < 0 ? 0 : n;
}

static int64_t len_dedupe(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint16_t n = dedupe_count(p);

	(void)t, (void)m, (void)parent, (void)ret;
	if (n > DEDUPE_MAX)
		return -ENOMEM;
	return (int64_t)(sizeof(struct file_dedupe_range) + n * sizeof(struct file_dedupe_range_info));
}

static int64_t len_entropy(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint32_t n = count_at(p, offsetof(struct rand_pool_info, buf_size));

	(void)t, (void)m, (void)parent, (void)ret;
	return n > INT32_MAX ? -EINVAL : (int64_t)(sizeof(struct rand_pool_info) + n);
}

static int64_t len_btrfs_spaces(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
				int64_t ret)
{
	uint64_t n;

	(void)t, (void)m, (void)parent, (void)ret;
	if (guest_read(&n, p->arg[2], sizeof(n)) < 0)
		n = 0;
	if (n > (1u << 16))
		return -ENOMEM;
	return (int64_t)(sizeof(struct btrfs_ioctl_space_args) + n * sizeof(struct btrfs_ioctl_space_info));
}

/* Commands whose number holds the size of the caller's buffer. */
static int64_t len_coded(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	(void)t, (void)m, (void)parent, (void)ret;
	return _IOC_SIZE(p->arg[1]);
}

static bool ours_at(uint64_t addr, bool wide)
{
	int64_t fd = -1;

	if (guest_read(&fd, addr, wide ? 8 : 4) < 0)
		return false;
	return fd_is_ours((int)fd);
}

/* FICLONERANGE, LOOP_CONFIGURE: the object begins with a descriptor. */
static int64_t do_first_fd(struct task *t, struct plan *p)
{
	return ours_at(p->arg[2], (uint32_t)p->arg[1] == (uint32_t)FICLONERANGE) ? -EBADF : plan_forward(p, t);
}

static int64_t do_dedupe(struct task *t, struct plan *p)
{
	uint64_t info = p->arg[2] + offsetof(struct file_dedupe_range, info);

	for (unsigned i = 0, n = dedupe_count(p); i < n; i++)
		if (ours_at(info + i * sizeof(struct file_dedupe_range_info), true))
			return -EBADF;
	return plan_forward(p, t);
}

/* A socket filter: a count and a pointer to that many instructions. */
static const struct sys_mem fprog_code[] = {
	{ .dir = MEM_IN, .off = offsetof(struct sock_fprog, filter),
	  .cap = { .op = LEN_FIELD, .off = 0, .width = 2, .scale = sizeof(struct sock_filter) } },
	{ .dir = 0 }
};

/* The list is written up to the length that the call puts in the place of the buffer's. */
static const struct sys_mem ifconf_list[] = {
	{ .dir = MEM_OUT, .off = 8, .cap = FIELD(struct ifconf, ifc_len), .got = FIELD(struct ifconf, ifc_len) },
	{ .dir = 0 }
};

#define ROW(cmd_name, cmd, kind) \
	.name = "ioctl$" cmd_name, .key = (uint32_t)(cmd), .nargs = 3, .arg = { A_FD, A_CMD, kind }
#define COMMAND(cmd, kind) ROW(#cmd, cmd, kind)
#define IO_NONE(cmd, ...) { .name = "ioctl$" #cmd, .key = (uint32_t)(cmd), .nargs = 2, .arg = { A_FD, A_CMD }, ##__VA_ARGS__ }
#define IO_INT(cmd) { ROW(#cmd, cmd, A_LONG) }
#define IO_WAIT(cmd) { ROW(#cmd, cmd, A_LONG), .block = BLOCK_ALWAYS }
#define IO_FD(cmd) { ROW(#cmd, cmd, A_FD) }
#define IO_IN(cmd, size, ...) { ROW(#cmd, cmd, A_PTR), .mem = MEM(IN(2, SZ(size))), ##__VA_ARGS__ }
#define IO_DRAIN(cmd, size) { ROW(#cmd, cmd, A_PTR), .block = BLOCK_ALWAYS, .mem = MEM(IN(2, SZ(size))) }
#define IO_OUT(cmd, size, ...) { ROW(#cmd, cmd, A_PTR), .mem = MEM(OUT(2, SZ(size))), ##__VA_ARGS__ }
#define IO_INOUT(cmd, size) { ROW(#cmd, cmd, A_PTR), .mem = MEM(INOUT(2, SZ(size))) }
/* Gives a new descriptor. */
#define IO_NEW(cmd) { ROW(#cmd, cmd, A_LONG), .ret = RET_FD }
/* A buffer as long as the number says. */
#define SIZE_BITS ((uint64_t)_IOC_SIZEMASK << _IOC_SIZESHIFT)
#define IO_CODED(cmd) \
	{ ROW(#cmd, cmd(0), A_PTR), .key_ignore = SIZE_BITS, .ret = RET_LEN, \
	  .mem = MEM(OUTG(2, LENFN(len_coded), RETVAL)) }
#define INT sizeof(int)
#define LONG sizeof(long)

const struct sys_desc ioctl_variants[] = {
	/* terminals */
	IO_OUT(TCGETS, sizeof(struct termios), .serve = SERVE_FILE),
	IO_IN(TCSETS, sizeof(struct termios)),
	IO_DRAIN(TCSETSW, sizeof(struct termios)),
	IO_DRAIN(TCSETSF, sizeof(struct termios)),
	IO_OUT(TCGETS2, sizeof(struct termios2)),
	IO_IN(TCSETS2, sizeof(struct termios2)),
	IO_DRAIN(TCSETSW2, sizeof(struct termios2)),
	IO_DRAIN(TCSETSF2, sizeof(struct termios2)),
	IO_OUT(TCGETA, TERMIO),
	IO_IN(TCSETA, TERMIO),
	IO_DRAIN(TCSETAW, TERMIO),
	IO_DRAIN(TCSETAF, TERMIO),
	IO_OUT(TIOCGLCKTRMIOS, sizeof(struct termios)),
	IO_IN(TIOCSLCKTRMIOS, sizeof(struct termios)),
	IO_WAIT(TCSBRK),
	IO_WAIT(TCSBRKP),
	IO_INT(TCXONC),
	IO_INT(TCFLSH),
	IO_NONE(TIOCSBRK),
	IO_NONE(TIOCCBRK),
	IO_NONE(TIOCEXCL),
	IO_NONE(TIOCNXCL),
	IO_OUT(TIOCGEXCL, INT),
	IO_INT(TIOCSCTTY),
	IO_NONE(TIOCNOTTY),
	IO_OUT(TIOCGPGRP, INT),
	IO_IN(TIOCSPGRP, INT),
	IO_OUT(TIOCGSID, INT),
	IO_OUT(TIOCOUTQ, INT),
	IO_IN(TIOCSTI, 1),
	IO_OUT(TIOCGWINSZ, WINSIZE, .serve = SERVE_FILE),
	IO_IN(TIOCSWINSZ, WINSIZE),
	IO_OUT(TIOCMGET, INT),
	IO_IN(TIOCMBIS, INT),
	IO_IN(TIOCMBIC, INT),
	IO_IN(TIOCMSET, INT),
	IO_WAIT(TIOCMIWAIT),
	IO_OUT(TIOCGICOUNT, sizeof(struct serial_icounter_struct)),
	IO_OUT(TIOCGSOFTCAR, INT),
	IO_IN(TIOCSSOFTCAR, INT),
	IO_OUT(TIOCGSERIAL, sizeof(struct serial_struct)),
	IO_IN(TIOCSSERIAL, sizeof(struct serial_struct)),
	IO_OUT(TIOCGRS485, sizeof(struct serial_rs485)),
	IO_INOUT(TIOCSRS485, sizeof(struct serial_rs485)),
	IO_NONE(TIOCCONS),
	IO_IN(TIOCPKT, INT),
	IO_OUT(TIOCGPKT, INT),
	IO_IN(TIOCSETD, INT),
	IO_OUT(TIOCGETD, INT),
	IO_OUT(TIOCGPTN, INT),
	IO_IN(TIOCSPTLCK, INT),
	IO_OUT(TIOCGPTLCK, INT),
	IO_NEW(TIOCGPTPEER),
	IO_OUT(TIOCGDEV, INT),
	IO_INT(TIOCSIG),
	IO_NONE(TIOCVHANGUP),

	/* every descriptor */
	IO_OUT(FIONREAD, INT, .serve = SERVE_ANY),
	IO_IN(FIONBIO, INT, .serve = SERVE_ANY),
	IO_IN(FIOASYNC, INT),
	IO_NONE(FIOCLEX, .serve = SERVE_ANY),
	IO_NONE(FIONCLEX, .serve = SERVE_ANY),
	IO_OUT(FIOQSIZE, sizeof(__kernel_loff_t)),
	IO_IN(FIOSETOWN, INT),
	IO_OUT(FIOGETOWN, INT),

	/* virtual consoles */
	IO_OUT(KDGKBTYPE, 1),
	IO_OUT(KDGETMODE, INT),
	IO_INT(KDSETMODE),
	IO_OUT(KDGKBMODE, INT),
	IO_INT(KDSKBMODE),
	IO_OUT(KDGKBMETA, INT),
	IO_INT(KDSKBMETA),
	IO_OUT(KDGETLED, 1),
	IO_INT(KDSETLED),
	IO_OUT(KDGKBLED, 1),
	IO_INT(KDSKBLED),
	IO_INT(KDMKTONE),
	IO_INT(KIOCSOUND),
	IO_INOUT(KDGKBENT, sizeof(struct kbentry)),
	IO_IN(KDSKBENT, sizeof(struct kbentry)),
	IO_OUT(KDGKBDIACR, sizeof(struct kbdiacrs)),
	IO_OUT(GIO_CMAP, 48),
	IO_OUT(VT_OPENQRY, INT),
	IO_OUT(VT_GETMODE, sizeof(struct vt_mode)),
	IO_IN(VT_SETMODE, sizeof(struct vt_mode)),
	IO_OUT(VT_GETSTATE, sizeof(struct vt_stat)),
	IO_INT(VT_RELDISP),
	IO_INT(VT_ACTIVATE),
	IO_WAIT(VT_WAITACTIVE),
	IO_INT(VT_DISALLOCATE),
	IO_IN(VT_RESIZE, sizeof(struct vt_sizes)),

	/* files */
	IO_OUT(FS_IOC_GETFLAGS, INT),
	IO_IN(FS_IOC_SETFLAGS, INT),
	IO_OUT(FS_IOC_GETVERSION, INT),
	IO_IN(FS_IOC_SETVERSION, INT),
	IO_OUT(FS_IOC_FSGETXATTR, sizeof(struct fsxattr)),
	IO_IN(FS_IOC_FSSETXATTR, sizeof(struct fsxattr)),
	IO_OUT(FS_IOC_GETFSLABEL, FSLABEL_MAX),
	{ COMMAND(FS_IOC_SETFSLABEL, A_STR) },
	{ COMMAND(FS_IOC_FIEMAP, A_PTR),
	  .mem = MEM({ .dir = MEM_INOUT, .arg = 2, .flags = MEM_ON_ERROR, .cap = LENFN(len_fiemap),
		       .got = LENFN(len_fiemap_mapped) }) },
	IO_FD(FICLONE),
	{ COMMAND(FICLONERANGE, A_PTR), .mem = MEM(IN(2, SZ(sizeof(struct file_clone_range)))),
	  .emulate = do_first_fd },
	{ COMMAND(FIDEDUPERANGE, A_PTR), .mem = MEM(INOUT(2, LENFN(len_dedupe))), .emulate = do_dedupe },
	IO_INOUT(FIBMAP, INT),
	IO_OUT(FIGETBSZ, INT),
	IO_INT(FIFREEZE),
	IO_INT(FITHAW),
	IO_INOUT(FITRIM, sizeof(struct fstrim_range)),
	IO_IN(FS_IOC_RESVSP, 48),

	/* ext4 and btrfs */
	IO_OUT(EXT4_IOC_GETVERSION, INT),
	IO_IN(EXT4_IOC_SETVERSION, INT),
	IO_NONE(EXT4_IOC_MIGRATE),
	IO_NONE(EXT4_IOC_ALLOC_DA_BLKS),
	IO_NONE(EXT4_IOC_PRECACHE_EXTENTS),
	IO_NONE(BTRFS_IOC_SYNC),
	IO_OUT(BTRFS_IOC_START_SYNC, 8),
	IO_IN(BTRFS_IOC_WAIT_SYNC, 8),
	IO_INOUT(BTRFS_IOC_FS_INFO, sizeof(struct btrfs_ioctl_fs_info_args)),
	IO_INOUT(BTRFS_IOC_DEV_INFO, sizeof(struct btrfs_ioctl_dev_info_args)),
	IO_INOUT(BTRFS_IOC_TREE_SEARCH, sizeof(struct btrfs_ioctl_search_args)),
	IO_INOUT(BTRFS_IOC_INO_LOOKUP, sizeof(struct btrfs_ioctl_ino_lookup_args)),
	IO_INOUT(BTRFS_IOC_GET_DEV_STATS, sizeof(struct btrfs_ioctl_get_dev_stats)),
	IO_OUT(BTRFS_IOC_SUBVOL_GETFLAGS, 8),
	IO_IN(BTRFS_IOC_SUBVOL_SETFLAGS, 8),
	IO_OUT(BTRFS_IOC_GET_SUBVOL_INFO, sizeof(struct btrfs_ioctl_get_subvol_info_args)),
	IO_OUT(BTRFS_IOC_GET_FEATURES, sizeof(struct btrfs_ioctl_feature_flags)),
	IO_OUT(BTRFS_IOC_GET_SUPPORTED_FEATURES, 3 * sizeof(struct btrfs_ioctl_feature_flags)),
	IO_IN(BTRFS_IOC_DEFRAG_RANGE, sizeof(struct btrfs_ioctl_defrag_range_args)),
	{ COMMAND(BTRFS_IOC_SPACE_INFO, A_PTR), .mem = MEM(INOUT(2, LENFN(len_btrfs_spaces))) },

	/* block devices */
	IO_IN(BLKROSET, INT),
	IO_OUT(BLKROGET, INT),
	IO_NONE(BLKRRPART),
	IO_OUT(BLKGETSIZE, LONG),
	IO_OUT(BLKGETSIZE64, 8),
	IO_NONE(BLKFLSBUF),
	IO_INT(BLKRASET),
	IO_OUT(BLKRAGET, LONG),
	IO_INT(BLKFRASET),
	IO_OUT(BLKFRAGET, LONG),
	IO_OUT(BLKSECTGET, 2),
	IO_OUT(BLKSSZGET, INT),
	IO_OUT(BLKBSZGET, INT),
	IO_IN(BLKBSZSET, INT),
	IO_OUT(BLKPBSZGET, INT),
	IO_OUT(BLKIOMIN, INT),
	IO_OUT(BLKIOOPT, INT),
	IO_OUT(BLKALIGNOFF, INT),
	IO_OUT(BLKROTATIONAL, 2),
	IO_OUT(BLKDISCARDZEROES, INT),
	IO_IN(BLKDISCARD, 16),
	IO_IN(BLKSECDISCARD, 16),
	IO_IN(BLKZEROOUT, 16),
	IO_OUT(BLKGETDISKSEQ, 8),
	IO_OUT(BLKGETZONESZ, INT),
	IO_OUT(BLKGETNRZONES, INT),
	IO_OUT(HDIO_GETGEO, sizeof(struct hd_geometry)),

	/* loop devices */
	IO_FD(LOOP_SET_FD),
	IO_NONE(LOOP_CLR_FD),
	IO_FD(LOOP_CHANGE_FD),
	IO_IN(LOOP_SET_STATUS, sizeof(struct loop_info)),
	IO_OUT(LOOP_GET_STATUS, sizeof(struct loop_info)),
	IO_IN(LOOP_SET_STATUS64, sizeof(struct loop_info64)),
	IO_OUT(LOOP_GET_STATUS64, sizeof(struct loop_info64)),
	IO_NONE(LOOP_SET_CAPACITY),
	IO_INT(LOOP_SET_DIRECT_IO),
	IO_INT(LOOP_SET_BLOCK_SIZE),
	{ COMMAND(LOOP_CONFIGURE, A_PTR), .mem = MEM(IN(2, SZ(sizeof(struct loop_config)))), .emulate = do_first_fd },
	IO_INT(LOOP_CTL_ADD),
	IO_INT(LOOP_CTL_REMOVE),
	IO_NONE(LOOP_CTL_GET_FREE),

	/* sockets and interfaces */
	IO_OUT(SIOCATMARK, INT),
	IO_OUT(SIOCGPGRP, INT),
	IO_IN(SIOCSPGRP, INT),
	IO_OUT(SIOCOUTQNSD, INT),
	IO_OUT(SIOCGSTAMP, 16),
	IO_OUT(SIOCGSTAMPNS, 16),
	IO_NEW(SIOCGSKNS),
	{ COMMAND(SIOCGIFCONF, A_PTR),
	  .mem = MEM({ .dir = MEM_INOUT, .arg = 2, .cap = SZ(sizeof(struct ifconf)), .sub = ifconf_list }) },
	IO_INOUT(SIOCGIFNAME, sizeof(struct ifreq)),
	IO_INOUT(SIOCGIFINDEX, sizeof(struct ifreq)),
	IO_INOUT(SIOCGIFFLAGS, sizeof(struct ifreq)),
	IO_IN(SIOCSIFFLAGS, sizeof(struct ifreq)),
	IO_INOUT(SIOCGIFADDR, sizeof(struct ifreq)),
	IO_IN(SIOCSIFADDR, sizeof(struct ifreq)),
	IO_INOUT(SIOCGIFDSTADDR, sizeof(struct ifreq)),
	IO_IN(SIOCSIFDSTADDR, sizeof(struct ifreq)),
	IO_INOUT(SIOCGIFBRDADDR, sizeof(struct ifreq)),
	IO_IN(SIOCSIFBRDADDR, sizeof(struct ifreq)),
	IO_INOUT(SIOCGIFNETMASK, sizeof(struct ifreq)),
	IO_IN(SIOCSIFNETMASK, sizeof(struct ifreq)),
	IO_INOUT(SIOCGIFMETRIC, sizeof(struct ifreq)),
	IO_IN(SIOCSIFMETRIC, sizeof(struct ifreq)),
	IO_INOUT(SIOCGIFMTU, sizeof(struct ifreq)),
	IO_IN(SIOCSIFMTU, sizeof(struct ifreq)),
	IO_INOUT(SIOCGIFHWADDR, sizeof(struct ifreq)),
	IO_IN(SIOCSIFHWADDR, sizeof(struct ifreq)),
	IO_INOUT(SIOCGIFMAP, sizeof(struct ifreq)),
	IO_INOUT(SIOCGIFTXQLEN, sizeof(struct ifreq)),
	IO_IN(SIOCSIFTXQLEN, sizeof(struct ifreq)),
	IO_IN(SIOCSIFNAME, sizeof(struct ifreq)),
	IO_IN(SIOCADDMULTI, sizeof(struct ifreq)),
	IO_IN(SIOCDELMULTI, sizeof(struct ifreq)),
	IO_INOUT(SIOCGARP, sizeof(struct arpreq)),
	IO_IN(SIOCSARP, sizeof(struct arpreq)),
	IO_IN(SIOCDARP, sizeof(struct arpreq)),
	IO_INOUT(TUNSETIFF, sizeof(struct ifreq)),
	IO_OUT(TUNGETIFF, sizeof(struct ifreq)),
	IO_OUT(TUNGETFEATURES, INT),
	IO_IN(TUNSETQUEUE, sizeof(struct ifreq)),
	IO_IN(TUNSETIFINDEX, INT),
	IO_INT(TUNSETPERSIST),
	IO_INT(TUNSETOWNER),
	IO_INT(TUNSETGROUP),
	IO_INT(TUNSETLINK),
	IO_INT(TUNSETOFFLOAD),
	IO_INT(TUNSETNOCSUM),
	IO_INT(TUNSETDEBUG),
	IO_OUT(TUNGETSNDBUF, INT),
	IO_IN(TUNSETSNDBUF, INT),
	IO_OUT(TUNGETVNETHDRSZ, INT),
	IO_IN(TUNSETVNETHDRSZ, INT),
	{ COMMAND(TUNATTACHFILTER, A_PTR),
	  .mem = MEM({ .dir = MEM_IN, .arg = 2, .cap = SZ(sizeof(struct sock_fprog)), .sub = fprog_code }) },
	IO_NONE(TUNDETACHFILTER),

	/* randomness, clocks, counters, namespaces */
	IO_OUT(RNDGETENTCNT, INT),
	IO_IN(RNDADDTOENTCNT, INT),
	{ COMMAND(RNDADDENTROPY, A_PTR), .mem = MEM(IN(2, LENFN(len_entropy))) },
	IO_NONE(RNDZAPENTCNT),
	IO_NONE(RNDCLEARPOOL),
	IO_NONE(RNDRESEEDCRNG),
	IO_NONE(RTC_AIE_ON),
	IO_NONE(RTC_AIE_OFF),
	IO_NONE(RTC_UIE_ON),
	IO_NONE(RTC_UIE_OFF),
	IO_NONE(RTC_PIE_ON),
	IO_NONE(RTC_PIE_OFF),
	IO_OUT(RTC_ALM_READ, sizeof(struct rtc_time)),
	IO_IN(RTC_ALM_SET, sizeof(struct rtc_time)),
	IO_OUT(RTC_RD_TIME, sizeof(struct rtc_time)),
	IO_IN(RTC_SET_TIME, sizeof(struct rtc_time)),
	IO_OUT(RTC_IRQP_READ, LONG),
	IO_INT(RTC_IRQP_SET),
	IO_OUT(RTC_EPOCH_READ, LONG),
	IO_OUT(RTC_WKALM_RD, sizeof(struct rtc_wkalrm)),
	IO_IN(RTC_WKALM_SET, sizeof(struct rtc_wkalrm)),
	IO_OUT(RTC_VL_READ, INT),
	IO_NONE(RTC_VL_CLR),
	IO_IN(TFD_IOC_SET_TICKS, 8),
	IO_INT(PERF_EVENT_IOC_ENABLE),
	IO_INT(PERF_EVENT_IOC_DISABLE),
	IO_INT(PERF_EVENT_IOC_REFRESH),
	IO_INT(PERF_EVENT_IOC_RESET),
	IO_IN(PERF_EVENT_IOC_PERIOD, 8),
	IO_FD(PERF_EVENT_IOC_SET_OUTPUT),
	{ COMMAND(PERF_EVENT_IOC_SET_FILTER, A_STR) },
	IO_OUT(PERF_EVENT_IOC_ID, 8),
	IO_FD(PERF_EVENT_IOC_SET_BPF),
	IO_INT(PERF_EVENT_IOC_PAUSE_OUTPUT),
	{ COMMAND(PERF_EVENT_IOC_QUERY_BPF, A_PTR),
	  .mem = MEM({ .dir = MEM_INOUT, .arg = 2, .flags = MEM_ON_ERROR, .cap = LENFN(len_perf_query) }) },
	{ COMMAND(PERF_EVENT_IOC_MODIFY_ATTRIBUTES, A_PTR), .mem = MEM(IN(2, LENFN(len_perf_attr))) },
	IO_NEW(NS_GET_USERNS),
	IO_NEW(NS_GET_PARENT),
	IO_NONE(NS_GET_NSTYPE),
	IO_OUT(NS_GET_OWNER_UID, INT),
	IO_OUT(NS_GET_MNTNS_ID, 8),
	IO_NEW(PIDFD_GET_CGROUP_NAMESPACE),
	IO_NEW(PIDFD_GET_IPC_NAMESPACE),
	IO_NEW(PIDFD_GET_MNT_NAMESPACE),
	IO_NEW(PIDFD_GET_NET_NAMESPACE),
	IO_NEW(PIDFD_GET_PID_NAMESPACE),
	IO_NEW(PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE),
	IO_NEW(PIDFD_GET_TIME_NAMESPACE),
	IO_NEW(PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE),
	IO_NEW(PIDFD_GET_USER_NAMESPACE),
	IO_NEW(PIDFD_GET_UTS_NAMESPACE),

	/* input devices and watchdogs */
	IO_OUT(EVIOCGVERSION, INT),
	IO_OUT(EVIOCGID, sizeof(struct input_id)),
	IO_OUT(EVIOCGREP, 2 * INT),
	IO_IN(EVIOCSREP, 2 * INT),
	IO_INT(EVIOCGRAB),
	IO_INT(EVIOCREVOKE),
	IO_IN(EVIOCSCLOCKID, INT),
	IO_CODED(EVIOCGNAME),
	IO_CODED(EVIOCGPHYS),
	IO_CODED(EVIOCGUNIQ),
	IO_CODED(EVIOCGPROP),
	IO_CODED(EVIOCGKEY),
	IO_CODED(EVIOCGLED),
	IO_CODED(EVIOCGSND),
	IO_CODED(EVIOCGSW),
	{ ROW("EVIOCGBIT", EVIOCGBIT(0, 0), A_PTR), .key_ignore = SIZE_BITS | 0x1f, .ret = RET_LEN,
	  .mem = MEM(OUTG(2, LENFN(len_coded), RETVAL)) },
	{ ROW("EVIOCGABS", EVIOCGABS(0), A_PTR), .key_ignore = 0x3f,
	  .mem = MEM(OUT(2, SZ(sizeof(struct input_absinfo)))) },
	IO_OUT(WDIOC_GETSUPPORT, sizeof(struct watchdog_info)),
	IO_OUT(WDIOC_GETSTATUS, INT),
	IO_OUT(WDIOC_GETTIMEOUT, INT),
	IO_INOUT(WDIOC_SETTIMEOUT, INT),
	IO_NONE(WDIOC_KEEPALIVE),
};
const unsigned n_ioctl_variants = sizeof(ioctl_variants) / sizeof(ioctl_variants[0]);
