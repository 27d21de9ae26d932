/*
 * Busy system call sites in memory that changes: unmapped and mapped again, made writable and rewritten, moved, given back its
 * first content, forked, made at run time, at the ends of pages. Each does what its bytes say, and they are the program's own
 * wherever it may write them.
 */
#include "sites.h"

#include <sys/wait.h>

SITE(first, "mov $110, %eax\nfirst_call: syscall\nret");
SITE(second, "mov $110, %eax\nmov 8(%rsp), %r9\nsecond_call: syscall\nret");

/* The `syscall` ends with a page, lies across its end, X does, X ends with it. Each is called with the page and the next one. */
#define PAGE_SITE(name, before, after)                                                                       \
	__asm__(".pushsection .text.sites,\"ax\",@progbits\n.balign 4096\n.skip 4096 - " before "\n.type " #name ",@function\n" \
		#name ": .cfi_startproc\nmov $110, %eax\nsyscall\nret\n.cfi_endproc\n.size " #name ", .-" #name "\n" \
		".balign 4096\n.popsection");                                                                        \
	extern const unsigned char name[]
PAGE_SITE(call_ends_page, "7", );
PAGE_SITE(call_across, "6", );
PAGE_SITE(x_ends_page, "5", );
PAGE_SITE(x_across, "3", );
PAGE_SITE(ret_behind, "7", );

static pid_t parent;
static struct text t;

static void *map_copy(void *at, int prot)
{
	void *p = mmap(at, t.len, prot, MAP_PRIVATE | (at ? MAP_FIXED : 0), t.fd, t.offset);

	CHECK(p != MAP_FAILED);
	return p;
}

static int own_bytes(const void *f, size_t len)
{
	return !memcmp(f, t.own + ((const unsigned char *)f - t.copy), len);
}

static void mapped_again(void)
{
	const void *f = in_copy(&t, first), *g = in_copy(&t, second);

	for (unsigned i = 0; i < 3; i++) {
		CHECK(always(f, parent) && always(g, parent));
		CHECK(munmap(t.copy, t.len) == 0);
		map_copy(t.copy, PROT_READ | PROT_EXEC);
		CHECK(own_bytes(f, 8) && own_bytes(g, 13));
		CHECK(always(f, parent) && always(g, parent));
		map_copy(t.copy, PROT_READ | PROT_EXEC); /* over it */
		CHECK(own_bytes(f, 8) && own_bytes(g, 13));
	}
}

static void rewritten(void)
{
	unsigned char *f = in_copy(&t, first), *g = in_copy(&t, second);

	for (unsigned i = 0; i < 3; i++) {
		CHECK(always(f, i & 1 ? getpid() : parent) && always(g, parent));
		CHECK(mprotect(t.copy, t.len, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
		CHECK(f[0] == 0xb8 && own_bytes(g, 13));
		CHECK(always(f, i & 1 ? getpid() : parent));
		f[1] = i & 1 ? SYS_getppid : SYS_getpid;
		CHECK(call_site(f) == (i & 1 ? parent : getpid()));
		CHECK(mprotect(t.copy, t.len, PROT_READ | PROT_EXEC) == 0);
	}
	CHECK(always(f, getpid()));
	map_copy(t.copy, PROT_READ | PROT_EXEC);
	CHECK(always(f, parent));
	/* Not executable for a while, and only readable. */
	CHECK(mprotect(t.copy, t.len, PROT_READ) == 0 && mprotect(t.copy, t.len, PROT_READ | PROT_EXEC) == 0);
	CHECK(always(f, parent) && always(g, parent));
	CHECK(mprotect(t.copy, t.len, PROT_NONE) == 0 && mprotect(t.copy, t.len, PROT_READ | PROT_EXEC) == 0);
	CHECK(always(f, parent) && always(g, parent));
	CHECK(madvise(t.copy, t.len, MADV_DONTNEED) == 0);
	CHECK(always(f, parent) && always(g, parent));
}

static void moved(void)
{
	const void *f = in_copy(&t, first), *g = in_copy(&t, second);
	unsigned char *to = mmap(NULL, t.len + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 4096, *was = t.copy;

	CHECK(always(f, parent) && always(g, parent));
	CHECK(mremap(t.copy, t.len, t.len, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	t.copy = to;
	CHECK(own_bytes(in_copy(&t, first), 8) && own_bytes(in_copy(&t, second), 13));
	CHECK(always(in_copy(&t, first), parent) && always(in_copy(&t, second), parent));
	CHECK(mremap(t.copy, t.len, t.len, MREMAP_MAYMOVE | MREMAP_FIXED, was) == was);
	t.copy = was;
	CHECK(always(f, parent) && always(g, parent));
}

static void in_children(void)
{
	const void *f = in_copy(&t, first);
	int status;
	pid_t child;

	CHECK(always(f, parent));
	fflush(stdout);
	child = fork();
	if (child == 0) {
		parent = getppid();
		CHECK(always(f, parent) && always(in_copy(&t, second), parent));
		rewritten();
		CHECK(munmap(t.copy, t.len) == 0);
		fflush(stdout);
		_exit(guest_failed);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(always(f, parent));
	for (unsigned i = 0; i < 3; i++) {
		child = vfork();
		if (child == 0) {
			for (unsigned k = 0; k < MANY; k++)
				if (call_site(f) != getppid())
					_exit(2);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && status == 0);
		CHECK(always(f, parent));
	}
	/* A vfork child that changes the mappings it shares. */
	child = vfork();
	if (child == 0)
		_exit(mprotect(t.copy, t.len, PROT_READ | PROT_WRITE) || mprotect(t.copy, t.len, PROT_READ | PROT_EXEC));
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(own_bytes(f, 8) || *(const unsigned char *)f == 0xe9);
	CHECK(always(f, parent));
}

static void ends_of_pages(void)
{
	static const unsigned char *const sites[] = { call_ends_page, call_across, x_ends_page, x_across, ret_behind };

	for (unsigned i = 0; i < sizeof(sites) / sizeof(sites[0]); i++) {
		unsigned char *f = in_copy(&t, sites[i]), *next = (unsigned char *)(((uintptr_t)f + 4096) & ~4095UL);

		CHECK(always(f, parent) && always(sites[i], parent));
		/* The second page is another one now, with what belongs there. */
		map_copy(t.copy, PROT_READ | PROT_EXEC);
		CHECK(always(f, parent));
		CHECK(mprotect(next, 4096, PROT_READ | PROT_WRITE) == 0 && mprotect(next, 4096, PROT_READ | PROT_EXEC) == 0);
		CHECK(always(f, parent));
		CHECK(mremap(next, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, t.copy + t.len) == t.copy + t.len);
		CHECK(mmap(next, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == next);
		memcpy(next, sites[i] + (next - f), 16);
		CHECK(mprotect(next, 4096, PROT_READ | PROT_EXEC) == 0);
		CHECK(always(f, parent));
		map_copy(t.copy, PROT_READ | PROT_EXEC);
	}
}

/* Who may write anywhere: to X, to the `syscall`, and close by. */
static void written(void)
{
	unsigned char *f = in_copy(&t, first);
	int mem = open("/proc/self/mem", O_RDWR);

	CHECK(mem >= 0);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(always(f, parent));
		CHECK(pwrite(mem, "\x27", 1, (off_t)(uintptr_t)f + 1) == 1 && f[1] == SYS_getpid);
		CHECK(f[0] == 0xb8 && always(f, getpid()));
		CHECK(pwrite(mem, "\x6e", 1, (off_t)(uintptr_t)f + 1) == 1 && always(f, parent));
		CHECK(pwrite(mem, "\x90\xc3", 2, (off_t)(uintptr_t)f + 5) == 2);
		CHECK(call_site(f) == SYS_getppid && f[0] == 0xb8);
		CHECK(pwrite(mem, "\x0f\x05", 2, (off_t)(uintptr_t)f + 5) == 2 && always(f, parent));
		CHECK(pwrite(mem, "\xc3", 1, (off_t)(uintptr_t)f + 7) == 1 && always(f, parent));
	}
	close(mem);
}

/* Code made at run time: nobody says where its functions start. */
static void made(void)
{
	unsigned char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	for (unsigned i = 0; i < 4; i++) {
		CHECK(mprotect(p, 4096, PROT_READ | PROT_WRITE) == 0);
		memcpy(p + 16 * i, "\xb8\x6e\0\0\0\x0f\x05\xc3", 8);
		p[1] = i & 1 ? SYS_getpid : SYS_getppid;
		CHECK(mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0);
		CHECK(always(p, i & 1 ? getpid() : parent));
		CHECK(always(p + 16 * i, i == 0 ? (i & 1 ? getpid() : parent) : parent));
	}
	CHECK(mprotect(p, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	for (unsigned i = 0; i < 4; i++) {
		p[1] = i & 1 ? SYS_getpid : SYS_getppid;
		CHECK(always(p, i & 1 ? getpid() : parent));
	}
	munmap(p, 4096);
}

int main(void)
{
	t = text_again();
	/* Room behind it, for what is moved. */
	munmap(t.copy, t.len);
	t.copy = mmap(NULL, t.len + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	map_copy(t.copy, PROT_READ | PROT_EXEC);
	parent = getppid();
	mapped_again();
	rewritten();
	moved();
	in_children();
	ends_of_pages();
	made();
	map_copy(t.copy, PROT_READ | PROT_EXEC);
	written();
	return guest_end();
}
