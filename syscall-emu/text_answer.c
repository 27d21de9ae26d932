/* Constants instead of cpuid. Contract: text_answer.h. Source: Intel SDM vol. 2, MOV, XOR, JMP; none of them touches flags but XOR. */
#include <string.h>

#include "syscall-emu/text_answer.h"

#define MOV_EAX 0xb8 /* + register: b8+r imm32 */
#define MOV_LEN 5
#define JMP 0xe9
#define JMP_LEN 5

static const uint8_t clear_ecx[2] = { 0x31, 0xc9 };

/* Between the instruction that sets the leaf and the cpuid. */
enum shape { SHAPE_NONE, SHAPE_LEAF, SHAPE_LEAF_CLEAR };

/* The instructions before are exactly these: their starts, the nearest first. */
static bool starts_are(const struct text_hit *h, unsigned first, unsigned second)
{
	unsigned want = 1u << first | (second ? 1u << second : 0), last = second ? second : first;

	return h->off >= last && (h->starts & ((2u << last) - 1)) == want;
}

static enum shape shape_of(const uint8_t *code, const struct text_hit *h)
{
	const uint8_t *end = code + h->off;

	if (h->kind != TEXT_CPUID || h->len != 2)
		return SHAPE_NONE;
	if (starts_are(h, MOV_LEN, 0) && end[-MOV_LEN] == MOV_EAX)
		return SHAPE_LEAF;
	if (starts_are(h, sizeof(clear_ecx), MOV_LEN + sizeof(clear_ecx)) && end[-MOV_LEN - (int)sizeof(clear_ecx)] == MOV_EAX &&
	    !memcmp(end - sizeof(clear_ecx), clear_ecx, sizeof(clear_ecx)))
		return SHAPE_LEAF_CLEAR;
	return SHAPE_NONE;
}

static uint8_t *put(uint8_t *to, uint8_t op, uint32_t imm)
{
	*to++ = op;
	memcpy(to, &imm, sizeof(imm));
	return to + sizeof(imm);
}

/* b8+r: eax, ecx, edx, ebx. */
static uint8_t *put_registers(uint8_t *to, const struct kvm_cpuid_entry2 *e)
{
	to = put(to, MOV_EAX + 0, e->eax);
	to = put(to, MOV_EAX + 1, e->ecx);
	to = put(to, MOV_EAX + 2, e->edx);
	return put(to, MOV_EAX + 3, e->ebx);
}

bool text_answer_make(const struct cpu_table *t, const uint8_t *code, const struct text_hit *h, uint64_t at,
		      struct text_answer *out)
{
	enum shape shape = shape_of(code, h);
	struct kvm_cpuid_entry2 e;
	uint8_t *to = out->stub;
	uint32_t leaf;

	if (shape == SHAPE_NONE)
		return false;
	out->off = h->off - MOV_LEN - (shape == SHAPE_LEAF_CLEAR ? sizeof(clear_ecx) : 0);
	memcpy(&leaf, code + out->off + 1, sizeof(leaf));
	if (shape == SHAPE_LEAF && !cpu_table_fixed(t, leaf))
		return false;
	if (shape == SHAPE_LEAF_CLEAR) {
		memcpy(to, clear_ecx, sizeof(clear_ecx)); /* for the flags */
		to += sizeof(clear_ecx);
	}
	cpu_table_query(t, leaf, 0, &e);
	to = put_registers(to, &e);
	out->len = (uint8_t)(to - out->stub + JMP_LEN);
	put(to, JMP, (uint32_t)(h->off + h->len - (at + out->len)));
	put(out->jump, JMP, (uint32_t)(at - (out->off + JMP_LEN)));
	return true;
}
