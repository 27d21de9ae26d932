/* The address space after a fork. Contract: mm_reborn in mm.h. */
#include <string.h>

#include "syscall-emu/kernel_shared.h"
#include "syscall-emu/mm_int.h"
#include "syscall-emu/text_jump.h"

#define STACK_BELOW 0x4000u /* filled around the stack pointer: what the next calls and returns touch */
#define STACK_ABOVE 0x4000u

static void fill_stack(struct mm *mm, uint64_t sp)
{
	const struct vma *v = mm_find(mm, sp);
	uint64_t start, end;

	if (!v || !(v->prot & PROT_WRITE) || v->flags & MAP_SHARED)
		return;
	start = max_u64(v->start, page_down(sp) - STACK_BELOW);
	end = min_u64(v->end, page_up(sp) + STACK_ABOVE);
	fill_populate(mm, start, end, true);
	vm_allow(mm->vm, start, end - start, v->prot, false);
}

/*
 * What is only read gets its entries: its pages are in memory, and the children that execute something at once, most of them,
 * read few. Of the stack they write few.
 */
static void fill_inherited(struct mm *mm, const struct vma *v)
{
	bool copied = v->prot & PROT_WRITE && !(v->flags & (MAP_SHARED | MAP_GROWSDOWN));

	if (copied || !fill_entries(mm, v, v->start, v->end))
		fill_new(mm, v, v->start, v->end);
}

/* What Linux does not give to a child: rings of perf events. */
static void drop_private(struct mm *mm)
{
	for (size_t i = mm->n; i-- > 0;) {
		const struct vma *v = mm->v[i];

		if (!kernel_shared_not_inherited(v))
			continue;
		kernel_shared_forget(mm->proc, v->kernel);
		mm_unmap(mm, v->start, v->end - v->start);
	}
}

int mm_reborn(struct mm *mm, struct vm *vm, uint64_t sp)
{
	mm->vm = vm;
	memset(mm->stream, 0, sizeof(mm->stream));
	mm->again = 0;
	drop_private(mm);
	for (size_t i = 0; i < mm->n; i++)
		fill_inherited(mm, mm->v[i]);
	fill_stack(mm, sp);
	return text_jump_reborn(mm);
}

bool mm_shared_writable(const struct mm *mm)
{
	for (size_t i = 0; i < mm->n; i++)
		if (mm->v[i]->flags & MAP_SHARED && mm->v[i]->may & PROT_WRITE)
			return true;
	return false;
}
