/* Installing and evaluating the guest's system call filters. Contract: seccomp.h. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "guestlib/vdso.h"
#include "syscall-emu/futex_pi.h"
#include "syscall-emu/seccomp.h"
#include "syscall-emu/seccomp_bpf.h"
#include "syscall-emu/signal.h"
#include "syscall-emu/threads.h"
#include "vmm/cleanup.h"

/* Missing in older headers. */
#ifndef SECCOMP_FILTER_FLAG_TSYNC_ESRCH
#define SECCOMP_FILTER_FLAG_TSYNC_ESRCH (1UL << 4)
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

#define FLAGS_KNOWN (SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | \
		     SECCOMP_FILTER_FLAG_TSYNC_ESRCH)
#define LISTENER_FLAGS (SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
#define PATH_MAX_INSNS ((1u << 18) / sizeof(struct sock_filter)) /* of all filters of a thread */
#define PATH_FILTER_COST 4                                       /* each filter but the newest counts as longer */
#define MAX_ERRNO 4095

/* Never changed once it is in a chain, so that threads may share it. */
struct seccomp_filter {
	struct seccomp_filter *older;
	unsigned refs; /* chains that start here, newer filters; atomic */
	unsigned translated;
	uint16_t len;
	struct sock_filter insn[];
};

/* ---- sharing ---- */

static void drop_chain(struct seccomp_filter **chain)
{
	struct seccomp_filter *f = *chain, *older;

	for (; f && __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0; f = older) {
		older = f->older;
		free(f);
	}
	*chain = NULL;
}

void seccomp_inherit(struct task *t, const struct task *from)
{
	t->seccomp = from->seccomp;
	if (t->seccomp.newest)
		__atomic_add_fetch(&t->seccomp.newest->refs, 1, __ATOMIC_RELAXED);
}

void seccomp_release(struct task *t)
{
	drop_chain(&t->seccomp.newest);
	t->seccomp = (struct seccomp_state){ 0 };
}

/* ---- installing ---- */

/* What the host decides about a call that installs a filter. Replay takes it from the event's annex. */
enum { FACT_PERMITTED = 1, FACT_HOST_FILTERS = 2, FACT_NO_NEW_PRIVS = 4 };

static bool has_sys_admin(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	return syscall(SYS_capget, &h, d) == 0 && d[0].effective & 1u << CAP_SYS_ADMIN;
}

static uint8_t host_facts(const struct task *t, struct plan *p)
{
	uint8_t facts = 0;

	if (p->annex_len == sizeof(facts))
		return *(const uint8_t *)p->annex;
	if (t->seccomp.no_new_privs || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		facts |= FACT_PERMITTED | FACT_NO_NEW_PRIVS;
	if (has_sys_admin())
		facts |= FACT_PERMITTED;
	if (prctl(PR_GET_SECCOMP) > 0)
		facts |= FACT_HOST_FILTERS;
	plan_set_annex(p, &facts, sizeof(facts));
	return facts;
}

/* Linux's cost of what a thread has, as it is when one more comes. */
static unsigned path_cost(const struct seccomp_filter *f)
{
	unsigned n = 0;

	for (; f; f = f->older)
		n += f->translated + PATH_FILTER_COST;
	return n;
}

/* Puts a copy of insn in front of *chain: 0, -EINVAL, -ENOMEM. */
static int push_filter(struct seccomp_filter **chain, const struct sock_filter *insn, unsigned len)
{
	struct seccomp_filter *f;
	unsigned translated;

	if (seccomp_bpf_check(insn, len) < 0)
		return -EINVAL;
	translated = seccomp_bpf_translated(insn, len);
	if (path_cost(*chain) + translated > PATH_MAX_INSNS)
		return -ENOMEM;
	f = malloc(sizeof(*f) + len * sizeof(*insn));
	if (!f)
		return -ENOMEM;
	f->older = *chain;
	f->refs = 1;
	f->translated = translated;
	f->len = (uint16_t)len;
	memcpy(f->insn, insn, len * sizeof(*insn));
	*chain = f;
	return 0;
}

/* ---- for all threads ---- */

static bool chain_holds(const struct seccomp_filter *chain, const struct seccomp_filter *f)
{
	while (chain && chain != f)
		chain = chain->older;
	return chain == f;
}

/* Whose filters are not among t's: the oldest such thread, or NULL. */
static const struct task *diverged(const struct task *t)
{
	const struct task *found = NULL;

	for (const struct task *o = t->proc->tasks; o; o = o->next)
		if (o != t && (o->seccomp.mode == SECCOMP_MODE_STRICT || !chain_holds(t->seccomp.newest, o->seccomp.newest)))
			found = o;
	return found;
}

static void give_to_all(struct task *t, bool no_new_privs)
{
	for (struct task *o = t->proc->tasks; o; o = o->next) {
		if (o == t)
			continue;
		__atomic_add_fetch(&t->seccomp.newest->refs, 1, __ATOMIC_RELAXED);
		drop_chain(&o->seccomp.newest);
		o->seccomp.newest = t->seccomp.newest;
		o->seccomp.count = t->seccomp.count;
		o->seccomp.mode = SECCOMP_MODE_FILTER;
		o->seccomp.no_new_privs |= no_new_privs;
	}
}

/* ---- the calls ---- */

static int64_t set_filter(struct task *t, struct plan *p, uint32_t flags, uint64_t addr)
{
	bool sync = flags & SECCOMP_FILTER_FLAG_TSYNC;
	struct seccomp_filter *was = t->seccomp.newest;
	const struct task *odd;
	struct sock_filter insn[BPF_MAXINSNS];
	struct { uint16_t len; uint64_t filter; } prog; /* struct sock_fprog */
	int rc;

	if (flags & LISTENER_FLAGS && t->proc->verbose && !(flags & ~(FLAGS_KNOWN | LISTENER_FLAGS)))
		fprintf(stderr, "sandrec: seccomp: no notifications to another process: the program gets EINVAL\n");
	if (flags & ~FLAGS_KNOWN)
		return -EINVAL;
	if (guest_read(&prog, addr, sizeof(prog)) < 0)
		return -EFAULT;
	if (!prog.len || prog.len > BPF_MAXINSNS)
		return -EINVAL;
	if (!(host_facts(t, p) & FACT_PERMITTED))
		return -EACCES;
	if (!prog.filter)
		return -EINVAL;
	if (guest_read(insn, prog.filter, prog.len * sizeof(*insn)) < 0)
		return -EFAULT;
	odd = sync ? diverged(t) : NULL;
	rc = push_filter(&t->seccomp.newest, insn, prog.len);
	if (rc < 0)
		return rc;
	if (odd) {
		free(t->seccomp.newest); /* nobody has seen it */
		t->seccomp.newest = was;
		return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : odd->tid;
	}
	t->seccomp.mode = SECCOMP_MODE_FILTER;
	t->seccomp.count++;
	if (sync)
		give_to_all(t, host_facts(t, p) & FACT_NO_NEW_PRIVS);
	return 0;
}

static int64_t set_strict(struct task *t, struct plan *p)
{
	if (t->seccomp.mode == SECCOMP_MODE_FILTER || host_facts(t, p) & FACT_HOST_FILTERS)
		return -EINVAL;
	t->seccomp.mode = SECCOMP_MODE_STRICT;
	t->fault.tsc_faults = true;
	return 0;
}

static int64_t action_available(uint64_t addr)
{
	uint32_t action;

	if (guest_read(&action, addr, sizeof(action)) < 0)
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_USER_NOTIF:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return 0;
	}
	return -EOPNOTSUPP;
}

static int64_t notif_sizes(uint64_t addr)
{
	const struct seccomp_notif_sizes sizes = {
		.seccomp_notif = sizeof(struct seccomp_notif),
		.seccomp_notif_resp = sizeof(struct seccomp_notif_resp),
		.seccomp_data = sizeof(struct seccomp_data),
	};

	return guest_write(addr, &sizes, sizeof(sizes));
}

int64_t do_seccomp(struct task *t, struct plan *p)
{
	uint32_t op = (uint32_t)p->arg[0], flags = (uint32_t)p->arg[1];

	if (op == SECCOMP_SET_MODE_FILTER)
		return set_filter(t, p, flags, p->arg[2]);
	if (flags)
		return -EINVAL;
	switch (op) {
	case SECCOMP_SET_MODE_STRICT:
		return p->arg[2] ? -EINVAL : set_strict(t, p);
	case SECCOMP_GET_ACTION_AVAIL:
		return action_available(p->arg[2]);
	case SECCOMP_GET_NOTIF_SIZES:
		return notif_sizes(p->arg[2]);
	}
	return -EINVAL;
}

int64_t do_prctl_set_seccomp(struct task *t, struct plan *p)
{
	switch (p->arg[1]) {
	case SECCOMP_MODE_STRICT:
		return set_strict(t, p);
	case SECCOMP_MODE_FILTER:
		return set_filter(t, p, 0, p->arg[2]);
	}
	return -EINVAL;
}

/* A thread is told by another one, whose host thread cannot tell the kernel for it. */
int64_t do_prctl_get_no_new_privs(struct task *t, struct plan *p)
{
	bool plain = !p->arg[1] && !p->arg[2] && !p->arg[3] && !p->arg[4];

	return plain && t->seccomp.no_new_privs ? 1 : plan_forward(p, t);
}

/* What the host says counts where sandrec itself runs under a filter: so would the program. */
int64_t do_prctl_get_seccomp(struct task *t, struct plan *p)
{
	return t->seccomp.mode ? t->seccomp.mode : plan_forward(p, t);
}

/* ---- evaluating ---- */

/* The strictest answer of all filters; of equal ones the newest filter's. */
static uint32_t run_filters(const struct seccomp_state *s, const struct seccomp_data *d)
{
	uint32_t verdict = SECCOMP_RET_ALLOW;

	for (const struct seccomp_filter *f = s->newest; f; f = f->older) {
		uint32_t v = seccomp_bpf_run(f->insn, f->len, d);

		if ((int32_t)(v & SECCOMP_RET_ACTION_FULL) < (int32_t)(verdict & SECCOMP_RET_ACTION_FULL))
			verdict = v;
	}
	return verdict;
}

static uint32_t filter_verdict(const struct task *t)
{
	const struct guest_regs *r = t->regs;
	const struct seccomp_data d = {
		.nr = (int)r->rax,
		.arch = AUDIT_ARCH_X86_64,
		.instruction_pointer = r->rip,
		.args = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 },
	};

	return run_filters(&t->seccomp, &d);
}

static uint32_t strict_verdict(uint32_t nr)
{
	switch (nr) {
	case SYS_read:
	case SYS_write:
	case SYS_exit:
	case SYS_rt_sigreturn:
		return SECCOMP_RET_ALLOW;
	}
	return SECCOMP_RET_KILL_THREAD;
}

/* Clocks that Linux's vDSO reads without a system call; in strict mode those for which it needs no rdtsc. */
static bool vdso_clock(uint32_t clock, bool strict)
{
	switch (clock) {
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return true;
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return !strict;
	}
	return false;
}

/* Our vDSO makes calls where Linux's makes none: no filter of the guest was made for them. */
static bool from_vdso(const struct task *t)
{
	const struct guest_regs *r = t->regs;
	bool strict = t->seccomp.mode == SECCOMP_MODE_STRICT;

	if (!t->proc->vdso || r->rip - t->proc->vdso >= guest_vdso_size)
		return false;
	switch ((uint32_t)r->rax) {
	case SYS_time:
	case SYS_getcpu:
		return true;
	case SYS_gettimeofday:
		return !strict;
	case SYS_clock_gettime:
	case SYS_clock_getres:
		return vdso_clock((uint32_t)r->rdi, strict);
	}
	return false;
}

static int64_t refuse(struct task *t, struct plan *p);
static const struct sys_desc refusal = { .name = "seccomp", .replay = REDO, .emulate = refuse };

bool seccomp_is_refusal(const struct sys_desc *desc)
{
	return desc == &refusal;
}

const struct sys_desc *seccomp_filtered_row(struct task *t, const struct sys_desc *desc)
{
	struct seccomp_state *s = &t->seccomp;
	uint32_t action;

	if (!s->mode || from_vdso(t))
		return desc;
	s->call_addr = t->regs->rip;
	s->verdict = s->mode == SECCOMP_MODE_STRICT ? strict_verdict((uint32_t)t->regs->rax) : filter_verdict(t);
	action = s->verdict & SECCOMP_RET_ACTION_FULL;
	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG ? desc : &refusal;
}

/* ---- what happens instead ---- */

static void trap(struct task *t, uint16_t data)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	si.si_signo = SIGSYS;
	si.si_code = SYS_SECCOMP;
	si.si_errno = data;
	si.si_call_addr = (void *)(uintptr_t)t->seccomp.call_addr;
	si.si_syscall = (int)t->regs->rax;
	si.si_arch = AUDIT_ARCH_X86_64;
	signal_deliver(t, &si, true);
}

/* Strict mode ends the thread without a signal's core dump, a filter by SIGSYS; the process, if it is the last thread. */
static void kill_task(struct task *t, struct plan *p, bool all)
{
	if (t->proc->verbose)
		fprintf(stderr, "sandrec: the program's own system call filter ends it at call %u\n",
			(unsigned)(uint32_t)t->regs->rax);
	t->dead = true;
	t->wait_status = t->seccomp.mode == SECCOMP_MODE_STRICT ? SIGKILL : SIGSYS | 0x80;
	if (all)
		return;
	futex_pi_owner_died(t, p);
	thread_release_memory(t);
	t->only_thread = t->proc->nthreads > 1;
}

static int64_t refuse(struct task *t, struct plan *p)
{
	uint16_t data = t->seccomp.verdict & SECCOMP_RET_DATA;

	switch (t->seccomp.verdict & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ERRNO:
		return data > MAX_ERRNO ? -MAX_ERRNO : -(int64_t)data;
	case SECCOMP_RET_USER_NOTIF: /* nobody listens */
	case SECCOMP_RET_TRACE:      /* nobody traces */
		return -ENOSYS;
	case SECCOMP_RET_TRAP:
		trap(t, data);
		return SYS_REGS_SET;
	}
	kill_task(t, p, (t->seccomp.verdict & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_KILL_THREAD);
	return SYS_REGS_SET;
}

/* ---- over an execution ---- */

struct saved_state { uint32_t mode, count; };   /* then the filters, oldest first: */
struct saved_filter { uint32_t len, reserved; };/* then len instructions */

int seccomp_save(const struct task *t, void **blob, uint32_t *len)
{
	const struct saved_state head = { t->seccomp.mode, t->seccomp.count };
	size_t size = sizeof(head);
	char *at;

	for (const struct seccomp_filter *f = t->seccomp.newest; f; f = f->older)
		size += sizeof(struct saved_filter) + f->len * sizeof(*f->insn);
	*blob = malloc(size);
	if (!*blob)
		return -ENOMEM;
	*len = (uint32_t)size; /* PATH_MAX_INSNS keeps it small */
	memcpy(*blob, &head, sizeof(head));
	at = (char *)*blob + size;
	for (const struct seccomp_filter *f = t->seccomp.newest; f; f = f->older) {
		const struct saved_filter sf = { .len = f->len };

		at -= f->len * sizeof(*f->insn);
		memcpy(at, f->insn, f->len * sizeof(*f->insn));
		at -= sizeof(sf);
		memcpy(at, &sf, sizeof(sf));
	}
	return 0;
}

/* Takes one filter off the front of the bytes. */
static int restore_filter(struct seccomp_filter **chain, const char **at, uint32_t *left)
{
	struct sock_filter insn[BPF_MAXINSNS];
	struct saved_filter sf;
	uint32_t size;
	int rc;

	if (*left < sizeof(sf))
		return -EBADMSG;
	memcpy(&sf, *at, sizeof(sf));
	if (sf.len > BPF_MAXINSNS)
		return -EBADMSG;
	size = sf.len * (uint32_t)sizeof(*insn);
	if (*left - sizeof(sf) < size)
		return -EBADMSG;
	memcpy(insn, *at + sizeof(sf), size);
	rc = push_filter(chain, insn, sf.len);
	*at += sizeof(sf) + size;
	*left -= (uint32_t)sizeof(sf) + size;
	return rc == -EINVAL ? -EBADMSG : rc;
}

int seccomp_restore(struct task *t, const void *blob, uint32_t len)
{
	__attribute__((cleanup(drop_chain))) struct seccomp_filter *chain = NULL;
	struct saved_state head;
	const char *at = blob;
	int rc;

	if (len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	len -= sizeof(head);
	/* Strict mode cannot execute anything; a filter counts for some instructions, so that count is bounded by them. */
	if (head.mode != (head.count ? SECCOMP_MODE_FILTER : SECCOMP_MODE_DISABLED))
		return -EBADMSG;
	for (uint32_t i = 0; i < head.count; i++) {
		rc = restore_filter(&chain, &at, &len);
		if (rc < 0)
			return rc;
	}
	if (len)
		return -EBADMSG;
	t->seccomp = (struct seccomp_state){ .mode = (uint8_t)head.mode, .count = head.count, .newest = chain };
	chain = NULL;
	return 0;
}
