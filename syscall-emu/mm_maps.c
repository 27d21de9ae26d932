/* The text of /proc/PID/maps. Contract: mm.h. Source: proc(5), Linux fs/proc/task_mmu.c for the padding. */
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "syscall-emu/mm_int.h"

#define NAME_COLUMN 73

/* Which mapping is the heap or the stack, Linux decides by address. */
static const char *shown_name(const struct mm *mm, const struct vma *v)
{
	if (v->name && !strcmp(v->name, "[stack]"))
		return mm->proc->start_stack < v->start || mm->proc->start_stack > v->end ? NULL : v->name;
	return v->name;
}

static void print_name(const char *name, FILE *out)
{
	for (; *name; name++) {
		if (*name == '\n')
			fputs("\\012", out);
		else
			putc(*name, out);
	}
}

void mm_print_maps(const struct mm *mm, FILE *out)
{
	for (const struct vma *v = mm_next(mm, NULL); v; v = mm_next(mm, v)) {
		bool object = !vma_anon(v) || (v->flags & MAP_SHARED);
		const char *name = shown_name(mm, v);
		int n = fprintf(out, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64 " %02x:%02x %" PRIu64 " ",
				v->start, v->end, v->prot & PROT_READ ? 'r' : '-', v->prot & PROT_WRITE ? 'w' : '-',
				v->prot & PROT_EXEC ? 'x' : '-', v->flags & MAP_SHARED ? 's' : 'p',
				object ? v->offset : 0, object ? major(v->dev) : 0, object ? minor(v->dev) : 0,
				object ? v->ino : 0);

		if (name) {
			fprintf(out, "%*s", n < NAME_COLUMN ? NAME_COLUMN - n : 0, "");
			print_name(name, out);
		}
		putc('\n', out);
	}
}
