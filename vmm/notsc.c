/* PR_SET_TSC and the vDSO's clocks. Contract: notsc.h. Sources: prctl(2), vdso(7), the gABI on DT_HASH. */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/notsc.h"
#include "vmm/proc_self.h"

static __thread bool off; /* rdtsc raises SIGSEGV on this thread */
static __thread bool free_of_it; /* it never will */
static int patched;       /* 0 not tried, 1 the vDSO makes system calls, -1 it cannot be changed */

struct image {
	uintptr_t base;
	const Elf64_Sym *sym;
	const char *str;
	uint32_t nsyms;
};

static bool find_symbols(struct image *im)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Phdr *ph;
	const Elf64_Dyn *dyn = NULL;
	uintptr_t load = 0;

	if (!eh)
		return false;
	im->base = (uintptr_t)eh;
	ph = (const Elf64_Phdr *)(im->base + eh->e_phoff);
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD)
			load = im->base + ph[i].p_offset - ph[i].p_vaddr;
		else if (ph[i].p_type == PT_DYNAMIC)
			dyn = (const Elf64_Dyn *)(im->base + ph[i].p_offset);
	}
	im->base = load;
	for (; dyn && dyn->d_tag != DT_NULL; dyn++) {
		if (dyn->d_tag == DT_SYMTAB)
			im->sym = (const Elf64_Sym *)(load + dyn->d_un.d_ptr);
		else if (dyn->d_tag == DT_STRTAB)
			im->str = (const char *)(load + dyn->d_un.d_ptr);
		else if (dyn->d_tag == DT_HASH)
			im->nsyms = ((const uint32_t *)(load + dyn->d_un.d_ptr))[1];
	}
	/* Without DT_HASH (kernels since 6.6 may have DT_GNU_HASH only) the symbols end where the strings begin. */
	if (im->sym && im->str && !im->nsyms && (uintptr_t)im->str > (uintptr_t)im->sym)
		im->nsyms = (uint32_t)(((uintptr_t)im->str - (uintptr_t)im->sym) / sizeof(Elf64_Sym));
	return im->sym && im->str && im->nsyms;
}

/* mov $nr, %eax; syscall; ret */
static bool patch_function(int mem, const struct image *im, const char *name, uint32_t nr)
{
	uint8_t code[8] = { 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3 };

	memcpy(code + 1, &nr, sizeof(nr));
	for (uint32_t i = 0; i < im->nsyms; i++)
		if (im->sym[i].st_shndx != SHN_UNDEF && strcmp(im->str + im->sym[i].st_name, name) == 0)
			return im->sym[i].st_size >= sizeof(code) &&
			       pwrite(mem, code, sizeof(code), (off_t)(im->base + im->sym[i].st_value)) == sizeof(code);
	return true; /* a function that is not there reads no clock */
}

static bool patch_vdso(void)
{
	struct image im = { 0 };
	/* /proc/self/mem writes to pages that mprotect may not change (sealed system mappings). */
	cleanup_close int mem = proc_self_open("mem", O_RDWR);

	if (mem < 0)
		return false;
	if (!getauxval(AT_SYSINFO_EHDR))
		return true;
	return find_symbols(&im) && patch_function(mem, &im, "__vdso_clock_gettime", SYS_clock_gettime) &&
	       patch_function(mem, &im, "__vdso_gettimeofday", SYS_gettimeofday) &&
	       patch_function(mem, &im, "__vdso_time", SYS_time);
}

static void set(bool want)
{
	if (want != off && prctl(PR_SET_TSC, want ? PR_TSC_SIGSEGV : PR_TSC_ENABLE) == 0)
		off = want;
}

void notsc_enter(bool want)
{
	if (want && !patched)
		patched = patch_vdso() ? 1 : -1;
	set(want);
}

void notsc_leave(void)
{
	if (patched < 0)
		set(false);
}

void notsc_end(void)
{
	set(false);
}

void notsc_free(void)
{
	free_of_it = prctl(PR_SET_TSC, PR_TSC_ENABLE) == 0;
}

bool notsc_is_free(void)
{
	return free_of_it;
}
