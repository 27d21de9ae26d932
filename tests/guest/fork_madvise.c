/* Memory that a parent keeps from its children: madvise(2) with MADV_DONTFORK and MADV_WIPEONFORK, and back. */
#include <sys/uio.h>

#include "proctest.h"

#define PAGE 4096UL

static char *area;

/* The fork of a process that reads a page: what it finds, or what it dies of. */
static void look(const char *what, int page)
{
	pid_t pid = fork();
	int st;

	if (pid == 0)
		_exit(*(volatile char *)(area + (unsigned)page * PAGE));
	waitpid(pid, &st, 0);
	show_status(what, st);
}

static void maps_of_area(const char *what)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned long start, end;

	printf("%s:", what);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start < (unsigned long)area + 8 * PAGE && end > (unsigned long)area)
			printf(" %ld-%ld", start < (unsigned long)area ? 0L : (long)(start - (unsigned long)area) / (long)PAGE,
			       end > (unsigned long)area + 8 * PAGE ? 8L : (long)(end - (unsigned long)area) / (long)PAGE);
	puts("");
	fclose(f);
}

static void keeps_from_child(void)
{
	pid_t pid = fork(), inner;
	char buf[8];
	struct iovec to = { buf, 1 }, from = { area + PAGE, 1 };
	int st;

	if (pid == 0) {
		maps_of_area("the child");
		SHOW(write(1, area + PAGE, 1));
		SHOW(process_vm_readv(getpid(), &to, 1, &from, 1, 0));
		SHOW(mincore(area + PAGE, PAGE, (unsigned char *)buf));
		/* The place is free. */
		CHECK(mmap(area + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
		      area + PAGE);
		printf("mapped again: %d, wiped: %d\n", area[PAGE], area[3 * PAGE]);
		area[3 * PAGE] = 77;
		look("the grandchild finds it wiped again", 3);
		inner = vfork();
		if (inner == 0)
			_exit(area[3 * PAGE]);
		waitpid(inner, &st, 0);
		show_status("vfork shares it", st);
		_exit(0);
	}
	waitpid(pid, &st, 0);
	show_status("child", st);
}

int main(void)
{
	void *file, *shared;

	by_line();
	area = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 8; i++)
		area[(unsigned)i * PAGE] = (char)(i + 1);
	SHOW(madvise(area + PAGE, 2 * PAGE, MADV_DONTFORK));
	SHOW(madvise(area + 3 * PAGE, PAGE, MADV_WIPEONFORK));
	maps_of_area("the parent");
	look("in front", 0);
	look("not inherited", 1);
	look("not inherited", 2);
	look("wiped", 3);
	look("behind", 4);
	keeps_from_child();
	SHOW(madvise(area, 8 * PAGE, MADV_DOFORK));
	look("inherited again", 1);
	look("still wiped", 3);
	SHOW(madvise(area, 8 * PAGE, MADV_KEEPONFORK));
	look("kept", 3);
	maps_of_area("the parent");
	/* Both at once, and what moves or changes its protection. */
	SHOW(madvise(area + 5 * PAGE, PAGE, MADV_WIPEONFORK));
	SHOW(mprotect(area + 4 * PAGE, 3 * PAGE, PROT_READ));
	look("wiped, read-only", 5);
	SHOW(madvise(area + 5 * PAGE, PAGE, MADV_DONTFORK));
	look("neither", 5);
	maps_of_area("the parent");
	/* Which memory. */
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	SHOW(madvise(shared, PAGE, MADV_WIPEONFORK));
	SHOW(madvise(shared, PAGE, MADV_DONTFORK));
	file = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, open("/proc/self/exe", O_RDONLY), 0);
	SHOW(madvise(file, PAGE, MADV_WIPEONFORK));
	SHOW(madvise(file, PAGE, MADV_KEEPONFORK));
	SHOW(madvise(file, PAGE, MADV_DONTFORK));
	munmap(area + 7 * PAGE, PAGE);
	SHOW(madvise(area + 6 * PAGE, 2 * PAGE, MADV_DONTFORK));
	area = shared;
	look("shared", 0);
	area = file;
	look("of a file", 0);
	return guest_end();
}
