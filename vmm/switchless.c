/* Switchless system calls: pages, gate, and what a stop inside guestlib's code means. Contract: switchless.h. */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guestlib/stubs.h"
#include "vmm/cleanup.h"
#include "vmm/switchless_int.h"

_Static_assert(GREG_RAX == 0 && GREG_R15 == 15 && GREG_RIP == 16 && GREG_FS_BASE == 18 && GREG_GS_BASE == 19,
	       "guestlib/switchless.S has these numbers");

#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
/* As vcpu_setup.c has it, but for IF, which nothing but an exit would set again. */
#define FMASK (0x257fd5ULL & ~RFLAGS_IF)

#define PAUSE_NS 20      /* roughly: 10 to 60 by processor */
#define TURNS 2000       /* of waiting for the server before sleeping */
#define LATE_NS 2000000
#define STUCK 8          /* a server that lost its processor in the middle of a call: worse than requests that nobody took */

static uint32_t *word(const struct switchless *s, unsigned offset)
{
	return (uint32_t *)(s->data + offset);
}

static uint32_t state_of(const struct switchless *s)
{
	return __atomic_load_n(word(s, ABI_SW_STATE), __ATOMIC_ACQUIRE);
}

bool switchless_useful(const struct vcpu *v)
{
	return v->calls_seen && !v->vm->syscall_cpl0 && !v->clock.on;
}

/* ---- making it ---- */

static int set_msrs(struct vcpu *v)
{
	const struct kvm_msr_entry e[] = {
		{ .index = MSR_FMASK, .data = FMASK },
		{ .index = MSR_LSTAR, .data = SWITCHLESS_BASE },
	};
	cleanup_free struct kvm_msrs *m = calloc(1, sizeof(*m) + sizeof(e));
	int rc;

	if (!m)
		return -ENOMEM;
	m->nmsrs = sizeof(e) / sizeof(e[0]);
	memcpy(m->entries, e, sizeof(e));
	rc = kvm_ioctl(v->fd, KVM_SET_MSRS, m);
	return rc < 0 ? rc : rc == (int)m->nmsrs ? 0 : -EIO;
}

int switchless_install(struct vcpu *v, uint64_t looks_ns, struct switchless **out)
{
	struct switchless *s = &v->vm->switchless;
	uint64_t code_at, data_at;
	uint8_t *code;
	int rc;

	if (!s->data) {
		code = vm_own_page(v->vm, &code_at);
		s->data = code ? vm_own_page(v->vm, &data_at) : NULL;
		if (!s->data)
			return -ENOMEM;
		memcpy(code, guestlib_switchless, guestlib_switchless_size);
		*word(s, ABI_SW_SPINS) = (uint32_t)(looks_ns / PAUSE_NS);
		s->bases = v->user.cr4 & CR4_FSGSBASE;
		*word(s, ABI_SW_BASES) = s->bases;
		s->gate = GATE_CLOSED;
		rc = pt_lend_own(v->vm, SWITCHLESS_BASE + ABI_SW_CODE, code_at, false);
		if (rc == 0)
			rc = pt_lend_own(v->vm, SWITCHLESS_BASE + ABI_SW_DATA, data_at, true);
		if (rc < 0) {
			s->data = NULL;
			return rc;
		}
	}
	*out = s;
	return switchless_join(v);
}

int switchless_join(struct vcpu *v)
{
	int rc = v->switchless ? 0 : set_msrs(v);

	v->switchless |= rc == 0;
	return rc;
}

/* ---- the vCPU's thread ---- */

void switchless_allow(struct switchless *s, bool allow)
{
	s->allowed = allow;
}

void switchless_late(struct switchless *s, void (*late)(void *arg), void *arg)
{
	s->late = late;
	s->late_arg = arg;
}

uint64_t switchless_missed(const struct switchless *s)
{
	return s->missed;
}

void switchless_enter(struct switchless *s)
{
	if (!s->data)
		return;
	__atomic_store_n(word(s, ABI_SW_OPEN), s->allowed, __ATOMIC_RELAXED);
	if (s->allowed)
		__atomic_store_n(&s->gate, GATE_OPEN, __ATOMIC_SEQ_CST);
}

static bool move_gate(struct switchless *s, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&s->gate, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void switchless_leave(struct switchless *s)
{
	const struct timespec late = { .tv_nsec = LATE_NS };
	unsigned turns = 0;

	if (!s->data || !s->allowed)
		return;
	while (!move_gate(s, GATE_OPEN, GATE_CLOSED)) {
		if (turns++ < TURNS) {
			__builtin_ia32_pause();
			continue;
		}
		s->missed += turns == TURNS + 1 ? STUCK : 0;
		if ((move_gate(s, GATE_SERVING, GATE_AWAITED) || s->gate == GATE_AWAITED) &&
		    syscall(SYS_futex, &s->gate, FUTEX_WAIT_PRIVATE, GATE_AWAITED, &late, NULL, 0) < 0 && errno == ETIMEDOUT &&
		    s->late)
			s->late(s->late_arg);
	}
}

bool switchless_inside(const struct switchless *s, uint64_t rip)
{
	return s->data && rip - SWITCHLESS_BASE < PAGE_SIZE_4K;
}

/* On the way in from a jump patch: flags and stack pointer may be elsewhere. */
static void resolve_jump(const struct switchless *s, struct guest_regs *r)
{
	uint64_t off = r->rip - SWITCHLESS_BASE;

	if (off >= ABI_SW_JUMP_FLAGS)
		return;
	if (off >= ABI_SW_JUMP_STACK)
		memcpy(&r->rsp, s->data + ABI_SW_RSP, sizeof(r->rsp));
	r->r11 = r->rflags;
}

bool switchless_resolve(struct switchless *s, struct guest_regs *r)
{
	const uint64_t off = r->rip - SWITCHLESS_BASE;
	bool jumped = off >= ABI_SW_JUMP && off < ABI_SW_RING, saved = off > ABI_SW_SAVED && !jumped, made = false;
	const uint64_t fs_base = r->fs_base, gs_base = r->gs_base;
	uint64_t rip = r->rcx;

	if (jumped)
		resolve_jump(s, r);
	if (saved) {
		uint32_t state = state_of(s);

		memcpy(r, s->data + ABI_SW_REGS, sizeof(*r));
		if (state == ABI_SW_TAKEN)
			memcpy(&r->rax, s->data + ABI_SW_RESULT, sizeof(r->rax));
		made = state == ABI_SW_DONE || state == ABI_SW_LEAVE || state == ABI_SW_TAKEN;
		rip = made ? r->rip : r->rcx;
		s->missed += state == ABI_SW_REQUEST;
		__atomic_store_n(word(s, ABI_SW_STATE), ABI_SW_IDLE, __ATOMIC_RELAXED);
	}
	r->rip = rip;
	r->rflags = r->r11;
	r->fs_base = fs_base;
	r->gs_base = gs_base;
	return made;
}

/* ---- the server's thread ---- */

bool switchless_take(struct switchless *s)
{
	if (state_of(s) != ABI_SW_REQUEST || !move_gate(s, GATE_OPEN, GATE_SERVING))
		return false;
	/* The request may have been withdrawn before the gate was ours. */
	if (state_of(s) != ABI_SW_REQUEST) {
		switchless_release(s);
		return false;
	}
	return true;
}

void switchless_request(const struct switchless *s, struct guest_regs *r)
{
	const uint64_t fs_base = r->fs_base, gs_base = r->gs_base;

	memcpy(r, s->data + ABI_SW_REGS, sizeof(*r));
	r->rip = r->rcx;
	r->rflags = r->r11;
	if (!s->bases) {
		r->fs_base = fs_base;
		r->gs_base = gs_base;
	}
}

static void put_answer(struct switchless *s, const struct guest_regs *r, uint32_t state)
{
	if (state != ABI_SW_DECLINED && state != ABI_SW_AGAIN) {
		memcpy(s->data + ABI_SW_REGS + GREG_RAX * 8, &r->rax, sizeof(r->rax));
		memcpy(s->data + ABI_SW_REGS + GREG_RIP * 8, &r->rip, sizeof(r->rip));
	}
	__atomic_store_n(word(s, ABI_SW_STATE), state, __ATOMIC_RELEASE);
}

void switchless_answer(struct switchless *s, const struct guest_regs *r, uint32_t state)
{
	put_answer(s, r, state);
	switchless_release(s);
}

void switchless_answer_early(struct switchless *s, const struct guest_regs *r)
{
	put_answer(s, r, ABI_SW_DONE);
}

bool switchless_hold(struct switchless *s)
{
	return __atomic_load_n(&s->gate, __ATOMIC_RELAXED) == GATE_OPEN && move_gate(s, GATE_OPEN, GATE_SERVING);
}

void switchless_release(struct switchless *s)
{
	/* Opened by us, so ours until here, whatever the guest has written meanwhile. */
	if (__atomic_exchange_n(&s->gate, GATE_OPEN, __ATOMIC_SEQ_CST) == GATE_AWAITED)
		syscall(SYS_futex, &s->gate, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void switchless_doze(struct switchless *s)
{
	__atomic_store_n(word(s, ABI_SW_OPEN), 0, __ATOMIC_SEQ_CST);
}
