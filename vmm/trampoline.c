/* Making conditional breakpoints. Contract: trampoline.h. Encodings: Intel SDM vol. 2. */
#include <errno.h>
#include <string.h>

#include "vmm/trampoline.h"

/*
 * Bytes that alone are an instruction no user code may execute: opcodes that 64-bit mode has lost, hlt, cli, sti. None is
 * a prefix of something newer CPUs know. Not int3: KVM does not tell whether one is on its way when a run is
 * interrupted behind it.
 */
static const uint8_t trapping[] = { TRAMP_TRAP, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x82,
				    0x9a, 0xce, 0xd4, 0xd6, 0xea, 0xf4, 0xfa, 0xfb };
#define NTRAPPING sizeof(trapping)

int tramp_survey(struct tramp *t, uint64_t addr, const uint8_t *code, size_t avail)
{
	memset(t, 0, sizeof(*t));
	t->addr = addr;
	while (t->len < TRAMP_JUMP_LEN) {
		struct insn *i = &t->insn[t->n];

		if (insn_decode(code + t->len, avail - t->len, addr + t->len, i) < 0 || (!t->n && i->kind == INSN_FIXED))
			break;
		t->crossed |= t->n && t->insn[t->n - 1].ends;
		t->off[t->n++] = (uint8_t)t->len;
		t->len += i->len;
	}
	if (!t->n)
		return -EOPNOTSUPP;
	t->patch_len = TRAMP_JUMP_LEN;
	if (t->len < TRAMP_JUMP_LEN) {
		t->patch_len = 1;
		t->n = 1;
		t->len = t->insn[0].len;
	}
	memcpy(t->code, code, t->len);
	return 0;
}

/* Must byte b (0-3) of the jump's displacement trap? */
static bool must_trap(const struct tramp *t, unsigned b)
{
	for (unsigned i = 1; i < t->n; i++)
		if (t->off[i] == b + 1)
			return true;
	return false;
}

bool tramp_candidate(const struct tramp *t, unsigned i, uint64_t *base)
{
	static const uint8_t middle[] = { 0x10, 0x50, 0x90, 0xd0 };
	bool trap2 = t->patch_len == TRAMP_JUMP_LEN && must_trap(t, 2), trap3 = t->patch_len == TRAMP_JUMP_LEN && must_trap(t, 3);
	unsigned n2 = trap2 ? NTRAPPING : sizeof(middle), n3 = trap3 ? NTRAPPING : 256, i2 = i % n2, i3 = i / n2;
	uint8_t b[4] = { 0x40, 0x01, 0, 0 };
	int32_t rel;

	if (i3 >= n3)
		return false;
	b[0] = must_trap(t, 0) ? TRAMP_TRAP : b[0];
	b[1] = must_trap(t, 1) ? TRAMP_TRAP : b[1];
	b[2] = trap2 ? trapping[i2] : middle[i2];
	b[3] = trap3 ? trapping[i3] : (uint8_t)(i3 & 1 ? ~(i3 >> 1) : i3 >> 1);
	memcpy(&rel, b, 4);
	*base = t->addr + TRAMP_JUMP_LEN + (uint64_t)(int64_t)rel;
	return true;
}

/* ---- emission ---- */

struct out {
	uint8_t *buf;
	unsigned n;
	uint64_t base;
	bool far; /* something was out of reach */
};

static void put8(struct out *o, unsigned v) { o->buf[o->n++] = (uint8_t)v; }

static void put_bytes(struct out *o, const void *p, unsigned n)
{
	memcpy(o->buf + o->n, p, n);
	o->n += n;
}

static void put32(struct out *o, uint32_t v) { put_bytes(o, &v, 4); }
static void put64(struct out *o, uint64_t v) { put_bytes(o, &v, 8); }

/* A 32-bit displacement to an absolute address; `more` bytes of the instruction follow it. */
static void put_rel(struct out *o, uint64_t to, unsigned more)
{
	int64_t d = (int64_t)(to - (o->base + o->n + 4 + more));

	o->far |= d != (int32_t)d;
	put32(o, (uint32_t)d);
}

enum { RAX = 0, RCX = 1, LEFT };

/* mov between reg and the place of rax, rcx or the count in the data page. */
static void put_slot(struct out *o, bool store, unsigned reg, unsigned slot)
{
	static const uint8_t at[] = { [RAX] = offsetof(struct tramp_saved, rax), [RCX] = offsetof(struct tramp_saved, rcx),
				      [LEFT] = offsetof(struct tramp_saved, left) };

	put8(o, 0x48);
	put8(o, store ? 0x89 : 0x8b);
	put8(o, reg << 3 | 5);
	put_rel(o, tramp_data(o->base) + at[slot], 0);
}

static void put_movabs(struct out *o, unsigned reg, uint64_t v)
{
	put8(o, 0x48);
	put8(o, 0xb8 + reg);
	put64(o, v);
}

/* lea (reg, other), %rcx: adds without flags; other is rcx, or rax when reg is rcx. */
static void put_add(struct out *o, unsigned reg, unsigned index)
{
	put8(o, 0x48 | (reg >= 8));
	put8(o, 0x8d);
	put8(o, 0x4c);
	put8(o, index << 3 | (reg & 7));
	put8(o, 0);
}

/* Registers by their encoding number. */
static const uint8_t encoded[16] = { GREG_RAX, GREG_RCX, GREG_RDX, GREG_RBX, GREG_RSP, GREG_RBP, GREG_RSI, GREG_RDI,
				     GREG_R8, GREG_R9, GREG_R10, GREG_R11, GREG_R12, GREG_R13, GREG_R14, GREG_R15 };

struct gen {
	struct out o;
	struct tramp *t;
	const struct tramp_cond *c;
	unsigned miss_at[16 + TRAMP_WORDS]; /* displacements to fill in */
	bool miss_rax[16 + TRAMP_WORDS];    /* rax has been saved by then */
	unsigned nmiss;
};

/* rcx is zero when this condition holds; otherwise away. */
static void put_test(struct gen *g)
{
	put8(&g->o, 0xe3); /* jrcxz over the jmp */
	put8(&g->o, 5);
	put8(&g->o, 0xe9);
	g->miss_rax[g->nmiss] = g->t->rax_saved;
	g->miss_at[g->nmiss++] = g->o.n;
	put32(&g->o, 0);
}

static void save_rax(struct gen *g)
{
	if (g->t->rax_saved)
		return;
	put_slot(&g->o, true, RAX, RAX);
	g->t->rax_saved = g->o.n;
}

/* Tests that rcx, with rax free, equals v. */
static void test_loaded(struct gen *g, uint64_t v)
{
	put_movabs(&g->o, RAX, -v);
	put_add(&g->o, RCX, RAX);
	put_test(g);
}

static void test_reg(struct gen *g, unsigned reg)
{
	uint64_t v = g->c->regs.r[encoded[reg]];

	if (reg == RCX || (reg == RAX && g->t->rax_saved)) {
		save_rax(g);
		put_slot(&g->o, false, RCX, reg);
		test_loaded(g, v);
		return;
	}
	put_movabs(&g->o, RCX, -v);
	put_add(&g->o, reg, RCX);
	put_test(g);
}

/* pextrq $half, %xmm, %rcx */
static void put_lane(struct gen *g, unsigned lane)
{
	unsigned xmm = lane / 2;

	put8(&g->o, 0x66);
	put8(&g->o, 0x48 | (xmm >= 8 ? 4 : 0));
	put_bytes(&g->o, "\x0f\x3a\x16", 3);
	put8(&g->o, 0xc0 | (xmm & 7) << 3 | RCX);
	put8(&g->o, lane & 1);
}

static void test_all(struct gen *g)
{
	uint32_t first = 0;

	for (unsigned k = 0; k < 16; k++)
		if (g->c->first >> encoded[k] & 1)
			first |= 1u << k;
	/* rcx last in its half: it needs a second register, which the others do without. */
	for (unsigned half = 0; half < 2; half++) {
		uint32_t these = half ? ~first : first;

		for (unsigned k = 0; k < 16; k++)
			if (k != RCX && these >> k & 1)
				test_reg(g, k);
		if (these >> RCX & 1)
			test_reg(g, RCX);
	}
	for (unsigned k = 0; k < g->c->nwords; k++) {
		save_rax(g);
		if (g->c->word[k].addr < TRAMP_LANES) {
			put_lane(g, (unsigned)g->c->word[k].addr);
		} else {
			put_movabs(&g->o, RCX, g->c->word[k].addr);
			put_bytes(&g->o, "\x48\x8b\x09", 3); /* mov (%rcx), %rcx */
		}
		test_loaded(g, g->c->word[k].value);
	}
}

/* One less, and a trap when that was the last. rcx has been saved. */
static void put_count(struct gen *g)
{
	put_slot(&g->o, false, RCX, LEFT);
	put_bytes(&g->o, "\x48\x8d\x49\xff", 4); /* lea -1(%rcx), %rcx */
	put_slot(&g->o, true, RCX, LEFT);
	put_bytes(&g->o, "\xe3\x02\xeb\x01", 4); /* jrcxz over the jmp, jmp over the trap */
	g->t->count_hit = g->o.n;
	put8(&g->o, TRAMP_TRAP);
}

/* Failed tests come here: those made while rax is saved, or the others. */
static void land_misses(struct gen *g, bool rax)
{
	for (unsigned k = 0; k < g->nmiss; k++)
		if (g->miss_rax[k] == rax)
			memcpy(g->o.buf + g->miss_at[k], &(uint32_t){ g->o.n - g->miss_at[k] - 4 }, 4);
}

static void put_tests(struct gen *g)
{
	struct tramp *t = g->t;

	if (!g->c->always) {
		put_slot(&g->o, true, RCX, RCX);
		t->rcx_saved = g->o.n;
	}
	if (g->c->count)
		put_count(g);
	if (!g->c->always && !g->c->never)
		test_all(g);
	t->hit = g->o.n;
	if (!g->c->never)
		put8(&g->o, TRAMP_TRAP);
	if (t->rax_saved) {
		land_misses(g, true);
		put_slot(&g->o, false, RAX, RAX);
		t->rax_loaded = g->o.n;
	}
	if (t->rcx_saved) {
		land_misses(g, false);
		put_slot(&g->o, false, RCX, RCX);
	}
	t->copies = g->o.n;
}

/* ---- displaced instructions ---- */

/* From here on a stop means: the program is at `to`, its stack pointer rsp bytes from the register's value. */
static void piece(struct gen *g, uint64_t to, int rsp)
{
	struct tramp *t = g->t;

	t->piece[t->npieces++] = (struct tramp_piece){ .at = (uint16_t)g->o.n, .rsp = (int8_t)rsp, .to = to };
}

static void put_jump(struct gen *g, uint64_t to)
{
	put8(&g->o, 0xe9);
	put_rel(&g->o, to, 0);
}

/* The return address must be the original one. A stop before the last instruction does it all again. */
static void put_return_address(struct gen *g, uint64_t at, uint64_t ret)
{
	put_bytes(&g->o, "\xc7\x44\x24\xf8", 4); /* movl $, -8(%rsp) */
	put32(&g->o, (uint32_t)ret);
	piece(g, at, 0);
	put_bytes(&g->o, "\xc7\x44\x24\xfc", 4); /* movl $, -4(%rsp) */
	put32(&g->o, (uint32_t)(ret >> 32));
	piece(g, at, 0);
	put_bytes(&g->o, "\x48\x8d\x64\x24\xf8", 5); /* lea -8(%rsp), %rsp */
	piece(g, at, 8);
}

static void put_same(struct gen *g, const struct insn *i, const uint8_t *code, uint64_t at)
{
	unsigned start = g->o.n;

	put_bytes(&g->o, code, i->len);
	if (i->kind == INSN_CALL_IND)
		g->o.buf[start + i->modrm_at] = (uint8_t)((code[i->modrm_at] & ~0x38) | 4 << 3);
	if (i->disp_at) {
		int32_t disp;

		memcpy(&disp, code + i->disp_at, 4);
		g->o.n = start + i->disp_at;
		put_rel(&g->o, at + i->len + (uint64_t)(int64_t)disp, i->len - i->disp_at - 4u);
		g->o.n = start + i->len;
	}
}

static void put_copy(struct gen *g, const struct insn *i, const uint8_t *code, uint64_t at)
{
	uint64_t next = at + i->len;

	piece(g, at, 0);
	switch (i->kind) {
	case INSN_FIXED:
		put8(&g->o, TRAMP_TRAP);
		break;
	case INSN_JUMP:
		put_jump(g, i->target);
		break;
	case INSN_BRANCH:
		put8(&g->o, 0x0f);
		put8(&g->o, 0x80 | i->cond);
		put_rel(&g->o, i->target, 0);
		break;
	case INSN_LOOP:
		put_bytes(&g->o, code, i->len - 1u);
		put8(&g->o, 2);
		piece(g, next, 0);
		put_bytes(&g->o, "\xeb\x05", 2);
		piece(g, i->target, 0);
		put_jump(g, i->target);
		break;
	case INSN_CALL:
		put_return_address(g, at, next);
		put_jump(g, i->target);
		break;
	case INSN_CALL_IND:
		put_return_address(g, at, next);
		put_same(g, i, code, at);
		break;
	default:
		put_same(g, i, code, at);
	}
}

static void make_patch(struct tramp *t)
{
	int32_t rel = (int32_t)(t->base - t->addr - TRAMP_JUMP_LEN);

	t->patch[0] = t->patch_len == 1 ? TRAMP_TRAP : 0xe9;
	memcpy(t->patch + 1, &rel, 4);
}

int tramp_generate(struct tramp *t, uint64_t base, const struct tramp_cond *c, uint8_t *buf)
{
	struct gen g = { .o = { .buf = buf, .base = base }, .t = t, .c = c };

	t->base = base;
	t->rcx_saved = t->rax_saved = t->rax_loaded = t->npieces = t->count_hit = 0;
	put_tests(&g);
	for (unsigned k = 0; k < t->n; k++) {
		t->copy_at[k] = (uint16_t)g.o.n;
		put_copy(&g, &t->insn[k], t->code + t->off[k], t->addr + t->off[k]);
	}
	piece(&g, t->addr + t->len, 0);
	put_jump(&g, t->addr + t->len);
	t->size = g.o.n;
	make_patch(t);
	return g.o.far ? -ERANGE : 0;
}

/* ---- where the guest stands ---- */

bool tramp_translate(const struct tramp *t, const struct tramp_saved *s, struct guest_regs *r)
{
	uint64_t at = r->rip - t->base;

	if (at < t->copies) {
		if (t->rcx_saved && at >= t->rcx_saved)
			r->rcx = s->rcx;
		/* Behind that, who came from an early test has not saved it in this pass. */
		if (t->rax_saved && at >= t->rax_saved && at < t->rax_loaded)
			r->rax = s->rax;
		r->rip = t->addr;
		return true;
	}
	for (unsigned i = 0; i < t->npieces; i++)
		if (at == t->piece[i].at) {
			r->rip = t->piece[i].to;
			r->rsp += (uint64_t)(int64_t)t->piece[i].rsp;
			return true;
		}
	return false;
}

uint64_t tramp_resume(const struct tramp *t, uint64_t addr)
{
	for (unsigned i = 0; i < t->n; i++)
		if (addr == t->addr + t->off[i])
			return t->base + t->copy_at[i];
	return addr;
}

uint64_t tramp_fixed(const struct tramp *t, uint64_t rip)
{
	for (unsigned i = 1; i < t->n; i++)
		if (t->insn[i].kind == INSN_FIXED && rip == t->base + t->copy_at[i])
			return t->addr + t->off[i];
	return 0;
}

bool tramp_inner(const struct tramp *t, uint64_t addr)
{
	for (unsigned i = 1; i < t->n; i++)
		if (addr == t->addr + t->off[i])
			return true;
	return false;
}
