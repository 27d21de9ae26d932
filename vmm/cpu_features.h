/*
 * Which CPUID feature bits a guest may see. A list of what is allowed, not of what is hidden: an instruction set
 * extension this list does not know stays out of recordings until somebody has looked at it.
 *
 * Left out on purpose: RDRAND, RDSEED, RDPID (results differ from run to run), HLE, RTM (abort at any moment), XSAVEOPT,
 * XSAVEC, XGETBV1 (show which state the CPU happens to hold in its initial configuration), AMX, PKU, CET, UINTR, WAITPKG,
 * ENQCMD, SGX, MPX, LA57, MONITOR, RDPRU, and everything only kernels use.
 */
#ifndef SANDREC_CPU_FEATURES_H
#define SANDREC_CPU_FEATURES_H

#include <stddef.h>
#include <stdint.h>

enum cpu_reg { REG_EAX, REG_EBX, REG_ECX, REG_EDX };

struct cpu_feature {
	const char *name; /* as in /proc/cpuinfo */
	uint32_t leaf, sub;
	uint8_t reg, bit;
	uint8_t level;    /* lowest enum cpu_model order that shows it: 2 = v2 and up, 3 = v3 and up, 9 = host only */
	uint8_t required; /* part of the definition of that level: making the model fails without it */
};

extern const struct cpu_feature cpu_features[];
extern const size_t cpu_nfeatures;

/* The allowed bits of one register of one leaf, up to a level. has_policy: the table says anything about the leaf. */
uint32_t cpu_features_mask(uint32_t leaf, uint32_t sub, enum cpu_reg reg, unsigned level);
int cpu_features_has_leaf(uint32_t leaf, uint32_t sub);

#endif
