/*
 * Mapping ELF files as Linux does. Contract: loader_int.h. Source: the System V ABI for the format, Linux
 * fs/binfmt_elf.c for rules and errnos.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "syscall-emu/loader_int.h"
#include "vmm/cleanup.h"
#include "vmm/layout.h"

#define PHDRS_MAX 65536 /* bytes of program headers */

struct elf {
	Elf64_Ehdr eh;
	Elf64_Phdr *ph; /* eh.e_phnum */
	int fd;
	const struct exec_file *file;
};

static uint64_t down(uint64_t v) { return v & ~(PAGE_SIZE_4K - 1); }
static uint64_t up(uint64_t v) { return down(v + PAGE_SIZE_4K - 1); }

static int prot_of(const Elf64_Phdr *p)
{
	return (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
			(p->p_flags & PF_X ? PROT_EXEC : 0);
}

static bool is_elf64(const Elf64_Ehdr *e)
{
	return !memcmp(e->e_ident, ELFMAG, SELFMAG) && (e->e_type == ET_EXEC || e->e_type == ET_DYN) &&
	       e->e_machine == EM_X86_64; /* Linux looks at nothing else of the header's start */
}

static int read_phdrs(struct elf *e)
{
	size_t size = (size_t)e->eh.e_phnum * sizeof(*e->ph);

	if (e->eh.e_phentsize != sizeof(*e->ph) || !size || size > PHDRS_MAX || e->eh.e_phoff > INT64_MAX)
		return -ENOEXEC;
	e->ph = malloc(size);
	if (!e->ph)
		return -ENOMEM;
	return loader_read(e->fd, e->ph, size, e->eh.e_phoff) < 0 ? -ENOEXEC : 0;
}

/* ---- segments ---- */

/* Loaded segments as one stretch of pages, and the largest alignment. -EINVAL when they cannot be that. */
static int extent(const struct elf *e, uint64_t *lo, uint64_t *hi, uint64_t *align)
{
	*lo = UINT64_MAX;
	*hi = 0;
	*align = PAGE_SIZE_4K;
	for (unsigned i = 0; i < e->eh.e_phnum; i++) {
		const Elf64_Phdr *p = &e->ph[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_filesz > p->p_memsz || !guest_range_ok(p->p_vaddr, p->p_memsz))
			return -EINVAL;
		if (down(p->p_vaddr) < *lo)
			*lo = down(p->p_vaddr);
		if (p->p_vaddr + p->p_memsz > *hi)
			*hi = p->p_vaddr + p->p_memsz;
		/* Linux ignores an alignment that is no power of two. */
		if (!(p->p_align & (p->p_align - 1)) && p->p_align > *align)
			*align = p->p_align;
	}
	return *hi > *lo ? 0 : -EINVAL;
}

static int map_fixed(struct mm *mm, uint64_t addr, uint64_t len, int prot, int flags, const struct map_source *src)
{
	struct mm_request r = { .addr = addr, .len = len, .prot = prot, .flags = MAP_PRIVATE | flags, .src = src };
	int64_t got = mm_map(mm, &r);

	return got < 0 ? (int)got : 0;
}

/* Zeros behind the file's bytes up to the end of their last page. */
static int clear_tail(struct mm *mm, uint64_t from)
{
	static const char zero[PAGE_SIZE_4K];

	return mm_poke(mm, from, zero, up(from) - from);
}

static int map_zeros(struct mm *mm, uint64_t start, uint64_t end, int prot, int fixed)
{
	if (end <= start)
		return 0;
	return map_fixed(mm, start, end - start, PROT_READ | PROT_WRITE | (prot & PROT_EXEC), MAP_ANONYMOUS | fixed,
			 NULL);
}

static int map_segment(struct loader *l, const struct elf *e, const Elf64_Phdr *p, uint64_t bias, int fixed)
{
	struct mm *mm = l->t->proc->mm;
	uint64_t in_page = p->p_vaddr & (PAGE_SIZE_4K - 1), addr = bias + p->p_vaddr;
	uint64_t file_end = addr + p->p_filesz, mem_end = addr + p->p_memsz;
	struct map_source src = { .fd = e->fd, .offset = p->p_offset - in_page, .dev = e->file->dev,
				  .ino = e->file->ino };
	int prot = prot_of(p), rc;

	if (!p->p_filesz)
		return map_zeros(mm, down(addr), up(mem_end), prot, fixed);
	if (p->p_offset < in_page || src.offset > INT64_MAX - up(p->p_filesz + in_page))
		return -EINVAL;
	strncpy(src.path, e->file->path ? e->file->path : "", sizeof(src.path) - 1);
	rc = map_fixed(mm, down(addr), up(file_end) - down(addr), prot, fixed, &src);
	if (rc < 0 || mem_end == file_end)
		return rc;
	/* Linux cannot clear the rest of a page that is not writable either, and goes on. */
	rc = prot & PROT_WRITE ? clear_tail(mm, file_end) : 0;
	return rc < 0 ? rc : map_zeros(mm, up(file_end), up(mem_end), prot, MAP_FIXED);
}

static int map_segments(struct loader *l, const struct elf *e, uint64_t bias)
{
	bool first = true;

	for (unsigned i = 0; i < e->eh.e_phnum; i++) {
		int rc;

		if (e->ph[i].p_type != PT_LOAD)
			continue;
		rc = map_segment(l, e, &e->ph[i], bias, first ? MAP_FIXED_NOREPLACE : MAP_FIXED);
		if (rc < 0)
			return rc;
		first = false;
	}
	return 0;
}

static void note_segments(const struct elf *e, uint64_t bias, struct image *im)
{
	im->start_code = UINT64_MAX;
	for (unsigned i = 0; i < e->eh.e_phnum; i++) {
		const Elf64_Phdr *p = &e->ph[i];
		uint64_t start = bias + p->p_vaddr, file_end = start + p->p_filesz;

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_offset <= e->eh.e_phoff && e->eh.e_phoff - p->p_offset < p->p_filesz)
			im->phdr = e->eh.e_phoff - p->p_offset + start;
		if (p->p_flags & PF_X && start < im->start_code)
			im->start_code = start;
		if (p->p_flags & PF_X && file_end > im->end_code)
			im->end_code = file_end;
		if (start > im->start_data)
			im->start_data = start;
		if (file_end > im->end_data)
			im->end_data = file_end;
		if (start + p->p_memsz > im->brk)
			im->brk = start + p->p_memsz;
	}
	if (im->start_code == UINT64_MAX)
		im->start_code = 0;
	im->phnum = e->eh.e_phnum;
	im->bias = bias;
	im->entry = e->eh.e_entry + bias;
}

/* base 0: the interpreter, put where mmap would put it. */
static int load(struct loader *l, const struct elf *e, uint64_t base, struct image *im)
{
	struct mm *mm = l->t->proc->mm;
	uint64_t lo, hi, align, bias = 0;
	int rc = extent(e, &lo, &hi, &align);

	if (rc < 0)
		return rc;
	if (e->eh.e_type == ET_DYN) {
		struct mm_request r = { .len = up(hi) - lo, .prot = PROT_NONE, .flags = MAP_PRIVATE | MAP_ANONYMOUS };
		int64_t at;

		if (base) {
			if (align > GUEST_PIE_BASE || up(hi) > GUEST_TOP - GUEST_PIE_BASE)
				return -ENOMEM;
			base = base & ~(align - 1);
			r.addr = base + (lo & (align - 1));
			r.flags |= MAP_FIXED_NOREPLACE;
		}
		/* Reserved as a whole first, so that the parts cannot be torn apart; gaps are given back. */
		at = mm_map(mm, &r);
		if (at < 0)
			return (int)at;
		rc = mm_unmap(mm, (uint64_t)at, r.len);
		if (rc < 0)
			return rc;
		bias = (uint64_t)at - lo;
	}
	rc = map_segments(l, e, bias);
	if (rc < 0)
		return rc;
	note_segments(e, bias, im);
	im->base = e->eh.e_type == ET_DYN ? bias + lo : lo;
	return im->entry < GUEST_TOP ? 0 : -EINVAL;
}

/* ---- program and interpreter ---- */

static const Elf64_Phdr *find_phdr(const struct elf *e, uint32_t type)
{
	for (unsigned i = 0; i < e->eh.e_phnum; i++)
		if (e->ph[i].p_type == type)
			return &e->ph[i];
	return NULL;
}

static int interp_path(const struct elf *e, const Elf64_Phdr *p, char path[PATH_MAX])
{
	if (p->p_filesz > PATH_MAX || p->p_filesz < 2)
		return -ENOEXEC;
	if (p->p_offset > INT64_MAX || loader_read(e->fd, path, p->p_filesz, p->p_offset) < 0)
		return -EIO;
	return path[p->p_filesz - 1] ? -ENOEXEC : 0;
}

static int check_interp(struct loader *l, struct elf *e)
{
	uint64_t lo, hi, align;
	int rc = loader_read(e->fd, &e->eh, sizeof(e->eh), 0);

	if (rc < 0)
		return rc;
	if (!is_elf64(&e->eh) || read_phdrs(e) < 0 || extent(e, &lo, &hi, &align) < 0)
		return loader_say(l, -ELIBBAD, "its program interpreter is no ELF file for x86-64");
	return 0;
}

static int load_interp(struct loader *l, struct elf *e)
{
	struct image im = { 0 };
	int rc = check_interp(l, e);

	if (rc < 0)
		return rc;
	rc = load(l, e, 0, &im);
	l->entry = im.entry;
	l->prog.base = im.bias;
	return rc;
}

static int wrong_format(struct loader *l, const Elf64_Ehdr *eh)
{
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG))
		return loader_say(l, -ENOEXEC, "neither an ELF file nor a script");
	if (eh->e_machine == EM_386)
		return loader_say(l, -ENOEXEC, "a 32-bit program: only 64-bit x86-64 programs can be run");
	if (eh->e_machine != EM_X86_64)
		return loader_say(l, -ENOEXEC, "a program for another machine than x86-64");
	return loader_say(l, -ENOEXEC, "an ELF file, but no program");
}

int elf_load(struct loader *l, int fd, unsigned index, const char head[BINPRM_SIZE])
{
	struct elf e = { .fd = fd, .file = &l->x->file[index] };
	cleanup_free Elf64_Phdr *phdrs = NULL, *interp_phdrs = NULL;
	cleanup_close int interp_fd = -1;
	const Elf64_Phdr *interp, *stack;
	char path[PATH_MAX];
	uint64_t lo, hi, align;
	struct elf ie = { 0 };
	int rc;

	memcpy(&e.eh, head, sizeof(e.eh));
	if (!is_elf64(&e.eh))
		return wrong_format(l, &e.eh);
	rc = read_phdrs(&e);
	phdrs = e.ph;
	if (rc < 0)
		return loader_say(l, rc, "its program headers cannot be read");
	interp = find_phdr(&e, PT_INTERP);
	if (interp) {
		rc = interp_path(&e, interp, path);
		if (rc < 0)
			return loader_say(l, rc, "the name of its program interpreter is damaged");
		interp_fd = loader_open(l, path, &index);
		if (interp_fd < 0)
			return loader_say(l, interp_fd, "its program interpreter cannot be opened");
		ie.fd = interp_fd;
		ie.file = &l->x->file[index];
	}
	stack = find_phdr(&e, PT_GNU_STACK);
	l->stack_prot = PROT_READ | PROT_WRITE | (stack && stack->p_flags & PF_X ? PROT_EXEC : 0);
	/* The stack's limit says where the mapping area begins, so it comes before any mapping without an address. */
	rc = extent(&e, &lo, &hi, &align);
	if (rc == 0 && l->check_only) {
		rc = interp ? check_interp(l, &ie) : 0;
		interp_phdrs = ie.ph;
		return rc;
	}
	if (rc == 0)
		rc = mm_make_stack(l->t->proc->mm, l->x->stack_limit, l->stack_prot, &l->sp);
	if (rc == 0)
		rc = load(l, &e, GUEST_PIE_BASE, &l->prog);
	if (rc < 0)
		return loader_say(l, rc, "its segments cannot be mapped");
	l->entry = l->prog.entry;
	l->prog.base = 0;
	if (interp) {
		rc = load_interp(l, &ie);
		interp_phdrs = ie.ph;
	}
	return rc;
}
