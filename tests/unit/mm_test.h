/* What the tests of mm share: an empty address space, calls on it, and a check of every guest entry. */
#ifndef SANDREC_MM_TEST_H
#define SANDREC_MM_TEST_H

#include <check.h>
#include <errno.h>
#include <inttypes.h>

#include "syscall-emu/mm_int.h"
#include "tests/unit/vm_double.h"

#define AREA 0x300000000000ULL /* free under the sanitizers too */

static struct process proc;
static struct task task;
static struct mm *mm;

static void setup(void)
{
	proc = (struct process){ 0 };
	task = (struct task){ .proc = &proc };
	ck_assert_int_eq(mm_create(&proc, &mm), 0);
	proc.mm = mm;
	double_huge = 0;
}

static void teardown(void)
{
	mm_destroy(mm);
	double_reset();
}

static int64_t call(sys_handler *fn, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	struct plan p = { .arg = { a, b, c, d, e, 0 } };

	if (fn == do_mmap)
		p.arg[4] = (uint64_t)-1;
	return fn(&task, &p);
}

/* Each present entry lies in a mapping that allows exactly this; nothing of the host's is missing under it. */
static void check_entries(void)
{
	for (uint64_t g = 0; g < sizeof(double_gib) / sizeof(double_gib[0]); g++) {
		for (uint64_t i = 0; double_gib[g] && i < 1u << (DOUBLE_SHIFT - 12); i++) {
			uint64_t addr = (g << DOUBLE_SHIFT) + (i << 12);
			const struct vma *v;

			if (!double_gib[g][i])
				continue;
			v = mm_find(mm, addr);
			ck_assert_msg(v != NULL, "entry at %#" PRIx64 " without a mapping", addr);
			ck_assert_msg((double_gib[g][i] & 7) == (v->prot | PROT_READ) && v->prot,
				      "entry at %#" PRIx64 " is %#x, the mapping %#x", addr, double_gib[g][i], v->prot);
		}
	}
}

#endif
