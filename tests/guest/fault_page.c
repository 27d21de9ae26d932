/* Page faults: what a program sees of reads, writes and jumps that its mappings do not allow. */
#include <sys/mman.h>

#include "sigtest.h"

static volatile char sink;

static void show(int sig, siginfo_t *si, void *context)
{
	printf("cr2 %s, ", rightness(reg(context, REG_CR2)));
	show_fault(sig, si, context);
}

static void call(const void *addr)
{
	__asm__ volatile("call *%0" : : "r"(addr) : "memory", "rax", "rcx", "rdx");
}

int main(void)
{
	volatile char *none = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile char *ro = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile char *gone = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	catch_faults(show, 0);
	gone[0] = ro[0] = ro[4096] = 1;
	munmap((void *)gone, 8192);
	TRY("read of nothing", gone + 5, sink = gone[5]);
	TRY("write to nothing", gone + 6, gone[6] = 1);
	TRY("jump to nothing", gone, call((void *)gone));
	TRY("read of PROT_NONE", none + 4095, sink = none[4095]);
	TRY("write to PROT_NONE", none, none[0] = 1);
	TRY("jump to PROT_NONE", none, call((void *)none));
	TRY("jump to a data page", ro + 16, call((void *)(ro + 16)));
	mprotect((void *)ro, 4096, PROT_READ);
	TRY("read of read-only", 0, sink = ro[1]);
	TRY("write to read-only", ro + 1, ro[1] = 1);
	TRY("write across the end of writable", ro + 4095, __asm__ volatile("movq $0, (%0)" : : "r"(ro + 4095) : "memory"));
	mprotect((void *)(ro + 4096), 4096, PROT_NONE);
	TRY("read across the end of readable", ro + 4096,
	    __asm__ volatile("movq (%0), %%rax" : : "r"(ro + 4092) : "rax", "memory"));
	TRY("jump to a read-only page", ro, call((void *)ro));
	TRY("read of null", 0, sink = *(volatile char *)NULL);
	TRY("call of null", 0, call(NULL));
	TRY("write near null", 0x123, *(volatile char *)0x123 = 1);
	TRY("read of kernel memory", 0xffff800000000000, sink = *(volatile char *)0xffff800000000000);
	TRY("write to kernel memory", 0xffffffff81000000, *(volatile char *)0xffffffff81000000 = 1);
	TRY("jump to kernel memory", 0xffffffff81000000, call((void *)0xffffffff81000000));
	TRY("read at the end of user space", 0x7ffffffff000, sink = *(volatile char *)0x7ffffffff000);
	return 0;
}
