/*
 * Rows for the commands of system calls that are many calls in one. Each array belongs to the parent row named beside
 * it, which sets the selector as said there; `VARIANTS_OF(ioctl)` gives it the array. Names are "ioctl$TCGETS".
 *
 * An unknown command gets the parent row, or the generic path when that row is LEVEL_GENERIC: right for all of these
 * except getsockopt and setsockopt, whose parent rows describe every option without pointers inside it.
 */
#ifndef SANDREC_VARIANTS_H
#define SANDREC_VARIANTS_H

#include "syscall-emu/sysdesc.h"

#define VARIANT_ROWS(call) \
	extern const struct sys_desc call##_variants[]; \
	extern const unsigned n_##call##_variants
VARIANT_ROWS(ioctl);      /* .sel = 1 */
VARIANT_ROWS(fcntl);      /* .sel = 1 */
VARIANT_ROWS(prctl);      /* .sel = 0 */
VARIANT_ROWS(getsockopt); /* .sel = 1, .sel2 = 2 */
VARIANT_ROWS(setsockopt); /* .sel = 1, .sel2 = 2 */
VARIANT_ROWS(futex);      /* .sel = 1, .sel_ignore = FUTEX_VARIANT_IGNORE */
VARIANT_ROWS(keyctl);     /* .sel = 0 */
VARIANT_ROWS(semctl);     /* .sel = 2 */
VARIANT_ROWS(msgctl);     /* .sel = 1 */
VARIANT_ROWS(shmctl);     /* .sel = 1 */
VARIANT_ROWS(quotactl);   /* .sel = 0, .sel_ignore = QUOTACTL_VARIANT_IGNORE */
VARIANT_ROWS(quotactl_fd);/* .sel = 1, .sel_ignore = QUOTACTL_VARIANT_IGNORE */
VARIANT_ROWS(seccomp);    /* .sel = 0 */
VARIANT_ROWS(bpf);        /* .sel = 0, .sel_ignore = BPF_VARIANT_IGNORE */

#define FUTEX_VARIANT_IGNORE 0x180u   /* FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME */
#define QUOTACTL_VARIANT_IGNORE 0xffu /* the quota type, in the low byte of the command */
#define BPF_VARIANT_IGNORE 0x10000u   /* BPF_COMMON_ATTRS: two more arguments */

#define VARIANTS_OF(call) .nvariants = &n_##call##_variants, .variants = call##_variants

#endif
