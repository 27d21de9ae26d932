/*
 * The initial stack. Contract: loader_int.h. Source: the System V x86-64 ABI 3.4, execve(2) for the limits, Linux
 * fs/binfmt_elf.c for the order of things, which programs (and their printed addresses) have come to know.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "syscall-emu/loader_int.h"
#include "vmm/layout.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

#define STRING_MAX 131072ULL        /* MAX_ARG_STRLEN, NUL included */
#define TOTAL_MAX (6ULL << 20)      /* three quarters of Linux's default stack limit */
#define TOTAL_MIN 131072ULL
#define AUXV_MAX 24

static uint64_t strings_total(char *const *v, uint64_t *n, uint64_t *longest)
{
	uint64_t total = 0;

	for (*n = 0; v && v[*n]; ++*n) {
		uint64_t len = strlen(v[*n]) + 1;

		total += len;
		if (len > *longest)
			*longest = len;
	}
	return total;
}

int stack_check(const struct loader *l)
{
	uint64_t argc, envc, longest = 0, limit = l->x->stack_limit / 4;
	uint64_t total = strings_total(l->args.v, &argc, &longest) + strings_total(l->envp, &envc, &longest);

	if (limit > TOTAL_MAX)
		limit = TOTAL_MAX;
	if (limit < TOTAL_MIN)
		limit = TOTAL_MIN;
	total += strlen(l->x->path) + 1 + 8 * (argc + envc);
	return longest > STRING_MAX || total > limit ? -E2BIG : 0;
}

/* The stack is our own fresh mapping, large enough for all that stack_check() lets pass. */
static uint64_t push(uint64_t *sp, const void *bytes, uint64_t len)
{
	*sp -= len;
	memcpy((void *)(uintptr_t)*sp, bytes, len);
	return *sp;
}

/* Strings in reverse, so that they end up in order; ptr[i] becomes the address of v[i]. */
static void push_strings(uint64_t *sp, char *const *v, uint64_t n, uint64_t *ptr)
{
	while (n-- > 0)
		ptr[n] = push(sp, v[n], strlen(v[n]) + 1);
}

static unsigned fill_auxv(const struct loader *l, uint64_t random, uint64_t platform, uint64_t execfn,
			  uint64_t auxv[AUXV_MAX][2])
{
	const struct exec_params *x = l->x;
	const uint64_t list[][2] = {
		{ AT_SYSINFO_EHDR, l->t->proc->vdso },
		{ AT_MINSIGSTKSZ, x->minsigstksz },
		{ AT_HWCAP, x->hwcap },
		{ AT_PAGESZ, PAGE_SIZE_4K },
		{ AT_CLKTCK, x->clktck },
		{ AT_PHDR, l->prog.phdr },
		{ AT_PHENT, sizeof(Elf64_Phdr) },
		{ AT_PHNUM, l->prog.phnum },
		{ AT_BASE, l->prog.base },
		{ AT_FLAGS, 0 },
		{ AT_ENTRY, l->prog.entry },
		{ AT_UID, x->uid },
		{ AT_EUID, x->euid },
		{ AT_GID, x->gid },
		{ AT_EGID, x->egid },
		{ AT_SECURE, x->uid != x->euid || x->gid != x->egid },
		{ AT_RANDOM, random },
		{ AT_HWCAP2, x->hwcap2 },
		{ AT_EXECFN, execfn },
		{ AT_PLATFORM, platform },
		{ AT_NULL, 0 },
	};

	_Static_assert(sizeof(list) / sizeof(list[0]) <= AUXV_MAX, "room for the auxiliary vector");
	memcpy(auxv, list, sizeof(list));
	return sizeof(list) / sizeof(list[0]);
}

static void push_vectors(struct loader *l, uint64_t sp, const uint64_t *argp, uint64_t argc, const uint64_t *envp,
			 uint64_t envc, const uint64_t auxv[][2], unsigned naux)
{
	const uint64_t zero = 0;
	uint64_t at = sp - (argc + 1 + envc + 1 + 1) * 8 - naux * 16;

	at &= ~15ULL;
	l->sp = at;
	l->t->proc->auxv = at + (argc + 1 + envc + 1 + 1) * 8;
	l->t->proc->auxv_len = naux * 16;
	at = l->t->proc->auxv + naux * 16;
	push(&at, auxv, naux * 16);
	push(&at, &zero, 8);
	push(&at, envp, envc * 8);
	push(&at, &zero, 8);
	push(&at, argp, argc * 8);
	push(&at, &argc, 8);
}

int stack_build(struct loader *l)
{
	struct process *p = l->t->proc;
	uint64_t argc = l->args.n, envc = 0, sp = l->sp, execfn, platform, random, auxv[AUXV_MAX][2], *ptr;
	unsigned naux;

	while (l->envp && l->envp[envc])
		envc++;
	ptr = calloc(argc + envc + 1, sizeof(*ptr));
	if (!ptr)
		return -ENOMEM;
	sp -= 8;
	execfn = push(&sp, l->x->path, strlen(l->x->path) + 1);
	p->env_end = sp;
	push_strings(&sp, l->envp, envc, ptr + argc);
	p->env_start = p->arg_end = sp;
	push_strings(&sp, l->args.v, argc, ptr);
	p->arg_start = sp;
	sp &= ~15ULL;
	platform = push(&sp, "x86_64", sizeof("x86_64"));
	random = push(&sp, l->x->random, sizeof(l->x->random));
	naux = fill_auxv(l, random, platform, execfn, auxv);
	push_vectors(l, sp, ptr, argc, ptr + argc, envc, auxv, naux);
	free(ptr);
	return mm_stack_used(p->mm, l->sp);
}
