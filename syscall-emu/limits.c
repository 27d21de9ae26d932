/*
 * Resource limits. The VMM lives under the guest's limits on memory: the kernel gets the guest's value plus what the VMM
 * needs, the guest sees its own. The limit on descriptors is the kernel's, but not the hard one: the VMM has to raise the other
 * for a moment (vmm/proc_self.h), also when the guest has used up what it has. Everything else is the kernel's own business.
 */
#include "syscall-emu/fdtable.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syscall-emu/mm.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"

#define SLACK (64u << 20)     /* the VMM's growth: tables for the guest's memory, buffers */
#define STACK_LEAST (1u << 20) /* what the VMM's own stack may need */

static bool is_shared(unsigned resource)
{
	return resource == RLIMIT_AS || resource == RLIMIT_DATA || resource == RLIMIT_STACK || resource == RLIMIT_NOFILE;
}

const struct rlimit *limit_shown(const struct fdtable *f, unsigned resource)
{
	return f && resource < RLIM_NLIMITS && f->limit[resource].set ? &f->limit[resource].guest : NULL;
}

static uint64_t guest_size(const struct mm *mm)
{
	uint64_t size = 0;

	for (const struct vma *v = mm_next(mm, NULL); v; v = mm_next(mm, v))
		size += v->end - v->start;
	return size;
}

/*
 * What the VMM takes of the limit now, and some more. Fixed at the first use: so the kernel's own comparison with the old
 * limit decides who may raise it.
 */
static uint64_t headroom(struct process *p, unsigned resource)
{
	cleanup_fclose FILE *in = NULL;
	unsigned long long size = 0, data = 0;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), host, guest;

	if (resource == RLIMIT_STACK)
		return 0;
	in = proc_self_fopen("statm");
	if (!in || fscanf(in, "%llu %*u %*u %*u %*u %llu", &size, &data) != 2)
		return 16ULL * SLACK;
	host = (resource == RLIMIT_AS ? size : data) * page;
	guest = resource == RLIMIT_AS ? guest_size(p->mm) : 0;
	return (host > guest ? host - guest : 0) + SLACK;
}

static rlim_t to_host(unsigned resource, rlim_t v, uint64_t extra)
{
	if (v == RLIM_INFINITY)
		return v;
	if (resource == RLIMIT_STACK)
		return v < STACK_LEAST ? STACK_LEAST : v;
	return v > RLIM_INFINITY - 1 - extra ? RLIM_INFINITY - 1 : v + extra;
}

static bool may_raise(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	return syscall(SYS_capget, &head, data) == 0 && data[0].effective & 1u << CAP_SYS_RESOURCE;
}

/* The kernel's hard limit on descriptors only goes up, so the guest's own is checked here. old: what the guest has. */
static int change_descriptors(struct shown_limit *s, const struct rlimit *new, const struct rlimit *old)
{
	struct rlimit host;

	if (new->rlim_max > old->rlim_max && !may_raise())
		return -EPERM;
	if (getrlimit(RLIMIT_NOFILE, &host) < 0)
		return -errno;
	host.rlim_cur = new->rlim_cur;
	if (host.rlim_max < new->rlim_max)
		host.rlim_max = new->rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &host) < 0)
		return -errno;
	s->guest = *new;
	s->set = true;
	return 0;
}

/* new: NULL to read only. old gets the guest's previous values. */
static int64_t change(struct process *p, unsigned resource, const struct rlimit *new, struct rlimit *old)
{
	struct shown_limit *s = &p->fds->limit[resource];
	struct rlimit host;

	if (getrlimit((int)resource, old) < 0)
		return -errno;
	if (s->set)
		*old = s->guest;
	if (!new)
		return 0;
	if (new->rlim_cur > new->rlim_max)
		return -EINVAL;
	if (resource == RLIMIT_NOFILE)
		return change_descriptors(s, new, old);
	if (!s->headroom)
		s->headroom = headroom(p, resource);
	host.rlim_cur = to_host(resource, new->rlim_cur, s->headroom);
	host.rlim_max = to_host(resource, new->rlim_max, s->headroom);
	/* The first time the kernel's hard limit has no headroom in it yet. */
	if (!s->set && host.rlim_max > old->rlim_max && new->rlim_max <= old->rlim_max)
		host.rlim_max = old->rlim_max;
	if (host.rlim_cur > host.rlim_max)
		host.rlim_cur = host.rlim_max;
	if (setrlimit((int)resource, &host) < 0)
		return -errno;
	s->guest = *new;
	s->set = true;
	return 0;
}

int64_t do_prlimit64(struct task *t, struct plan *p)
{
	pid_t pid = (pid_t)p->arg[0];
	unsigned resource = (unsigned)p->arg[1];
	struct rlimit new, old;
	int64_t ret;

	if ((pid && pid != getpid() && pid != t->tid) || !is_shared(resource))
		return plan_forward(p, t);
	if (p->arg[2] && guest_read(&new, p->arg[2], sizeof(new)) < 0)
		return -EFAULT;
	ret = change(t->proc, resource, p->arg[2] ? &new : NULL, &old);
	if (ret < 0 || !p->arg[3])
		return ret;
	return guest_write(p->arg[3], &old, sizeof(old));
}

int64_t do_getrlimit(struct task *t, struct plan *p)
{
	struct rlimit old;
	int64_t ret;

	if (!is_shared((unsigned)p->arg[0]))
		return plan_forward(p, t);
	ret = change(t->proc, (unsigned)p->arg[0], NULL, &old);
	return ret < 0 ? ret : guest_write(p->arg[1], &old, sizeof(old));
}

int64_t do_setrlimit(struct task *t, struct plan *p)
{
	struct rlimit new, old;

	if (!is_shared((unsigned)p->arg[0]))
		return plan_forward(p, t);
	if (guest_read(&new, p->arg[1], sizeof(new)) < 0)
		return -EFAULT;
	return change(t->proc, (unsigned)p->arg[0], &new, &old);
}
