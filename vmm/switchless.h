/*
 * System calls that are answered while the program stays in the machine (SGX calls this switchless): the guest leaves its
 * registers in a page and looks at it for a while, a server thread of the VMM takes them, makes the call and puts the new
 * ones there. Only on software hosts, where leaving the machine costs 20 times as much as `syscall` does.
 *
 * Nothing in guest memory changes for it: `syscall` itself enters guestlib's code (guestlib/switchless.S). Wherever that
 * is stopped, by a signal or because nobody answered, vcpu_run() returns a stop of the program: VCPU_SYSCALL when the
 * call has not been made, VCPU_SERVED behind it when it has.
 *
 * Two threads: the vCPU's, which opens and closes the gate around KVM_RUN, and the server, which takes requests while the gate
 * is open. When vcpu_run() has returned the server is not at work and begins nothing, so whatever belongs to the
 * process is the vCPU thread's alone. The page is the guest's to write: it decides nothing but what the registers are.
 */
#ifndef SANDREC_SWITCHLESS_H
#define SANDREC_SWITCHLESS_H

#include "vmm/vcpu.h"

struct switchless;

/* Can this vCPU's host thread gain by it? Known after its first system call. Not while its branches are counted: what the guest
 * does here would count. */
bool switchless_useful(const struct vcpu *v);

/*
 * Installs code and pages: system calls of v enter them from now on. The guest looks for an answer for about looks_ns, then leaves
 * the machine. 0 or a negative errno (nothing has changed). The pages are one set for all vCPUs of the machine: one of
 * them at a time is in vcpu_run() while a server looks, and every stop leaves the pages empty. join: another vCPU uses what
 * has been installed; nothing if it does already. Its own thread, outside vcpu_run().
 */
int switchless_install(struct vcpu *v, uint64_t looks_ns, struct switchless **out);
int switchless_join(struct vcpu *v);

/* vCPU thread, before vcpu_run(): will requests be taken in it? */
void switchless_allow(struct switchless *s, bool allow);

/* How many requests the guest has withdrawn because nobody took them in time; one whose answer is long in coming counts for several. */
uint64_t switchless_missed(const struct switchless *s);

/* vCPU thread: late(arg) is called again and again while vcpu_run() waits long for the server to answer a request. */
void switchless_late(struct switchless *s, void (*late)(void *arg), void *arg);

/*
 * Server thread. take: true when there was a request: whose it is stays as it is until answer(). request: *r, vcpu_regs() of
 * the vCPU that is in vcpu_run(), gets the registers, as at VCPU_SYSCALL (bases as they were at the last stop unless
 * the guest can read them itself). Then answer() follows, with *r as the program is to go on and one of ABI_SW_DONE, _LEAVE,
 * _DECLINED, _AGAIN (the registers do not count). Or answer_early() and release() later: the program goes on (ABI_SW_DONE), but
 * its next request is not taken, nor does vcpu_run() return, before release(). doze: requests are not waited for any more until the next
 * vcpu_run() that allows them; a last take() must follow.
 */
bool switchless_take(struct switchless *s);
void switchless_request(const struct switchless *s, struct guest_regs *r);
void switchless_answer(struct switchless *s, const struct guest_regs *r, uint32_t state);
void switchless_answer_early(struct switchless *s, const struct guest_regs *r);
void switchless_doze(struct switchless *s);

/* Server thread: true if the gate is its own until release(), as between take() and answer(), without a request. */
bool switchless_hold(struct switchless *s);
void switchless_release(struct switchless *s);

#endif
