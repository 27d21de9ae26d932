/* The guest process's start. Contract: guest.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "record/guest.h"
#include "record/world.h"
#include "syscall-emu/procfs.h"
#include "syscall-emu/signal_host.h"

#define MINSIGSTKSZ_FALLBACK 2048 /* kernels without AT_MINSIGSTKSZ have no larger frames */

static char **copy_strings(char **v)
{
	size_t n = 0;
	char **copy;

	while (v[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++)
		copy[i] = strdup(v[i]);
	return copy;
}

static int fill_params(const struct run_request *q, const struct cpu_table *cpu, struct exec_params *x)
{
	struct rlimit stack = { 0, 0 };
	unsigned long minsig = getauxval(AT_MINSIGSTKSZ);

	memset(x, 0, sizeof(*x));
	if (getrandom(x->random, sizeof(x->random), 0) != sizeof(x->random))
		return -EIO;
	getrlimit(RLIMIT_STACK, &stack);
	if (q->world)
		memcpy(x->random, world_image(q->world)->random, sizeof(x->random));
	x->path = strdup(q->world ? world_image(q->world)->path : q->program);
	x->argv = copy_strings(q->argv);
	x->envp = copy_strings(q->envp);
	x->uid = getuid();
	x->euid = geteuid();
	x->gid = getgid();
	x->egid = getegid();
	x->clktck = (uint64_t)sysconf(_SC_CLK_TCK);
	x->stack_limit = stack.rlim_cur;
	x->minsigstksz = minsig ? minsig : MINSIGSTKSZ_FALLBACK;
	x->hwcap = cpu_table_hwcap(cpu);
	x->hwcap2 = cpu_table_hwcap2(cpu);
	x->pid = getpid();
	if (signal_host_inherited(&x->sigmask, &x->sigignored) < 0)
		return -EIO;
	return x->path && x->argv && x->envp ? 0 : -ENOMEM;
}

int guest_start(struct session *s, const struct run_request *q, const struct kvm_host *kvm,
		const struct cpu_table *cpu, struct exec_params *x, struct task **out, struct run_result *res)
{
	struct task *t;
	int rc = fill_params(q, cpu, x);

	if (rc < 0) {
		snprintf(res->why, sizeof(res->why), "cannot prepare the program: %s", strerror(-rc));
		return rc;
	}
	rc = process_create(s, kvm, cpu, getpid(), &t, res->why, sizeof(res->why));
	if (rc < 0)
		return rc;
	t->proc->verbose = q->verbose;
	if (q->inject)
		t->proc->inject = *q->inject;
	res->why[0] = '\0';
	rc = loader_exec(t, x, res->why, sizeof(res->why));
	if (rc < 0) {
		res->start_error = -rc;
		if (!res->why[0])
			snprintf(res->why, sizeof(res->why), "%s", strerror(-rc));
		return rc;
	}
	procfs_publish(t->proc);
	rc = signal_host_init(t);
	if (rc < 0) {
		snprintf(res->why, sizeof(res->why), "cannot take over signals: %s", strerror(-rc));
		return rc;
	}
	*out = t;
	return 0;
}
