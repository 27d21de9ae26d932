/* The allowed CPUID feature bits. Sources: Intel SDM vol. 2 CPUID, AMD APM vol. 3 appendix E, the x86-64 psABI's levels. */
#include "vmm/cpu_features.h"

#define LEVEL_V2 2
#define LEVEL_V3 3
#define LEVEL_HOST 9

#define F(name, leaf, sub, reg, bit) { name, leaf, sub, REG_##reg, bit, LEVEL_HOST, 0 }
#define BASE(name, leaf, sub, reg, bit) { name, leaf, sub, REG_##reg, bit, LEVEL_V2, 0 }
#define V2(name, leaf, sub, reg, bit) { name, leaf, sub, REG_##reg, bit, LEVEL_V2, 1 }
#define V3(name, leaf, sub, reg, bit) { name, leaf, sub, REG_##reg, bit, LEVEL_V3, 1 }

const struct cpu_feature cpu_features[] = {
	BASE("fpu", 1, 0, EDX, 0), BASE("vme", 1, 0, EDX, 1), BASE("de", 1, 0, EDX, 2), BASE("pse", 1, 0, EDX, 3),
	BASE("tsc", 1, 0, EDX, 4), BASE("msr", 1, 0, EDX, 5), BASE("pae", 1, 0, EDX, 6), BASE("mce", 1, 0, EDX, 7),
	BASE("cx8", 1, 0, EDX, 8), BASE("apic", 1, 0, EDX, 9), BASE("sep", 1, 0, EDX, 11), BASE("mtrr", 1, 0, EDX, 12),
	BASE("pge", 1, 0, EDX, 13), BASE("mca", 1, 0, EDX, 14), BASE("cmov", 1, 0, EDX, 15), BASE("pat", 1, 0, EDX, 16),
	BASE("pse36", 1, 0, EDX, 17), BASE("clflush", 1, 0, EDX, 19), BASE("mmx", 1, 0, EDX, 23),
	BASE("fxsr", 1, 0, EDX, 24), BASE("sse", 1, 0, EDX, 25), BASE("sse2", 1, 0, EDX, 26), BASE("ss", 1, 0, EDX, 27),
	BASE("ht", 1, 0, EDX, 28),

	V2("sse3", 1, 0, ECX, 0), V2("ssse3", 1, 0, ECX, 9), V2("cx16", 1, 0, ECX, 13), V2("sse4_1", 1, 0, ECX, 19),
	V2("sse4_2", 1, 0, ECX, 20), V2("popcnt", 1, 0, ECX, 23), BASE("xsave", 1, 0, ECX, 26),
	BASE("osxsave", 1, 0, ECX, 27), BASE("hypervisor", 1, 0, ECX, 31),
	V3("fma", 1, 0, ECX, 12), V3("movbe", 1, 0, ECX, 22), V3("avx", 1, 0, ECX, 28), V3("f16c", 1, 0, ECX, 29),
	F("pclmulqdq", 1, 0, ECX, 1), F("aes", 1, 0, ECX, 25),

	V3("bmi1", 7, 0, EBX, 3), V3("avx2", 7, 0, EBX, 5), V3("bmi2", 7, 0, EBX, 8),
	F("fsgsbase", 7, 0, EBX, 0), F("fdp_excptn_only", 7, 0, EBX, 6), F("erms", 7, 0, EBX, 9),
	F("zero_fcs_fds", 7, 0, EBX, 13), F("avx512f", 7, 0, EBX, 16), F("avx512dq", 7, 0, EBX, 17),
	F("adx", 7, 0, EBX, 19), F("avx512ifma", 7, 0, EBX, 21), F("clflushopt", 7, 0, EBX, 23),
	F("clwb", 7, 0, EBX, 24), F("avx512pf", 7, 0, EBX, 26), F("avx512er", 7, 0, EBX, 27),
	F("avx512cd", 7, 0, EBX, 28), F("sha_ni", 7, 0, EBX, 29), F("avx512bw", 7, 0, EBX, 30),
	F("avx512vl", 7, 0, EBX, 31),
	F("prefetchwt1", 7, 0, ECX, 0), F("avx512vbmi", 7, 0, ECX, 1), F("avx512_vbmi2", 7, 0, ECX, 6),
	F("gfni", 7, 0, ECX, 8), F("vaes", 7, 0, ECX, 9), F("vpclmulqdq", 7, 0, ECX, 10), F("avx512_vnni", 7, 0, ECX, 11),
	F("avx512_bitalg", 7, 0, ECX, 12), F("avx512_vpopcntdq", 7, 0, ECX, 14), F("cldemote", 7, 0, ECX, 25),
	F("movdiri", 7, 0, ECX, 27), F("movdir64b", 7, 0, ECX, 28),
	F("avx512_4vnniw", 7, 0, EDX, 2), F("avx512_4fmaps", 7, 0, EDX, 3), F("fsrm", 7, 0, EDX, 4),
	F("avx512_vp2intersect", 7, 0, EDX, 8), F("serialize", 7, 0, EDX, 14), F("avx512_fp16", 7, 0, EDX, 23),
	F("sha512", 7, 1, EAX, 0), F("sm3", 7, 1, EAX, 1), F("sm4", 7, 1, EAX, 2), F("avx_vnni", 7, 1, EAX, 4),
	F("avx512_bf16", 7, 1, EAX, 5), F("fzrm", 7, 1, EAX, 10), F("fsrs", 7, 1, EAX, 11), F("fsrc", 7, 1, EAX, 12),
	F("avx_ifma", 7, 1, EAX, 23), F("avx_vnni_int8", 7, 1, EDX, 4), F("avx_ne_convert", 7, 1, EDX, 5),
	F("avx_vnni_int16", 7, 1, EDX, 10), F("prefetchi", 7, 1, EDX, 14),

	V2("lahf_lm", 0x80000001, 0, ECX, 0), V3("abm", 0x80000001, 0, ECX, 5),
	F("cmp_legacy", 0x80000001, 0, ECX, 1), F("sse4a", 0x80000001, 0, ECX, 6),
	F("misalignsse", 0x80000001, 0, ECX, 7), F("3dnowprefetch", 0x80000001, 0, ECX, 8),
	F("xop", 0x80000001, 0, ECX, 11), F("fma4", 0x80000001, 0, ECX, 16), F("tbm", 0x80000001, 0, ECX, 21),
	F("topoext", 0x80000001, 0, ECX, 22),
	/* AMD repeats most of leaf 1's EDX here. */
	BASE("fpu", 0x80000001, 0, EDX, 0), BASE("vme", 0x80000001, 0, EDX, 1), BASE("de", 0x80000001, 0, EDX, 2),
	BASE("pse", 0x80000001, 0, EDX, 3), BASE("tsc", 0x80000001, 0, EDX, 4), BASE("msr", 0x80000001, 0, EDX, 5),
	BASE("pae", 0x80000001, 0, EDX, 6), BASE("mce", 0x80000001, 0, EDX, 7), BASE("cx8", 0x80000001, 0, EDX, 8),
	BASE("apic", 0x80000001, 0, EDX, 9), BASE("syscall", 0x80000001, 0, EDX, 11), BASE("mtrr", 0x80000001, 0, EDX, 12),
	BASE("pge", 0x80000001, 0, EDX, 13), BASE("mca", 0x80000001, 0, EDX, 14), BASE("cmov", 0x80000001, 0, EDX, 15),
	BASE("pat", 0x80000001, 0, EDX, 16), BASE("pse36", 0x80000001, 0, EDX, 17), BASE("nx", 0x80000001, 0, EDX, 20),
	F("mmxext", 0x80000001, 0, EDX, 22), BASE("mmx", 0x80000001, 0, EDX, 23), BASE("fxsr", 0x80000001, 0, EDX, 24),
	F("fxsr_opt", 0x80000001, 0, EDX, 25), F("rdtscp", 0x80000001, 0, EDX, 27), BASE("lm", 0x80000001, 0, EDX, 29),
	F("3dnowext", 0x80000001, 0, EDX, 30), F("3dnow", 0x80000001, 0, EDX, 31),

	BASE("nonstop_tsc", 0x80000007, 0, EDX, 8), F("clzero", 0x80000008, 0, EBX, 0),
	F("xsaveerptr", 0x80000008, 0, EBX, 2),
};

const size_t cpu_nfeatures = sizeof(cpu_features) / sizeof(cpu_features[0]);

uint32_t cpu_features_mask(uint32_t leaf, uint32_t sub, enum cpu_reg reg, unsigned level)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < cpu_nfeatures; i++) {
		const struct cpu_feature *f = &cpu_features[i];

		if (f->leaf == leaf && f->sub == sub && f->reg == reg && f->level <= level)
			mask |= 1u << f->bit;
	}
	return mask;
}

int cpu_features_has_leaf(uint32_t leaf, uint32_t sub)
{
	for (size_t i = 0; i < cpu_nfeatures; i++)
		if (cpu_features[i].leaf == leaf && cpu_features[i].sub == sub)
			return 1;
	return 0;
}
