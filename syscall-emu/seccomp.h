/*
 * The seccomp filters a guest installs: kept with the task, evaluated here at each of its system calls, never given to
 * the host kernel, where they would apply to the VMM. They see nothing but the guest's registers and what the guest
 * installed, so they decide the same on record and replay; a refused call is an event like any other.
 *
 * Source: seccomp(2), Linux kernel/seccomp.c.
 */
#ifndef SANDREC_SECCOMP_H
#define SANDREC_SECCOMP_H

#include "syscall-emu/session.h"

/*
 * The row to carry out for the call that t->regs hold (rip behind the instruction): desc if the filters let it pass,
 * else a row whose handler does what they say instead. Asked once for each call that is carried out; the
 * answer belongs to this call.
 */
const struct sys_desc *seccomp_filtered_row(struct task *t, const struct sys_desc *desc);
bool seccomp_is_refusal(const struct sys_desc *desc);

/* seccomp(2), prctl(PR_SET_SECCOMP), prctl(PR_GET_SECCOMP). */
sys_handler do_seccomp, do_prctl_set_seccomp, do_prctl_get_seccomp, do_prctl_get_no_new_privs;

/*
 * A new thread (t, without filters) has its creator's; a thread gives them up at its end. A forked process has a copy of
 * the memory and needs neither.
 */
void seccomp_inherit(struct task *t, const struct task *from);
void seccomp_release(struct task *t);

/*
 * For an execution that starts a new host program: the state as bytes (free()), and back into a task without any.
 * Restore gives -EBADMSG for bytes that save cannot have made, with the task unchanged.
 */
int seccomp_save(const struct task *t, void **blob, uint32_t *len);
int seccomp_restore(struct task *t, const void *blob, uint32_t len);

#endif
