/*
 * Handing one system call to Linux without losing a signal.
 *
 * A guest signal is caught by the host handler (signal_host.c), which allows one in flight at a time. If one arrived
 * before the `syscall` instruction executed, or the kernel rewound the instruction because the call is to be restarted
 * (the host handler has the guest's SA_RESTART), the handler finds the interrupted rip inside the range
 * [forward_begin, forward_syscall] and moves it to forward_restart: the call returns SYS_ERESTARTSYS and has had no
 * effect. Otherwise the kernel's own result comes back, EINTR included.
 */
#ifndef SANDREC_FORWARD_H
#define SANDREC_FORWARD_H

#include <stdint.h>
#include <stddef.h>

/* *pending is looked at after the range is entered: not 0 -> SYS_ERESTARTSYS at once. */
int64_t forward_syscall_checked(uint64_t nr, const uint64_t args[6], const volatile int *pending);

/* clone3 whose child runs fn(arg) on the stack in a and exits with its result; pid or negative errno in the parent. */
struct clone_args;
int64_t forward_clone(struct clone_args *a, size_t size, int (*fn)(void *), void *arg);

extern const char forward_begin[], forward_insn[], forward_end[], forward_restart[];

/* memcpy between VMM and guest memory; bytes NOT copied (0 = all). A fault inside [copy_begin, copy_end) is fixed up by
 * the host SIGSEGV/SIGBUS handler, which moves rip to copy_fixup. */
size_t copy_checked(void *dst, const void *src, size_t len);
extern const char copy_begin[], copy_end[], copy_fixup[];

#endif
