/* Safe access to guest memory. Contract: plan.h. */
#include <errno.h>
#include <string.h>

#include "syscall-emu/forward.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/plan.h"
#include "vmm/layout.h"

/* The one guest of this host process: its holes are refused too. */
static const struct mm *bound;

void guest_mem_bind(const struct mm *mm)
{
	bound = mm;
}

static bool range_ok(uint64_t addr, uint64_t len)
{
	if (!guest_range_ok(addr, len))
		return false;
	return !bound || mm_range_ok(bound, addr, len ? len : 1);
}

int guest_read(void *dst, uint64_t addr, size_t len)
{
	if (!range_ok(addr, len))
		return -EFAULT;
	return len && copy_checked(dst, (const void *)(uintptr_t)addr, len) ? -EFAULT : 0;
}

int guest_write(uint64_t addr, const void *src, size_t len)
{
	if (!range_ok(addr, len))
		return -EFAULT;
	return len && copy_checked((void *)(uintptr_t)addr, src, len) ? -EFAULT : 0;
}

/* Reads up to the next page boundary, so that a string may end right before a page that is not there. */
static size_t next_piece(uint64_t addr, size_t left, size_t most)
{
	size_t n = PAGE_SIZE_4K - (addr & (PAGE_SIZE_4K - 1));

	if (n > left)
		n = left;
	return n < most ? n : most;
}

int64_t guest_strnlen(uint64_t addr, size_t max)
{
	char buf[256];
	size_t done = 0;

	while (done < max) {
		size_t n = next_piece(addr + done, max - done, sizeof(buf));
		const char *end;

		if (guest_read(buf, addr + done, n) < 0)
			return -EFAULT;
		end = memchr(buf, 0, n);
		if (end)
			return (int64_t)(done + (size_t)(end - buf));
		done += n;
	}
	return (int64_t)max;
}

long guest_string(char *buf, uint64_t addr, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t n = next_piece(addr + done, size - done, size);
		const char *end;

		if (guest_read(buf + done, addr + done, n) < 0)
			return -EFAULT;
		end = memchr(buf + done, 0, n);
		if (end)
			return end - buf;
		done += n;
	}
	return -ENAMETOOLONG;
}
