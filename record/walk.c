/* Instruction by instruction through the program's own code. Contract: walk.h. */
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "record/meeting.h"
#include "record/sched.h"
#include "record/walk.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/process.h"
#include "vmm/access.h"
#include "vmm/branches.h"

#define CODE_MAX 15
#define RED_ZONE 128
#define OWN_STACK (256u << 10)  /* so far above the stack pointer the thread's own frames are taken to be */
#define STACK_WORDS 512         /* looked at for the address a library returns to */
#define BLOCK_WORDS 320         /* of a new thread's control block, where libc keeps its function */

static size_t read_guest(uint64_t addr, void *buf, size_t len)
{
	struct iovec local = { buf, len }, remote = { (void *)(uintptr_t)addr, len };
	ssize_t n;

	if (!guest_range_ok(addr, len))
		return 0;
	n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	return n < 0 ? 0 : (size_t)n;
}

/* Up to the end of its page when the next one is not there. */
static size_t read_code(uint64_t addr, uint8_t *code)
{
	size_t n = read_guest(addr, code, CODE_MAX), page = PAGE_SIZE_4K - addr % PAGE_SIZE_4K;

	return n || page >= CODE_MAX ? n : read_guest(addr, code, page);
}

static bool own_code(const struct task *t, uint64_t addr)
{
	return addr >= t->proc->start_code && addr < t->proc->end_code;
}

/* ---- through libraries ---- */

static bool behind_call(uint64_t addr)
{
	uint8_t b[7];

	if (read_guest(addr - sizeof(b), b, sizeof(b)) != sizeof(b))
		return false;
	if (b[2] == 0xe8)
		return true;
	for (unsigned len = 2; len <= 7; len++) /* call through a register or memory */
		if (b[7 - len] == 0xff && (b[8 - len] >> 3 & 7) == 2)
			return true;
	return false;
}

/* Nothing says where a library was called from that was not seen doing so; its stack most likely does. */
static uint64_t search_stack(const struct task *t)
{
	uint64_t word[STACK_WORDS];
	size_t n = read_guest(t->regs->rsp, word, sizeof(word)) / sizeof(word[0]);

	if (!n)
		n = read_guest(t->regs->rsp, word, PAGE_SIZE_4K - t->regs->rsp % PAGE_SIZE_4K) / sizeof(word[0]);
	for (size_t i = 0; i < n; i++)
		if (own_code(t, word[i]) && behind_call(word[i]))
			return word[i];
	return 0;
}

/* A thread that has just been made has not been in the program's code: its function is in what fs points to. */
static uint64_t search_block(const struct task *t)
{
	uint64_t word[BLOCK_WORDS];
	size_t n = t->regs->fs_base ? read_guest(t->regs->fs_base, word, sizeof(word)) / sizeof(word[0]) : 0;

	for (size_t i = 0; i < n; i++)
		if (own_code(t, word[i]))
			return word[i];
	return 0;
}

static int run_to_own(struct walk *w, struct task *t)
{
	const struct tramp_cond always = { .always = true };
	uint64_t to = w->back && t->regs->rsp < w->back_rsp ? w->back : search_stack(t);

	if (!to)
		to = search_block(t);
	w->armed = to && landmark_arm(t, to, &always) == 0 && landmark_armed(t);
	return 0;
}

/* A call from the program's code has led elsewhere; by way of a table that is filled at first use more lies on the stack. */
static void note_return(struct walk *w, const struct task *t)
{
	uint64_t word[4];
	size_t n = read_guest(t->regs->rsp, word, sizeof(word)) / sizeof(word[0]);

	w->back = 0;
	for (size_t i = 0; i < n && !w->back; i++)
		if (own_code(t, word[i]) && behind_call(word[i])) {
			w->back = word[i];
			w->back_rsp = t->regs->rsp + (i + 1) * sizeof(word[0]);
		}
}

/* ---- the program's own code ---- */

/* Not what lies in the thread's own frames: what of that is shared, others use by pointers. */
static bool outside_stack(uint64_t addr, const struct guest_regs *r)
{
	return addr < r->rsp - RED_ZONE || addr >= r->rsp + OWN_STACK;
}

static bool others_may_see(const struct insn_access *a, const struct guest_regs *r)
{
	return a->memory && !a->thread_local && outside_stack(insn_access_address(a, r), r);
}

/* Can replay stop here? */
static bool markable(const struct task *t)
{
	struct landmark_place p;

	return landmark_look(t, t->regs->rip, &p) == 0 && !p.string;
}

/*
 * The call of a library, by way of its table of addresses, most likely changes what the first argument points to: a lock,
 * a condition, a block of the heap.
 */
static void note_call(const struct task *t, struct tree *tree)
{
	uint64_t arg = t->regs->rdi;
	const struct vma *v = mm_find(t->proc->mm, arg);

	if (v && v->prot & PROT_WRITE && outside_stack(arg, t->regs))
		meeting_note(tree, t->tid, t->regs->rip, arg, true);
}

static bool is_place(const struct task *t, struct tree *tree)
{
	struct insn_access a;
	uint8_t code[CODE_MAX];

	if (process_self.marked && !meeting_marked(tree, t->regs->rip))
		return false;
	if (insn_access_decode(code, read_code(t->regs->rip, code), t->regs->rip, &a) < 0 || !others_may_see(&a, t->regs))
		return false;
	if (a.jumps)
		note_call(t, tree);
	else
		meeting_note(tree, t->tid, t->regs->rip, insn_access_address(&a, t->regs), a.writes);
	return markable(t);
}

int walk_resume(struct walk *w, struct task *t, struct landing *l, struct tree *tree)
{
	int rc;

	if (w->armed && landmark_armed(t))
		return 0;
	w->armed = false;
	while (sched_steps(t)) {
		if (!own_code(t, t->regs->rip))
			return run_to_own(w, t);
		if (!w->stood && is_place(t, tree) && sched_place(t)) {
			w->stood = true;
			return landing_place(l, t);
		}
		w->stood = false;
		vcpu_branches_disarm(t->vcpu); /* of the slice, which then is over when its time is */
		sched_counts(t, false);
		rc = task_step(t);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			t->at_stop = true;
			return TASK_STOPPED;
		}
		if (!own_code(t, t->regs->rip))
			note_return(w, t);
	}
	return 0;
}

bool walk_over(struct walk *w, struct task *t)
{
	bool armed = w->armed;

	if (armed)
		landmark_disarm(t);
	w->armed = false;
	return armed;
}
