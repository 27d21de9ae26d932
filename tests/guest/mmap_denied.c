/* Rights that mprotect never gives a mapping of a file: by how it was opened, by seals, by its file system. */
#include "guest.h"

#define PAGE 4096UL

static char *map(int prot, int flags, int fd)
{
	char *p = mmap(NULL, PAGE, prot, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static int sealed(unsigned seals)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING);

	CHECK(fd >= 0 && ftruncate(fd, (off_t)PAGE) == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0);
	return fd;
}

/* Two mappings next to each other, of which one may be written. */
static void side_by_side(int fd)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(mmap(p + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == p + PAGE);
	SHOW(mprotect(p, 2 * PAGE, PROT_READ | PROT_WRITE));
	p[0] = 1; /* the first one has changed */
	SHOW(mprotect(p + PAGE, PAGE, PROT_NONE));
	SHOW(mprotect(p + PAGE, PAGE, PROT_READ));
	SHOW(mprotect(p + PAGE, PAGE, PROT_WRITE));
	CHECK(munmap(p, 2 * PAGE) == 0);
}

int main(void)
{
	int fd = open("/proc/self/exe", O_RDONLY), shm;
	char *p;

	p = map(PROT_READ, MAP_SHARED, fd);
	SHOW(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	SHOW(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	side_by_side(fd);
	p = map(PROT_READ, MAP_PRIVATE, fd);
	SHOW(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	p[0] = 1;
	fd = sealed(F_SEAL_FUTURE_WRITE);
	p = map(PROT_READ, MAP_SHARED, fd);
	SHOW(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	p = map(PROT_READ, MAP_PRIVATE, fd);
	SHOW(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	SHOW(madvise(p, PAGE, MADV_REMOVE));
	fd = sealed(F_SEAL_SHRINK | F_SEAL_GROW);
	p = map(PROT_READ, MAP_SHARED, fd);
	SHOW(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	p[0] = 1;
	/* Where programs may not be executed, as is usual for this one. */
	shm = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
	if (shm >= 0 && ftruncate(shm, (off_t)PAGE) == 0) {
		p = map(PROT_READ | PROT_WRITE, MAP_SHARED, shm);
		SHOW(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
		p = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, shm);
		SHOW(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
		SHOW_OK(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, shm, 0));
	}
	return guest_end();
}
