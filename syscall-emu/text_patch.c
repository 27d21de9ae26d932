/* The set of replaced instructions, kept in step with memory. Contract: text_patch.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/text_jump.h"
#include "syscall-emu/text_patch_int.h"
#include "vmm/cleanup.h"
#include "vmm/jump.h"

#define RFLAGS_RF 0x10000ULL

size_t patch_at(const struct text_patches *t, uint64_t addr)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->p[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct text_patches *text_patches_of(struct mm *mm)
{
	if (!mm->patches)
		mm->patches = calloc(1, sizeof(*mm->patches));
	return mm->patches;
}

uint64_t patch_room(const struct text_patches *t, uint64_t from, uint64_t to)
{
	for (size_t i = patch_at(t, from); i < t->n && t->p[i].addr < to; i++)
		if (t->p[i].kind == PATCH_STUB || t->p[i].kind == PATCH_PAD)
			from = max_u64(from, t->p[i].addr + t->p[i].len);
	return min_u64(from, to);
}

static void take_out(struct mm *mm, size_t from, size_t to)
{
	struct text_patches *t = mm->patches;

	for (size_t i = from; i < to; i++)
		if (t->p[i].kind == PATCH_CALL) {
			jump_remove(mm->vm, t->p[i].stub);
			text_jump_undone(t->p[i].addr + t->p[i].site_len + PATCH_CALL_INSN);
		}
	memmove(t->p + from, t->p + to, (t->n - to) * sizeof(*t->p));
	t->n -= to - from;
}

int patch_put(struct text_patches *t, const struct patch *p)
{
	size_t at = patch_at(t, p->addr);

	if (at < t->n && t->p[at].addr == p->addr) {
		t->p[at] = *p;
		return 0;
	}
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		struct patch *more = reallocarray(t->p, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->p = more;
		t->cap = cap;
	}
	memmove(t->p + at + 1, t->p + at, (t->n - at) * sizeof(*t->p));
	t->p[at] = *p;
	t->n++;
	return 0;
}

void text_patch_free(struct mm *mm)
{
	if (!mm->patches)
		return;
	text_cache_free(&mm->patches->cache);
	free(mm->patches->p);
	free(mm->patches);
	mm->patches = NULL;
}

/* Does memory hold these bytes at the patch's place? Where nobody can read it, nobody has changed it. */
static bool holds(const struct patch *p, const uint8_t *bytes)
{
	uint8_t now[PATCH_MAX];

	return guest_read(now, p->addr, p->len) < 0 || !memcmp(now, bytes, p->len);
}

static void put_back(struct mm *mm, const struct patch *p)
{
	if (holds(p, p->is))
		mm_poke(mm, p->addr, p->was, p->len);
}

/* Stubs in the range are gone, or go: no jump leads there any more. */
static void lose_stubs(struct mm *mm, struct text_patches *t, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < t->n;) {
		const struct patch *p = &t->p[i];
		uint64_t leads = p->kind == PATCH_JUMP ? p->stub : p->kind == PATCH_CALL ? p->pad : 0;

		if (leads >= start && leads < end && leads && !(p->addr >= start && p->addr < end)) {
			put_back(mm, p);
			take_out(mm, i, i + 1);
		} else {
			i++;
		}
	}
}

void text_patch_forget(struct mm *mm, uint64_t start, uint64_t end)
{
	struct text_patches *t = mm->patches;

	if (!t || !t->n)
		return;
	lose_stubs(mm, t, start, end);
	take_out(mm, patch_at(t, start), patch_at(t, end));
}

void text_patch_undo(struct mm *mm, uint64_t start, uint64_t end)
{
	struct text_patches *t = mm->patches;

	if (!t || !t->n)
		return;
	for (size_t i = patch_at(t, start); i < t->n && t->p[i].addr < end; i++)
		put_back(mm, &t->p[i]);
	text_patch_forget(mm, start, end);
}

void text_patch_written(struct mm *mm, uint64_t addr, uint64_t len)
{
	struct text_patches *t = mm->patches;
	uint64_t from = addr - min_u64(addr, PATCH_MAX);

	if (!t || !t->n || t->p[t->n - 1].addr + PATCH_MAX <= addr || t->p[0].addr >= addr + len)
		return;
	for (size_t i = patch_at(t, from); i < t->n && t->p[i].addr < addr + len;) {
		const struct patch *p = &t->p[i];
		unsigned size = p->kind == PATCH_CALL ? p->site_len + PATCH_CALL_INSN : p->kind == PATCH_PAD ? p->len : 0;

		if (p->addr + size <= addr) {
			i++;
			continue;
		}
		from = p->addr;
		text_patch_undo(mm, from, from + 1);
		i = patch_at(t, from);
	}
}

void text_patch_again(struct mm *mm, uint64_t start, uint64_t end)
{
	struct text_patches *t = mm->patches;

	if (!t || !t->n)
		return;
	for (size_t i = patch_at(t, start); i < t->n && t->p[i].addr < end;) {
		struct patch p = t->p[i];

		if (holds(&p, p.was) && mm_poke(mm, p.addr, p.is, p.len) == 0) {
			i++;
			continue;
		}
		text_patch_forget(mm, p.addr, p.addr + 1);
		i = patch_at(t, p.addr);
	}
}

/* A jump and its stub that moved together still fit. */
static bool moved_whole(const struct patch *p, uint64_t start, uint64_t end)
{
	if (p->kind == PATCH_CALL)
		return false;
	return p->kind != PATCH_JUMP || (p->stub >= start && p->stub < end);
}

void text_patch_moved(struct mm *mm, uint64_t start, uint64_t end, int64_t shift)
{
	struct text_patches *t = mm->patches;
	cleanup_free struct patch *p = NULL;
	size_t from, n;

	if (!t || !t->n)
		return;
	lose_stubs(mm, t, start, end);
	from = patch_at(t, start);
	n = patch_at(t, end) - from;
	p = n ? malloc(n * sizeof(*p)) : NULL;
	if (p)
		memcpy(p, t->p + from, n * sizeof(*p));
	take_out(mm, from, from + n);
	text_patch_forget(mm, start + (uint64_t)shift, end + (uint64_t)shift);
	for (size_t i = 0; p && i < n; i++) {
		bool fits = moved_whole(&p[i], start, end);

		p[i].addr += (uint64_t)shift;
		p[i].stub += p[i].kind == PATCH_JUMP ? (uint64_t)shift : 0;
		if (!fits)
			put_back(mm, &p[i]);
		else
			patch_put(t, &p[i]);
	}
}

void text_patch_hide(const struct mm *mm, uint64_t addr, uint8_t *bytes, size_t len)
{
	const struct text_patches *t = mm->patches;

	for (size_t i = t ? patch_at(t, addr - min_u64(addr, PATCH_MAX)) : 0; t && i < t->n && t->p[i].addr < addr + len; i++) {
		const struct patch *p = &t->p[i];

		for (unsigned k = 0; holds(p, p->is) && k < p->len; k++)
			if (p->addr + k - addr < len)
				bytes[p->addr + k - addr] = p->was[k];
	}
}

/* ---- execution ---- */

int text_patch_undefined(struct task *t)
{
	struct text_patches *set = t->proc->mm->patches;
	struct guest_regs *r = t->regs;
	struct kvm_cpuid_entry2 e;
	const struct patch *p;
	size_t i;

	if (!set)
		return 0;
	i = patch_at(set, r->rip);
	p = &set->p[i];
	if (i == set->n || p->addr != r->rip || p->kind != TEXT_CPUID || !holds(p, p->is))
		return 0;
	cpu_table_query(vm_cpu(t->proc->vm), (uint32_t)r->rax, (uint32_t)r->rcx, &e);
	r->rax = e.eax;
	r->rbx = e.ebx;
	r->rcx = e.ecx;
	r->rdx = e.edx;
	r->rip += p->len;
	r->rflags &= ~RFLAGS_RF;
	return 1;
}
