/*
 * Memory that a host fork does not copy: shared mappings. A copy of a replayed process gets objects of its own in their
 * place, with the same content; mappings of one object stay mappings of one. Contract: debuggee_int.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "replay/debuggee_int.h"
#include "vmm/cleanup.h"

#define MAPPINGS_MAX 4096

struct mapping {
	uint64_t start, end, offset, ino;
	unsigned dev_major, dev_minor;
	int prot;
};

/* The guest's shared mappings, as the kernel has them: number, or -errno. */
static int list(struct mapping *m, int max)
{
	cleanup_fclose FILE *f = fopen("/proc/self/maps", "re");
	char line[8192], perms[8];
	int n = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		struct mapping *at = &m[n];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %x:%x %" SCNu64, &at->start, &at->end, perms, &at->offset,
			   &at->dev_major, &at->dev_minor, &at->ino) != 7 || perms[3] != 's' || at->end > GUEST_TOP)
			continue;
		at->prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) | (perms[2] == 'x' ? PROT_EXEC : 0);
		if (++n == max)
			return -E2BIG;
	}
	return n;
}

static bool same_object(const struct mapping *a, const struct mapping *b)
{
	return a->ino == b->ino && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

/* What is behind the end of the object cannot be read; pages of zeros are what holes are. */
static int copy_pages(int mem, const struct mapping *m, int to, uint64_t *size)
{
	static const char zeros[PAGE_SIZE_4K];
	char page[PAGE_SIZE_4K];

	for (uint64_t at = m->start; at < m->end; at += sizeof(page)) {
		uint64_t off = m->offset + (at - m->start);

		if (pread(mem, page, sizeof(page), (off_t)at) != sizeof(page))
			continue;
		if (off + sizeof(page) > *size)
			*size = off + sizeof(page);
		if (memcmp(page, zeros, sizeof(page)) && pwrite(to, page, sizeof(page), (off_t)off) != sizeof(page))
			return -ENOSPC;
	}
	return 0;
}

/* Descriptors of the object stand for the new one from now on, and say how large it is. */
static void take_over(const struct mapping *m, int made, uint64_t *size)
{
	struct stat st;

	for (int fd = 0; fd < (int)sysconf(_SC_OPEN_MAX) && fd < 70000; fd++) {
		if (fstat(fd, &st) < 0 || st.st_ino != m->ino || major(st.st_dev) != m->dev_major ||
		    minor(st.st_dev) != m->dev_minor)
			continue;
		*size = (uint64_t)st.st_size;
		dup3(made, fd, O_CLOEXEC);
	}
}

static int replace(int mem, const struct mapping *all, int n, int first)
{
	cleanup_close int made = memfd_create("sandrec-shared", MFD_CLOEXEC);
	uint64_t size = 0;
	int rc = made < 0 ? -errno : 0;

	for (int i = first; i < n && rc == 0; i++)
		if (same_object(&all[i], &all[first]))
			rc = copy_pages(mem, &all[i], made, &size);
	if (rc == 0)
		take_over(&all[first], made, &size);
	if (rc == 0 && ftruncate(made, (off_t)size) < 0)
		rc = -errno;
	for (int i = first; i < n && rc == 0; i++)
		if (same_object(&all[i], &all[first]) &&
		    mmap((void *)(uintptr_t)all[i].start, all[i].end - all[i].start, all[i].prot, MAP_SHARED | MAP_FIXED, made,
			 (off_t)all[i].offset) == MAP_FAILED)
			rc = -errno;
	return rc;
}

int copy_shared(void)
{
	static struct mapping all[MAPPINGS_MAX];
	cleanup_close int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	int n = mem < 0 ? -errno : list(all, MAPPINGS_MAX), rc = 0;

	for (int i = 0; i < n && rc == 0; i++) {
		bool done = false;

		for (int k = 0; k < i; k++)
			done |= same_object(&all[k], &all[i]);
		if (!done)
			rc = replace(mem, all, n, i);
	}
	return n < 0 ? n : rc;
}
