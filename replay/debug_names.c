/* Names of threads. Contract: debuggee_int.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "replay/debuggee_int.h"

#define NAME_SIZE 16 /* TASK_COMM_LEN, with the 0 at the end */

struct thread_name {
	pid_t tid;
	char name[NAME_SIZE];
};

static struct thread_name *find(const struct debuggee *d, pid_t tid)
{
	for (size_t i = 0; i < d->nnames; i++)
		if (d->name[i].tid == tid)
			return &d->name[i];
	return NULL;
}

const char *names_of(const struct debuggee *d, const struct task *t)
{
	const struct thread_name *n = find(d, t->tid);

	return n ? n->name : t->proc->comm;
}

static void set(struct debuggee *d, pid_t tid, const char *name)
{
	struct thread_name *n = find(d, tid), *more;

	if (!n) {
		more = realloc(d->name, (d->nnames + 1) * sizeof(*more));
		if (!more)
			return;
		d->name = more;
		n = &more[d->nnames++];
		n->tid = tid;
	}
	snprintf(n->name, sizeof(n->name), "%s", name);
}

/* Up to size - 1 bytes of a string of the program's. */
static void read_string(uint64_t addr, char *to, size_t size)
{
	size_t n = 0;

	while (n + 1 < size && guest_read(to + n, addr + n, 1) == 0 && to[n])
		n++;
	to[n] = 0;
}

static pid_t whose_file(const struct task *t, uint64_t addr)
{
	char path[64];
	int tid, pid, end = 0;

	read_string(addr, path, sizeof(path));
	if (sscanf(path, "/proc/self/task/%d/comm%n", &tid, &end) == 1 && end && !path[end])
		return tid;
	end = 0;
	if (sscanf(path, "/proc/%d/task/%d/comm%n", &pid, &tid, &end) == 2 && end && !path[end] && pid == t->proc->pid)
		return tid;
	return 0;
}

void names_call(struct debuggee *d, const struct task *t)
{
	const struct guest_regs *r = t->regs;
	pid_t naming = d->namer == t->tid ? d->naming : 0;
	char name[NAME_SIZE];

	if (naming)
		d->naming = 0;
	switch (r->rax) {
	case SYS_prctl:
		if (r->rdi != PR_SET_NAME)
			return;
		read_string(r->rsi, name, sizeof(name));
		set(d, t->tid, name);
		return;
	case SYS_open:
	case SYS_openat:
		d->naming = whose_file(t, r->rax == SYS_open ? r->rdi : r->rsi);
		d->namer = t->tid;
		return;
	case SYS_write:
		/* The kernel takes a line, or less. */
		if (!naming || !r->rdx)
			return;
		read_string(r->rsi, name, r->rdx < sizeof(name) ? r->rdx + 1 : sizeof(name));
		name[strcspn(name, "\n")] = 0;
		set(d, naming, name);
		return;
	}
}

void names_inherit(struct debuggee *d, const struct task *by, const struct task *made)
{
	char name[NAME_SIZE];

	if (!find(d, by->tid))
		return;
	memcpy(name, find(d, by->tid)->name, sizeof(name));
	set(d, made->tid, name);
}
