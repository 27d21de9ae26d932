/* A program as people write them with libbpf: a skeleton, globals, a ring buffer waited for with epoll and polled. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "everything.skel.h"

struct record {
	unsigned kind, number;
	char comm[16];
};
static unsigned seen[4];

static int on_record(void *ctx, void *data, size_t size)
{
	struct record *r = data;

	(void)ctx, (void)size;
	if (r->kind < 4)
		seen[r->kind]++;
	return 0;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stdout, format, args) : 0;
}

/* A cgroup's id is the number of its directory. */
static unsigned long long cgroup_id(void)
{
	struct stat st;

	if (stat("/sys/fs/cgroup/unified", &st) < 0 && stat("/sys/fs/cgroup", &st) < 0)
		return 0;
	return st.st_ino;
}

int main(void)
{
	struct everything_bpf *b = everything_bpf__open();
	struct { int pid; unsigned long long cgroup; } question = { getpid(), cgroup_id() };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &question, .ctx_size_in = sizeof(question));
	LIBBPF_OPTS(bpf_test_run_opts, plain);
	struct ring_buffer *ring;
	unsigned long long counts[256] = { 0 }, sum = 0;
	unsigned key = 110;
	int cpus = libbpf_num_possible_cpus();

	libbpf_set_print(quiet);
	if (!b)
		return 1;
	b->rodata->wanted_pid = getpid();
	if (everything_bpf__load(b) < 0) {
		printf("cannot be loaded\n");
		return 1;
	}
	printf("attach: %d\n", everything_bpf__attach(b));
	ring = ring_buffer__new(bpf_map__fd(b->maps.records), on_record, NULL, NULL);
	for (int i = 0; i < 25; i++)
		getppid();
	while (seen[1] < 25 && ring_buffer__poll(ring, 5000) > 0)
		;
	printf("%d calls, %u records\n", b->bss->calls, seen[1]);
	if (bpf_map_lookup_elem(bpf_map__fd(b->maps.by_number), &key, counts) == 0)
		for (int i = 0; i < cpus; i++)
			sum += counts[i];
	printf("per CPU: %llu\n", sum);
	printf("kernel functions: %d", bpf_prog_test_run_opts(bpf_program__fd(b->progs.ask), &opts));
	printf(", %d\n", opts.retval);
	printf("task %s, cgroup %s\n", b->bss->found_tgid == getpid() ? "found" : "not found",
	       b->bss->seen_cgroup_id == question.cgroup ? "found" : "not found");
	question.pid = 0x7ffffff0;
	bpf_prog_test_run_opts(bpf_program__fd(b->progs.ask), &opts);
	printf("no such task: %d\n", opts.retval);
	printf("timer: %d", bpf_prog_test_run_opts(bpf_program__fd(b->progs.start_timer), &plain));
	printf(", %d\n", plain.retval);
	while (seen[3] < 3) /* without waiting: only the memory tells */
		ring_buffer__consume(ring);
	printf("%d ticks, records %u %u %u\n", b->bss->ticks, seen[1], seen[2], seen[3]);
	ring_buffer__free(ring);
	everything_bpf__destroy(b);
	return 0;
}
