/* Landmarks in a running task. Contract: landmark.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xxhash.h>

#include "syscall-emu/fingerprint.h"
#include "syscall-emu/landmark.h"
#include "syscall-emu/mm.h"
#include "vmm/branches.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"
#include "vmm/layout.h"

#define XSAVE_XMM 160 /* in the legacy area */
#define V_DB 1
#define V_UD 6
#define V_GP 13
#define V_PF 14
#define PF_WRITE 2u
#define RFLAGS_TF 0x100ULL
#define RFLAGS_RF 0x10000ULL
#define STACK_GUARD_GAP 0x100000ULL
#define PAGE_MASK (~(PAGE_SIZE_4K - 1))
#define WRITES_MAX 32 /* of data beside its code, it seems: stopping each would take for ever */

struct landmark {
	struct vm *vm;             /* whose overlay it is, and in which process */
	pid_t pid;
	struct vm_overlay overlay;
	struct tramp tramp;
	bool armed;
	uint64_t guard, guard_len; /* pages of the site that the guest may write, kept from it: 0 = none */
	int guard_prot;
	struct tramp_cond cond;
	uint64_t left, counted;    /* of cond.count */
	unsigned detours;
	unsigned written;          /* how often the guard stopped a write */
	bool touched;              /* one was to the site itself: a bad place */
	uint64_t written_site;     /* which site that is about */
	bool step;                 /* the next instruction runs alone, disarmed: it writes there, or cannot be displaced */
	bool stepping;
};

/* ---- where a site can be ---- */

/* Code that may be changed: private, so that nobody else sees it. */
static const struct vma *code_at(const struct task *t, uint64_t addr)
{
	const struct vma *v = mm_find(t->proc->mm, addr);

	return v && v->prot & PROT_EXEC && !(v->flags & MAP_SHARED) ? v : NULL;
}

static int survey(const struct task *t, uint64_t addr, struct tramp *tr)
{
	const struct vma *v = code_at(t, addr);
	uint8_t code[TRAMP_SITE_MAX];
	uint64_t avail;

	if (!v)
		return -EOPNOTSUPP;
	avail = v->end - addr < sizeof(code) ? v->end - addr : sizeof(code);
	if (guest_read(code, addr, avail) < 0) {
		avail = PAGE_SIZE_4K - addr % PAGE_SIZE_4K;
		if (avail > sizeof(code) || guest_read(code, addr, avail) < 0)
			return -EOPNOTSUPP;
	}
	return tramp_survey(tr, addr, code, avail);
}

/* Nothing of the guest's there, nor where a stack may grow to while we are there. */
static bool pages_free(const struct task *t, uint64_t start, uint64_t end)
{
	const struct mm *mm = t->proc->mm;
	const struct vma *v = NULL;

	if (start < GUEST_MIN || end > GUEST_TOP || !mm_range_ok(mm, start, end - start))
		return false;
	if (end > GUEST_STACK_TOP - GUEST_STACK_MAX - STACK_GUARD_GAP && start < GUEST_STACK_TOP)
		return false;
	while ((v = mm_next(mm, v))) {
		uint64_t gap = v->flags & MAP_GROWSDOWN ? STACK_GUARD_GAP : 0;

		if (start < v->end && end > v->start - (gap < v->start ? gap : v->start))
			return false;
	}
	return true;
}

/* Is there room for the trampoline where a jump from the site can reach? */
static bool reachable(const struct task *t, const struct tramp *tr)
{
	uint64_t base;

	for (unsigned i = 0; tramp_candidate(tr, i, &base); i++) {
		uint64_t start = base & PAGE_MASK;

		if (base >= GUEST_MIN && base < GUEST_TOP && pages_free(t, start, start + TRAMP_PAGES * PAGE_SIZE_4K))
			return true;
	}
	return false;
}

int landmark_look(const struct task *t, uint64_t addr, struct landmark_place *p)
{
	struct tramp tr;
	int rc = survey(t, addr, &tr);

	if (rc == 0)
		*p = (struct landmark_place){
			.good = tr.patch_len > 1 && !tr.crossed && reachable(t, &tr),
			.string = tr.insn[0].string, .ends = tr.insn[0].ends,
			.next = addr + tr.insn[0].len, .target = tr.insn[0].target,
		};
	return rc;
}

/* ---- changing code ---- */

/*
 * A way to write to pages the program may not write: a private copy is made, protections stay. A process that the sandbox
 * keeps from opening that file has to change them for a moment.
 */
static int write_code(const struct task *t, uint64_t addr, const uint8_t *bytes, size_t len)
{
	cleanup_close int fd = proc_self_open("mem", O_RDWR);

	if (fd < 0)
		return mm_poke(t->proc->mm, addr, bytes, len);
	return pwrite(fd, bytes, len, (off_t)addr) == (ssize_t)len ? 0 : -EIO;
}

/*
 * A program that writes to the page of its own code may write where the site is. Its pages are kept from writing, guest
 * entry first, host call second (vmm/vm.h).
 */
static int guard_site(struct task *t, struct landmark *lm)
{
	const struct vma *v = code_at(t, lm->tramp.addr);
	uint64_t start = lm->tramp.addr & PAGE_MASK, end = (lm->tramp.addr + lm->tramp.patch_len + PAGE_SIZE_4K - 1) & PAGE_MASK;
	int rc;

	lm->guard = 0;
	if (lm->written_site != lm->tramp.addr) {
		lm->written = 0;
		lm->touched = false;
	}
	lm->written_site = lm->tramp.addr;
	if (!v || !(v->prot & PROT_WRITE) || lm->written >= WRITES_MAX)
		return 0;
	lm->guard_len = end - start;
	lm->guard_prot = v->prot;
	rc = vm_allow(t->proc->vm, start, lm->guard_len, v->prot & ~PROT_WRITE, false);
	if (rc < 0)
		return rc;
	lm->guard = start;
	return mprotect((void *)(uintptr_t)start, lm->guard_len, (v->prot & ~PROT_WRITE) | PROT_READ) < 0 ? -errno : 0;
}

static void unguard_site(struct task *t, struct landmark *lm)
{
	if (!lm->guard)
		return;
	mprotect((void *)(uintptr_t)lm->guard, lm->guard_len, lm->guard_prot | PROT_READ);
	vm_allow(t->proc->vm, lm->guard, lm->guard_len, lm->guard_prot, false);
	lm->guard = 0;
}

/* ---- arming ---- */

static struct landmark *landmark_of(struct task *t)
{
	struct landmark *lm = t->proc->landmark;

	/* The child of a fork has a VM of its own, perhaps at the same address. */
	if (lm && lm->vm == t->proc->vm && lm->pid == getpid())
		return lm;
	lm = calloc(1, sizeof(*lm));
	if (!lm)
		return NULL;
	lm->vm = t->proc->vm;
	lm->pid = getpid();
	if (vm_overlay_create(t->proc->vm, TRAMP_PAGES, &lm->overlay) < 0) {
		free(lm);
		return NULL;
	}
	t->proc->landmark = lm;
	return lm;
}

/* A word of memory as the program has it. */
static int read_word(const struct task *t, uint64_t addr, uint64_t *value)
{
	int rc = guest_read(value, addr, sizeof(*value));

	if (rc == 0)
		landmark_hide(t, addr, (uint8_t *)value, sizeof(*value));
	return rc;
}

/*
 * By the table, as what the compiler has for it asks the processor two dozen times at the start of every image: 0.1 ms where
 * cpuid leaves a virtual machine.
 */
static bool has_sse41(const struct task *t)
{
	struct kvm_cpuid_entry2 e;

	cpu_table_query(vm_cpu(t->proc->vm), 1, 0, &e);
	return e.ecx >> 19 & 1;
}

/* The condition's words as far as the guest can read them: a fault in the trampoline would be seen by the program. */
static struct tramp_cond readable(const struct task *t, uint64_t site, const struct tramp_cond *c)
{
	struct tramp_cond r = *c;
	uint64_t value;

	r.nwords = 0;
	for (unsigned i = 0; i < c->nwords; i++) {
		const struct vma *v = mm_find(t->proc->mm, c->word[i].addr);

		if (c->word[i].addr < TRAMP_LANES && has_sse41(t))
			r.word[r.nwords++] = c->word[i];

		/* The guest's own view of a word inside the site is the jump. */
		if (c->word[i].addr + 8 - site < TRAMP_JUMP_LEN + 8)
			continue;
		if (v && v->prot && v->end - c->word[i].addr >= 8 && guest_read(&value, c->word[i].addr, 8) == 0)
			r.word[r.nwords++] = c->word[i];
	}
	return r;
}

static int place(struct task *t, struct landmark *lm, const struct tramp_cond *c, uint8_t *code)
{
	uint64_t base, start;

	for (unsigned i = 0; tramp_candidate(&lm->tramp, i, &base); i++) {
		start = base & PAGE_MASK;
		if (base < GUEST_MIN || base >= GUEST_TOP || !pages_free(t, start, start + TRAMP_PAGES * PAGE_SIZE_4K))
			continue;
		if (tramp_generate(&lm->tramp, base, c, code) == 0 && vm_overlay_place(t->proc->vm, &lm->overlay, start) == 0)
			return 0;
	}
	return -ENOSPC;
}

static struct tramp_saved *saved(struct landmark *lm)
{
	return (void *)(lm->overlay.host + TRAMP_CODE_PAGES * PAGE_SIZE_4K);
}

/* Brings the count up to what the trampoline has counted. */
static void read_count(struct landmark *lm)
{
	uint64_t now = saved(lm)->left;

	/* Without a jump holds() counts. */
	if (!lm->cond.count || !lm->armed || lm->tramp.patch_len == 1)
		return;
	lm->counted += lm->left - now;
	lm->left = now;
}

static void show_code(struct landmark *lm, const uint8_t *code)
{
	memcpy(lm->overlay.host + lm->tramp.base % PAGE_SIZE_4K, code, lm->tramp.size);
}

/* The same site with another condition. */
static int change_condition(struct landmark *lm, const struct tramp_cond *c)
{
	uint8_t code[TRAMP_CODE_MAX];
	int rc = tramp_generate(&lm->tramp, lm->tramp.base, c, code);

	if (rc == 0)
		show_code(lm, code);
	return rc;
}

int landmark_arm(struct task *t, uint64_t addr, const struct tramp_cond *c)
{
	struct landmark *lm = landmark_of(t);
	struct tramp_cond usable = readable(t, addr, c);
	uint8_t code[TRAMP_CODE_MAX];
	int rc;

	if (!lm)
		return -ENOMEM;
	/* A program that steps through itself would step through the trampoline. */
	if (t->regs->rflags & RFLAGS_TF)
		return -EOPNOTSUPP;
	if (lm->step)
		return 0;
	vcpu_branches_spoil(t->vcpu); /* trampolines have branches */
	if (lm->armed && lm->tramp.addr == addr && change_condition(lm, &usable) == 0) {
		lm->cond = usable;
		return 0;
	}
	landmark_disarm(t);
	rc = survey(t, addr, &lm->tramp);
	if (rc == 0)
		rc = place(t, lm, &usable, code);
	if (rc == -ENOSPC && lm->tramp.patch_len > 1) {
		/* One instruction's copy has fewer wishes. */
		lm->tramp.patch_len = lm->tramp.n = 1;
		lm->tramp.len = lm->tramp.insn[0].len;
		rc = place(t, lm, &usable, code);
	}
	if (rc < 0)
		return rc;
	show_code(lm, code);
	lm->cond = usable;
	saved(lm)->left = lm->left = usable.count;
	lm->counted = 0;
	lm->detours = 0;
	lm->armed = true;
	rc = write_code(t, addr, lm->tramp.patch, lm->tramp.patch_len);
	if (rc == 0)
		rc = guard_site(t, lm);
	if (rc < 0)
		landmark_disarm(t);
	return rc;
}

void landmark_disarm(struct task *t)
{
	struct landmark *lm = t->proc->landmark;

	if (!landmark_armed(t))
		return;
	read_count(lm);
	unguard_site(t, lm);
	if (write_code(t, lm->tramp.addr, lm->tramp.code, lm->tramp.patch_len) < 0) {
		static const char text[] = "sandrec: internal error: cannot restore the program's code\n";

		if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
			/* Nobody can be told. */
		}
		abort();
	}
	vm_overlay_remove(t->proc->vm, &lm->overlay);
	lm->armed = false;
}

bool landmark_armed(const struct task *t)
{
	return t->proc->landmark && t->proc->landmark->armed;
}

uint64_t landmark_counted(struct task *t)
{
	struct landmark *lm = t->proc->landmark;
	uint64_t n;

	if (!lm)
		return 0;
	read_count(lm);
	n = lm->counted;
	lm->counted = 0;
	return n;
}

unsigned landmark_detours(const struct task *t)
{
	const struct landmark *lm = t->proc->landmark;

	return !lm ? 0 : lm->touched ? UINT_MAX : lm->detours;
}

void landmark_hide(const struct task *t, uint64_t addr, uint8_t *bytes, size_t len)
{
	const struct landmark *lm = t->proc->landmark;

	if (!landmark_armed(t))
		return;
	for (unsigned i = 0; i < lm->tramp.patch_len; i++)
		if (lm->tramp.addr + i - addr < len)
			bytes[lm->tramp.addr + i - addr] = lm->tramp.code[i];
}

/* ---- the run ---- */

void landmark_enter(struct task *t)
{
	struct landmark *lm = t->proc->landmark;

	if (!lm)
		return;
	if (lm->step) {
		lm->step = false;
		lm->stepping = true;
		t->regs->rflags |= RFLAGS_TF;
	}
	if (lm->armed)
		t->regs->rip = tramp_resume(&lm->tramp, t->regs->rip);
}

/* The trampoline's own trap, or the one that stands for the whole site. */
static bool at_hit(const struct task *t, const struct landmark *lm)
{
	if (t->stop.stop != VCPU_EXCEPTION || t->stop.vector != V_UD)
		return false;
	return t->regs->rip == lm->tramp.base + lm->tramp.hit ||
	       (lm->tramp.count_hit && t->regs->rip == lm->tramp.base + lm->tramp.count_hit) ||
	       (lm->tramp.patch_len == 1 && t->regs->rip == lm->tramp.addr);
}

/* For a site without a jump, what the trampoline would find out. The vector registers among the words are left to others. */
static bool holds(const struct task *t, struct landmark *lm)
{
	const struct tramp_cond *c = &lm->cond;
	uint64_t now;

	if (c->count) {
		lm->counted++;
		if (--lm->left == 0)
			return true;
	}
	if (c->always || c->never)
		return c->always;
	if (memcmp(t->regs->r, c->regs.r, 16 * sizeof(c->regs.r[0])))
		return false;
	for (unsigned i = 0; i < c->nwords; i++)
		if (c->word[i].addr >= TRAMP_LANES && (read_word(t, c->word[i].addr, &now) < 0 || now != c->word[i].value))
			return false;
	return true;
}

/* A jump from elsewhere into the middle of what the site covers: the original address it meant, or 0. */
static uint64_t inner_trap(const struct task *t, const struct landmark *lm)
{
	uint64_t at = t->regs->rip;

	if (t->stop.stop != VCPU_EXCEPTION || lm->tramp.patch_len == 1)
		return 0;
	if (t->stop.vector != V_UD && t->stop.vector != V_GP)
		return 0;
	/* What lies behind the jump's five bytes is the program's own. */
	return tramp_inner(&lm->tramp, at) && at - lm->tramp.addr < TRAMP_JUMP_LEN ? at : 0;
}

static bool writes_guarded(const struct task *t, const struct landmark *lm)
{
	return lm->guard && t->stop.stop == VCPU_EXCEPTION && t->stop.vector == V_PF && t->stop.error & PF_WRITE &&
	       t->stop.cr2 - lm->guard < lm->guard_len;
}

/* A step over a write to the site's page is done: was it to the site? */
static bool site_touched(const struct landmark *lm)
{
	uint8_t now[TRAMP_SITE_MAX];

	return guest_read(now, lm->tramp.addr, lm->tramp.patch_len) < 0 || memcmp(now, lm->tramp.code, lm->tramp.patch_len);
}

/* From the trampoline's registers to the program's. */
static void own_view(struct task *t, struct landmark *lm)
{
	const struct tramp_saved *s = saved(lm);
	uint64_t off = t->regs->rip - lm->overlay.at;

	if (off >= TRAMP_CODE_PAGES * PAGE_SIZE_4K)
		return;
	if (tramp_translate(&lm->tramp, s, t->regs) && t->stop.stop == VCPU_SYSCALL)
		t->regs->rcx = t->regs->rip;
}

enum landmark_stop landmark_stop(struct task *t)
{
	struct landmark *lm = t->proc->landmark;
	uint64_t inner;

	if (!lm)
		return LANDMARK_NONE;
	if (lm->stepping) {
		lm->stepping = false;
		lm->touched |= site_touched(lm);
		t->regs->rflags &= ~RFLAGS_TF;
		return t->stop.stop == VCPU_EXCEPTION && t->stop.vector == V_DB ? LANDMARK_AGAIN : LANDMARK_NONE;
	}
	if (!lm->armed)
		return LANDMARK_NONE;
	if (at_hit(t, lm)) {
		own_view(t, lm);
		t->regs->rflags &= ~RFLAGS_RF;
		if (lm->tramp.patch_len > 1 || holds(t, lm))
			return LANDMARK_HIT;
		lm->detours++;
		return LANDMARK_AGAIN;
	}
	if (t->stop.stop == VCPU_EXCEPTION && t->stop.vector == V_UD && tramp_fixed(&lm->tramp, t->regs->rip)) {
		t->regs->rip = tramp_fixed(&lm->tramp, t->regs->rip);
		t->regs->rflags &= ~RFLAGS_RF;
		lm->step = true;
		lm->detours++;
		landmark_disarm(t);
		return LANDMARK_AGAIN;
	}
	inner = inner_trap(t, lm);
	if (inner) {
		t->regs->rip = inner;
		t->regs->rflags &= ~RFLAGS_RF;
		lm->detours++;
		return LANDMARK_AGAIN;
	}
	own_view(t, lm);
	if (t->stop.stop == VCPU_KICK)
		return LANDMARK_NONE;
	lm->step = writes_guarded(t, lm);
	lm->written += lm->step;
	lm->touched |= lm->step && t->stop.cr2 - lm->tramp.addr < lm->tramp.patch_len;
	landmark_disarm(t);
	t->regs->rflags &= lm->step ? ~RFLAGS_RF : ~0ULL;
	return lm->step ? LANDMARK_AGAIN : LANDMARK_NONE;
}

/* ---- states ---- */

/* The extended state: its hash, and the lanes of the XMM registers. */
struct vectors {
	uint64_t hash, lane[TRAMP_LANES];
};

static int vectors_now(struct task *t, struct vectors *v)
{
	size_t size = vm_cpu(t->proc->vm)->xsave_size;
	cleanup_free unsigned char *x = malloc(size);
	int rc;

	if (!x)
		return -ENOMEM;
	rc = vcpu_get_xsave(t->vcpu, x, size);
	if (rc < 0)
		return rc;
	v->hash = XXH3_64bits(x, size);
	memcpy(v->lane, x + XSAVE_XMM, sizeof(v->lane));
	return 0;
}

int landmark_lanes(struct task *t, uint64_t lane[TRAMP_LANES])
{
	struct vectors v;
	int rc = vectors_now(t, &v);

	if (rc == 0)
		memcpy(lane, v.lane, sizeof(v.lane));
	return rc;
}

int landmark_take(struct task *t, uint64_t bytes, struct exec_point *p)
{
	struct vectors v;
	unsigned n = 0;
	int rc = vectors_now(t, &v);

	if (rc < 0)
		return rc;
	p->kind = POINT_LANDMARK;
	p->xsave = v.hash;
	for (unsigned i = 0; i < p->nwords; i++) {
		p->word[n].addr = p->word[i].addr;
		if (p->word[n].addr < TRAMP_LANES)
			p->word[n++].value = v.lane[p->word[i].addr];
		else if (read_word(t, p->word[n].addr, &p->word[n].value) == 0)
			n++;
	}
	p->nwords = (uint16_t)n;
	p->nranges = (uint16_t)fingerprint_choose(t, bytes, p->range, POINT_RANGES);
	for (unsigned i = 0; i < p->nranges; i++)
		p->range[i].hash = fingerprint_range(t, p->range[i].start, p->range[i].len);
	return 0;
}

int landmark_check(struct task *t, const struct guest_regs *regs, const struct exec_point *p, const char **why)
{
	struct vectors v;
	uint64_t now;
	int rc;

	*why = "registers";
	if (memcmp(t->regs, regs, sizeof(*regs)))
		return 0;
	*why = "watched memory words";
	for (unsigned i = 0; i < p->nwords; i++)
		if (p->word[i].addr >= TRAMP_LANES &&
		    (read_word(t, p->word[i].addr, &now) < 0 || now != p->word[i].value))
			return 0;
	*why = "vector registers";
	rc = vectors_now(t, &v);
	if (rc < 0 || v.hash != p->xsave)
		return rc;
	*why = "memory";
	for (unsigned i = 0; i < p->nranges; i++)
		if (fingerprint_range(t, p->range[i].start, p->range[i].len) != p->range[i].hash)
			return 0;
	return 1;
}
