/* What programs built with libbpf do in the kernel: relocated field offsets, kernel functions, globals, maps, a timer. */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#define CLOCK_MONOTONIC 1

extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern struct cgroup *bpf_cgroup_from_id(u64 cgid) __ksym;
extern void bpf_cgroup_release(struct cgroup *p) __ksym;

/* Globals: the loader maps them. */
volatile const int wanted_pid;
volatile int calls, found_tgid, found_cgroup, ticks;
unsigned long long seen_cgroup_id;

struct record {
	u32 kind, number;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8192);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 64);
	__type(key, u32);
	__type(value, u64);
} by_number SEC(".maps");

struct clock {
	struct bpf_timer timer;
	u64 fired;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct clock);
} clocks SEC(".maps");

static void put(u32 kind, u32 number)
{
	struct record *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);

	if (!r)
		return;
	r->kind = kind;
	r->number = number;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	bpf_ringbuf_submit(r, 0);
}

/* A tracepoint with the kernel's own types: who calls, by the field of its task. */
SEC("tp_btf/sys_enter")
int BPF_PROG(on_call, struct pt_regs *regs, long nr)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u32 key = (u32)nr;
	u64 one = 1, *n;

	if (BPF_CORE_READ(task, tgid) != wanted_pid || nr != 110 /* getppid */)
		return 0;
	calls++;
	n = bpf_map_lookup_elem(&by_number, &key);
	if (n)
		*n += 1;
	else
		bpf_map_update_elem(&by_number, &key, &one, BPF_ANY);
	put(1, key);
	return 0;
}

struct question {
	int pid;
	unsigned long long cgroup_id;
};

/* Kernel functions, called by a program that user space runs. */
SEC("syscall")
int ask(struct question *q)
{
	struct task_struct *task = bpf_task_from_pid(q->pid);
	struct cgroup *cgroup;

	if (task) {
		found_tgid = BPF_CORE_READ(task, tgid);
		bpf_task_release(task);
	}
	cgroup = bpf_cgroup_from_id(q->cgroup_id);
	if (cgroup) {
		found_cgroup = 1;
		seen_cgroup_id = q->cgroup_id;
		bpf_cgroup_release(cgroup);
	}
	put(2, found_cgroup);
	return task ? 7 : 8;
}

static int fired(void *map, u32 *key, struct clock *c)
{
	c->fired++;
	ticks++;
	put(3, ticks);
	if (ticks < 3)
		bpf_timer_start(&c->timer, 1000000, 0);
	return 0;
}

SEC("syscall")
int start_timer(void *ctx)
{
	u32 key = 0;
	struct clock *c = bpf_map_lookup_elem(&clocks, &key);

	if (!c)
		return 1;
	if (bpf_timer_init(&c->timer, &clocks, CLOCK_MONOTONIC))
		return 2;
	bpf_timer_set_callback(&c->timer, fired);
	return bpf_timer_start(&c->timer, 1000000, 0) ? 3 : 0;
}
