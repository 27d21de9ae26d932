/*
 * The sets of names that rows refer to: `.names = { [1] = &names_open_flags }`. Data in names_*.c.
 * A set ending in _flags, and those marked so, are bits; the others are single values.
 */
#ifndef SANDREC_NAMES_SETS_H
#define SANDREC_NAMES_SETS_H

#include "syscall-emu/names.h"

/* names_file.c */
extern const struct sys_names names_open_flags, names_file_mode /* octal bits with S_IF* */, names_access_mode /* flags */,
	names_whence, names_dirfd /* AT_FDCWD */, names_at_flags, names_faccessat_flags, names_statx_flags, names_statx_mask /* flags */,
	names_rename_flags, names_fallocate_flags, names_fadvise, names_flock /* flags */, names_fcntl_cmd, names_fd_flags,
	names_lock_type, names_seals /* flags */, names_lease, names_rw_hint, names_rwf_flags, names_splice_flags,
	names_sync_range_flags, names_inotify_flags, names_inotify_mask /* flags */, names_xattr_flags,
	names_mount_flags, names_umount_flags, names_close_range_flags, names_memfd_flags, names_pipe_flags,
	names_eventfd_flags, names_signalfd_flags, names_timerfd_flags, names_epoll_create_flags, names_epoll_op,
	names_epoll_events /* flags */, names_poll_events /* flags */, names_fanotify_flags, names_fs_magic,
	names_openat2_resolve /* flags */;

/* names_bpf.c */
extern const struct sys_names names_bpf_map_type, names_bpf_prog_type, names_bpf_attach_type, names_bpf_elem_flags /* values */,
	names_bpf_map_flags, names_bpf_prog_flags;

/* names_mm.c */
extern const struct sys_names names_prot /* flags */, names_mmap_flags, names_mremap_flags, names_madvise,
	names_msync_flags, names_mlock_flags, names_mlockall_flags, names_mpol, names_mpol_flags, names_membarrier,
	names_pkey_rights /* flags */;

/* names_net.c */
extern const struct sys_names names_socket_family, names_socket_type /* with SOCK_NONBLOCK and SOCK_CLOEXEC */,
	names_ip_proto, names_sock_level, names_so_option, names_ip_option, names_ipv6_option, names_tcp_option,
	names_accept_flags, names_shutdown_how, names_msg_flags;

/* names_process.c */
extern const struct sys_names names_clone_flags, names_wait_options /* flags */, names_wait_idtype, names_rlimit,
	names_rusage_who, names_priority_which, names_sched_policy, names_prctl_cmd, names_arch_prctl_cmd, names_seccomp_op,
	names_seccomp_flags, names_personality, names_ptrace_request, names_ioprio_who, names_kcmp_type,
	names_pidfd_open_flags, names_getrandom_flags, names_reboot_cmd, names_keyctl_cmd, names_unshare_flags,
	names_execveat_flags;

/* names_signal.c: signals as an enumeration (also by signal_name()) */
extern const struct sys_names names_signal, names_sigprocmask_how, names_sa_flags, names_altstack_flags;

/* names_time.c */
extern const struct sys_names names_clock, names_clock_nanosleep_flags, names_itimer_which, names_timerfd_settime_flags,
	names_futex_op /* with FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME */, names_adjtimex_modes /* flags */;

/* names_ipc.c */
extern const struct sys_names names_ipc_flags, names_ipc_private, names_semctl_cmd, names_msgctl_cmd, names_shmctl_cmd,
	names_shmat_flags, names_msgrcv_flags, names_quotactl_cmd, names_mq_open_flags;

#endif
