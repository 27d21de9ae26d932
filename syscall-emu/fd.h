/*
 * Descriptors: keeping ours out of the guest's reach and sight, and knowing the few of the guest's that are special
 * (a synthesised /proc/self file, /proc/self/mem, the program's original stdout and stderr).
 *
 * Our own descriptors (KVM, trace, ring) are moved to [base, base + FD_OURS), base = min(RLIMIT_NOFILE soft, 65536): above
 * the guest's limit, so that it can neither get nor name one (EBADF, as beyond the limit). Where the limit cannot be
 * passed, they take the top of the range below it. Numbers of the range that are not in use hold a placeholder, so that the
 * kernel never hands one to a guest that has raised its limit since.
 *
 * Nothing here runs on replay.
 */
#ifndef SANDREC_FD_H
#define SANDREC_FD_H

#include "syscall-emu/session.h"

#define FD_OURS 64

int fd_hide_init(void);      /* once at start, before the first fd_hide and before vm_create (it sets kvm_fd_hide); may be
				called again (does nothing) */
int fd_hide(int fd);         /* moves fd (close-on-exec); returns the new number and closes the old one, or a negative
				errno and leaves it open */
int fd_hide_program(int fd); /* the same for a file of the guest's, which it may open by other ways: only the number is hidden */
void fd_hidden_close(int fd);/* closes what fd_hide returned (close() is allowed too, but leaves a gap) */
bool fd_is_ours(int fd);

/* Around a vfork: the child changes its own descriptors, but notes it in the memory that it shares with its parent. */
#define FD_RANGES_MAX 32
struct fd_hide_state {
	struct fd_range { int base, n; uint64_t used; } range[FD_RANGES_MAX]; /* used: slots that hold something else than the placeholder */
	int n;
	int32_t holder; /* the thread that is changing this, where processes share it */
};
/* Before clone(CLONE_FILES): the two will keep one account of what is ours. 0 or -ENOMEM. */
int fd_hide_share(void);
/*
 * Before and after a clone that copies descriptors: the account that the child is going to have is that of the moment when
 * they are copied, as those who share them go on changing both. A thread that dies in between does not hold them up.
 */
void fd_hide_freeze(void);
void fd_hide_thaw(void);
/* In a child that has descriptors of its own: so is its account. parent_waits: (vfork) it cannot thaw before the child ends. */
void fd_hide_copied(bool parent_waits);

struct fd_hide_saved {
	struct fd_hide_state own, *state;
};
void fd_hide_save(struct fd_hide_saved *s);
void fd_hide_restore(const struct fd_hide_saved *s);
const char *fd_hide_note(void); /* for --verbose: what is not as good as it could be about the range, or NULL */

int fdtable_create(struct fdtable **out); /* remembers the original stdout and stderr (kcmp) */
void fdtable_destroy(struct fdtable *f);
int fdtable_share(struct fdtable *f); /* before clone(CLONE_FILES): others may change what is behind a number. 0 or -ENOMEM */
bool fdtable_shared(const struct fdtable *f);
void fdtable_copied(struct fdtable *f, bool parent_waits); /* in a child that does not share them with anybody: fd_hide_copied() */
int fdtable_copy(const struct fdtable *f, struct fdtable **out); /* for a child with its own copy of the descriptors */

/* What a new program image keeps of it: the original outputs and the limits that the guest sees. */
struct fdtable_state {
	int saved[3];              /* hidden duplicates, to be inherited; -1 */
	bool one_file;
	struct fdtable_limit { bool set; uint64_t cur, max, headroom; } limit[16];
};
void fdtable_save(const struct fdtable *f, struct fdtable_state *s);
int fdtable_restore(struct fdtable *f, const struct fdtable_state *s); /* after fdtable_create() */
/* REC_F_STDOUT, REC_F_STDERR or 0: does fd refer to the open file that was descriptor 1 or 2 at the start? The same pipe
 * or terminal opened again counts too: its reader is the same. */
uint8_t fd_output_kind(struct fdtable *f, int fd);

/* A descriptor of the program the guest runs, with these open(2) flags: also when its file was deleted or moved. What
 * opening /proc/self/exe gives. New descriptor or a negative errno. */
int fd_open_exe(struct process *p, int flags);
/* Is this file sandrec itself, which /proc/self/exe means on the host? */
struct stat;
bool fd_is_own_binary(const struct fdtable *f, const struct stat *st);

/* Handlers and post hooks of the table. */
sys_handler do_close, do_close_range, do_dup2, do_dup3, do_kcmp;                 /* fd.c */
sys_handler do_open, do_openat, do_openat2, do_creat, do_readlink, do_readlinkat; /* fd_open.c */
sys_handler do_sendfile, do_splice, do_copy_file_range, do_vmsplice, do_tee; /* fd_copy.c */
sys_handler do_prlimit64, do_getrlimit, do_setrlimit;                      /* limits.c */
/* sendmsg, sendmmsg: descriptors of ours in SCM_RIGHTS are EBADF (fd_pass.c). */
sys_handler do_sendmsg, do_sendmmsg;
/* read, write, pread64, pwrite64, readv, writev, preadv, pwritev, preadv2, pwritev2: /proc/self/mem (procfs_mem.c);
 * any other descriptor is forwarded at once. post_write is still to be named as the row's post hook. */
sys_handler do_io;

/* other_mem.c: writing to the memory of other processes. other_mem_io is the part of do_io for /proc/PID/mem. */
sys_handler do_process_vm_writev, other_mem_io;

/* write, writev, pwrite64, pwritev, pwritev2, sendto, sendmsg, sendmmsg: marks output, tells mm of changed files. */
sys_post post_write;
sys_post post_truncate;      /* truncate, ftruncate, fallocate */
sys_post post_getdents64, post_getdents;
sys_post post_fcntl_dupfd;   /* fcntl F_DUPFD, F_DUPFD_CLOEXEC, and dup */
/* stat, newfstatat, statx: /proc/self/exe is the guest's program (one function per place of the arguments). */
sys_post post_stat_exe, post_newfstatat_exe, post_statx_exe;

#endif
