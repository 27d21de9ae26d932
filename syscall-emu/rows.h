/*
 * The rows by theme. Private to the table: everything else asks sys_row() and sys_lookup().
 * A row's key is its number; its variants, if any, are arrays of their own (variants.h, or beside the row).
 */
#ifndef SANDREC_ROWS_H
#define SANDREC_ROWS_H

#include <errno.h>
#include <asm/unistd_64.h>

#include "syscall-emu/sysdesc.h"

#define ROWS(theme) \
	extern const struct sys_desc sys_rows_##theme[]; \
	extern const unsigned n_sys_rows_##theme
ROWS(file);    /* names, open, links, directories */
ROWS(attr);    /* stat, times, extended attributes, quotas */
ROWS(io);      /* read, write, descriptors, splice */
ROWS(poll);    /* poll, select, epoll, eventfd, inotify */
ROWS(net);     /* sockets */
ROWS(mm);      /* the address space */
ROWS(process); /* processes, credentials, limits */
ROWS(sched);   /* scheduling, futexes */
ROWS(signal);  /* signals */
ROWS(time);    /* clocks and timers */
ROWS(ipc);     /* System V and POSIX IPC, keys */
ROWS(mount);   /* mounts and file systems */
ROWS(admin);   /* the machine; what is refused */

#define ROWS_COUNT(theme) \
	const unsigned n_sys_rows_##theme = sizeof(sys_rows_##theme) / sizeof(sys_rows_##theme[0])

/* Newer than the oldest kernel headers we build with. */
#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif
#ifndef __NR_map_shadow_stack
#define __NR_map_shadow_stack 453
#endif
#ifndef __NR_futex_wake
#define __NR_futex_wake 454
#define __NR_futex_wait 455
#define __NR_futex_requeue 456
#endif
#ifndef __NR_statmount
#define __NR_statmount 457
#define __NR_listmount 458
#endif
#ifndef __NR_lsm_get_self_attr
#define __NR_lsm_get_self_attr 459
#define __NR_lsm_set_self_attr 460
#define __NR_lsm_list_modules 461
#endif
#ifndef __NR_mseal
#define __NR_mseal 462
#endif
#ifndef __NR_setxattrat
#define __NR_setxattrat 463
#define __NR_getxattrat 464
#define __NR_listxattrat 465
#define __NR_removexattrat 466
#endif
#ifndef __NR_open_tree_attr
#define __NR_open_tree_attr 467
#endif
#ifndef __NR_file_getattr
#define __NR_file_getattr 468
#define __NR_file_setattr 469
#endif
#ifndef __NR_uretprobe
#define __NR_uretprobe 335
#endif
#ifndef __NR_uprobe
#define __NR_uprobe 336
#endif

/* A call's name and number at once. */
#define CALL(n) .name = #n, .key = __NR_##n
/* Result 0 or an error, the most common kind. */
#define ZERO .ret = RET_ZERO
/* Not offered: Linux's own error. */
#define REFUSED(error, why) .refuse = (error), .note = (why), .level = LEVEL_REFUSED

/* A region of argument a with its capacity (lengths have commas in them, hence the dots); OUTG: and what was written. */
#define IN(a, ...) { .dir = MEM_IN, .arg = (a), .cap = __VA_ARGS__ }
#define OUT(a, ...) { .dir = MEM_OUT, .arg = (a), .cap = __VA_ARGS__ }
#define INOUT(a, ...) { .dir = MEM_INOUT, .arg = (a), .cap = __VA_ARGS__ }
#define OUTG(a, c, g) { .dir = MEM_OUT, .arg = (a), .cap = c, .got = g }
/* Written on failure too: a remaining time, a needed size. */
#define INOUT_ALWAYS(a, ...) { .dir = MEM_INOUT, .arg = (a), .flags = MEM_ON_ERROR, .cap = __VA_ARGS__ }
#define OUT_ALWAYS(a, ...) { .dir = MEM_OUT, .arg = (a), .flags = MEM_ON_ERROR, .cap = __VA_ARGS__ }
#define SOCKLEN 4
#define TIMESPEC SZ(16)
#define ITIMERSPEC SZ(32)
#define SIGSET SZ(8)

/* struct iovec: arrays at argument a, their count in argument a + 1, pieces read or written (d), bytes moved (got). */
#define KERNEL_IOV_MAX 1024
len_fn len_iovec_args;  /* more than IOV_MAX is EINVAL */
len_fn len_iovec_piece; /* iov_len of the parent; negative is EINVAL */
len_fn len_perf_attr;   /* a perf_event_attr says how long it is */
len_fn len_bitmap;      /* a node mask: argument m->arg + 1 is one more than its bits */
#define IOV_PIECES(d) MEM({ .dir = (d), .off = 0, .cap = LENFN(len_iovec_piece) })
#define IOVEC(a, d, ...) \
	{ .dir = MEM_IN, .arg = (a), .flags = MEM_ARRAY | MEM_BUDGET, .elem = 16, .cap = LENFN(len_iovec_args), \
	  .got = __VA_ARGS__, .sub = IOV_PIECES(d) }

#endif
