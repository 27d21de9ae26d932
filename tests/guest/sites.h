/*
 * System call sites of many shapes, each a function of its own, and the program's text a second time near the libraries: what may
 * be patched depends on where it is.
 */
#ifndef TESTS_SITES_H
#define TESTS_SITES_H

#include "guest.h"

#include <elf.h>
#include <sys/auxv.h>

#define MANY 400 /* calls that make a site busy */

/* long NAME(...): body ends in `ret`; NAME_call is its `syscall`. */
#define SITE(name, body)                                                                                     \
	__asm__(".pushsection .text.sites,\"ax\",@progbits\n.balign 16\n.type " #name ",@function\n" #name ":\n" \
		".cfi_startproc\n" body "\n.cfi_endproc\n.size " #name ", .-" #name "\n.popsection");              \
	extern const unsigned char name[], name##_call[]

struct text {
	unsigned char *own, *copy; /* the executable segment, and a mapping of it elsewhere */
	size_t len;
	off_t offset;              /* in the file */
	int fd;
};

static inline struct text text_again(void)
{
	const Elf64_Phdr *ph = (const Elf64_Phdr *)getauxval(AT_PHDR);
	unsigned n = (unsigned)getauxval(AT_PHNUM);
	struct text t = { .fd = open("/proc/self/exe", O_RDONLY) };
	uint64_t base = 0;

	for (unsigned i = 0; i < n; i++)
		if (ph[i].p_type == PT_PHDR)
			base = (uint64_t)ph - ph[i].p_vaddr;
	for (unsigned i = 0; i < n; i++) {
		uint64_t in_page = ph[i].p_vaddr % 4096;

		if (ph[i].p_type != PT_LOAD || !(ph[i].p_flags & PF_X))
			continue;
		t.own = (unsigned char *)(base + ph[i].p_vaddr - in_page);
		t.len = (ph[i].p_filesz + in_page + 4095) & ~4095UL;
		t.offset = (off_t)(ph[i].p_offset - in_page);
	}
	t.copy = mmap(NULL, t.len, PROT_READ | PROT_EXEC, MAP_PRIVATE, t.fd, t.offset);
	CHECK(t.fd >= 0 && t.own && t.copy != MAP_FAILED);
	return t;
}

static inline void *in_copy(const struct text *t, const void *p)
{
	return t->copy + ((const unsigned char *)p - t->own);
}

typedef long (*site_fn)(long a, long b, long c, long d, long e, long f, long g);

static inline long call_site(const void *f)
{
	return ((site_fn)(uintptr_t)f)(0, 0, 0, 0, 0, 0, 0);
}

/* Do MANY calls all return this? */
static inline int always(const void *f, long want)
{
	for (unsigned i = 0; i < MANY; i++)
		if (call_site(f) != want)
			return 0;
	return 1;
}

#endif
