/*
 * A guest without a VM, for tests of the table: memory at fixed addresses below GUEST_TOP, a hole as the VMM's first heap
 * makes one, and system calls made at once. Tests that include this are linked with --wrap for the functions below.
 */
#ifndef SANDREC_GUEST_DOUBLE_H
#define SANDREC_GUEST_DOUBLE_H

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "syscall-emu/forward.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/session.h"

#define MEM_BASE 0x200000000000ULL /* guest memory */
#define MEM_SIZE 0x100000ULL
#define HOLE_BASE (MEM_BASE + MEM_SIZE) /* VMM memory, mapped and readable for us, directly behind it */
#define HOLE_SIZE 0x10000ULL

int __wrap_mm_range_ok(const struct mm *mm, uint64_t addr, uint64_t len);
size_t __wrap_copy_checked(void *dst, const void *src, size_t len);
int64_t __wrap_forward_syscall_checked(uint64_t nr, const uint64_t args[6], const volatile int *pending);

static unsigned forwarded;       /* calls made */
static void (*before_forward)(void); /* what another guest thread does in the meantime */
static const struct session_ops no_ops;
static struct session session = { .ops = &no_ops };
static struct process proc = { .mm = (struct mm *)&proc, .sess = &session }; /* mm: only compared with NULL */
static struct task task = { .proc = &proc };

int __wrap_mm_range_ok(const struct mm *mm, uint64_t addr, uint64_t len)
{
	(void)mm;
	if (addr >= 0x7f0000000000ULL || len > 0x7f0000000000ULL - addr)
		return 0;
	return addr + len <= HOLE_BASE || addr >= HOLE_BASE + HOLE_SIZE;
}

size_t __wrap_copy_checked(void *dst, const void *src, size_t len)
{
	struct iovec to = { dst, len }, from = { (void *)src, len };
	ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

	return len - (n < 0 ? 0 : (size_t)n);
}

int64_t __wrap_forward_syscall_checked(uint64_t nr, const uint64_t args[6], const volatile int *pending)
{
	long ret;

	(void)pending;
	forwarded++;
	if (before_forward)
		before_forward();
	ret = syscall((long)nr, args[0], args[1], args[2], args[3], args[4], args[5]);
	return ret < 0 ? -errno : ret;
}

static inline void *at(uint64_t addr)
{
	return (void *)(uintptr_t)addr;
}

static inline uint64_t addr_of(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static inline void guest_setup(void)
{
	void *m = mmap(at(MEM_BASE), MEM_SIZE + HOLE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	ck_assert_ptr_eq(m, at(MEM_BASE));
	memset(at(HOLE_BASE), 's', HOLE_SIZE);
	ck_assert_int_eq(plan_init(&task.plan), 0);
	forwarded = 0;
	before_forward = NULL;
}

static inline void guest_teardown(void)
{
	plan_release(&task.plan);
	munmap(at(MEM_BASE), MEM_SIZE + HOLE_SIZE);
}

#define build(nr, ...) \
	plan_build(&task.plan, &task, sys_row(nr), (nr), (const uint64_t[6]){ __VA_ARGS__ })

/* A call through its row, without the row's handler and post hook. */
static inline int64_t call_row(const struct sys_desc *d, uint64_t nr, const uint64_t args[6])
{
	int64_t ret = plan_build(&task.plan, &task, d, nr, args);

	if (ret < 0)
		return ret;
	ret = plan_forward(&task.plan, &task);
	return plan_finish(&task.plan, &task, ret);
}

#define call(nr, ...) call_row(sys_row(nr), (nr), (const uint64_t[6]){ __VA_ARGS__ })

struct piece { uint64_t addr, len; uint32_t kind; const void *bytes; };
static struct piece pieces[64];
static unsigned npieces;

static inline int piece_note(void *arg, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes)
{
	(void)arg;
	ck_assert_uint_lt(npieces, 64);
	pieces[npieces++] = (struct piece){ addr, len, kind, bytes };
	return 0;
}

static inline unsigned written(void)
{
	npieces = 0;
	ck_assert_int_eq(plan_written(&task.plan, piece_note, NULL), 0);
	return npieces;
}

#endif
