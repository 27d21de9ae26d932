/* Robust futexes of processes that are killed. Contract: robust.h. */
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/robust.h"
#include "syscall-emu/mm.h"

#define ENTRIES_MAX 2048    /* ROBUST_LIST_LIMIT: the kernel looks at no more */
#define ENTRY_PI 1ULL       /* in a pointer of the list */
#define KILLED_WITHIN_MS 1000

/* ---- the host thread's list ---- */

/*
 * The lock is said to be in the middle of an operation for as long as it is held: the kernel looks at that word last, and
 * finds the thread's number in it only if the thread is the holder. The one entry of our list is the guest's head, which the
 * kernel takes for another futex (the number is not in what it finds there), and goes on to the guest's entries. The two heads
 * are used in turn, as the kernel may look at any moment. The C library uses no robust list of its own in our process.
 */
static __thread struct {
	struct robust_list_head head[2];
	unsigned now;
	pid_t tid;        /* whose this is: the child of a fork has none */
	uint64_t list;    /* the guest's, 0: none */
	uint64_t pending; /* the guest's */
	uint32_t *word;   /* the lock that is held, or NULL */
} own;

static struct robust_list *pending_of(const struct robust_list_head *h)
{
	return own.word ? (struct robust_list *)((char *)own.word - h->futex_offset) : (struct robust_list *)own.pending;
}

static void establish(uint64_t list, long offset)
{
	struct robust_list_head *h = &own.head[!own.now];

	own.list = list;
	h->list.next = list ? (struct robust_list *)list : &h->list;
	h->futex_offset = offset;
	h->list_op_pending = pending_of(h);
	syscall(SYS_set_robust_list, h, sizeof(*h));
	own.now = !own.now;
}

void robust_hold(uint32_t *word)
{
	struct robust_list_head *h = &own.head[own.now];
	pid_t tid = (pid_t)syscall(SYS_gettid);

	own.word = word;
	if (own.tid == tid) {
		__atomic_store_n(&h->list_op_pending, pending_of(h), __ATOMIC_SEQ_CST);
		return;
	}
	own.tid = tid;
	own.pending = 0;
	establish(0, 0);
}

void robust_release(void)
{
	struct robust_list_head *h = &own.head[own.now];

	own.word = NULL;
	__atomic_store_n(&h->list_op_pending, pending_of(h), __ATOMIC_SEQ_CST);
}

/* ---- the guest's list ---- */

struct guest_head {
	uint64_t next;
	int64_t offset;
	uint64_t pending;
};

struct held {
	unsigned n;
	uint64_t addr[TREE_ROBUSTS];
};

/* False where the kernel would stop looking: the futex's address is none. */
static bool look(const struct task *t, uint64_t addr, struct held *held)
{
	uint32_t word;

	if (addr % sizeof(word) || guest_read(&word, addr, sizeof(word)) < 0)
		return false;
	if ((word & FUTEX_TID_MASK) == (uint32_t)t->tid && held->n < TREE_ROBUSTS)
		held->addr[held->n++] = addr;
	return true;
}

/* What t holds. False: the kernel would not come to the end of its list. */
static bool walk(const struct task *t, struct guest_head *head, struct held *held)
{
	uint64_t entry;

	if (!t->robust_list || guest_read(head, t->robust_list, sizeof(*head)) < 0 ||
	    !look(t, t->robust_list + (uint64_t)head->offset, held))
		return false;
	entry = head->next;
	for (unsigned i = 0; i < ENTRIES_MAX && (entry & ~ENTRY_PI) != t->robust_list; i++) {
		entry &= ~ENTRY_PI;
		if (!look(t, entry + (uint64_t)head->offset, held) || guest_read(&entry, entry, sizeof(entry)) < 0)
			return false;
	}
	return !head->pending || look(t, (head->pending & ~ENTRY_PI) + (uint64_t)head->offset, held);
}

/* ---- what all processes know ---- */

static bool name(const struct task *t, uint64_t addr, struct tree_robust *e)
{
	const struct vma *v = mm_find(t->proc->mm, addr);

	*e = (struct tree_robust){ .used = 1, .pid = t->proc->pid, .tid = t->tid, .offset = addr };
	if (!v || (!(v->flags & MAP_SHARED) && !v->joined))
		return false;
	if (!v->joined) { /* else it is at the same place everywhere */
		e->dev = v->dev;
		e->ino = v->ino;
		e->offset = v->offset + (addr - v->start);
	}
	return true;
}

static bool same(const struct tree_robust *a, const struct tree_robust *b)
{
	return a->tid == b->tid && a->dev == b->dev && a->ino == b->ino && a->offset == b->offset;
}

/* Of processes that are gone without anybody having looked, entries stay until the place is needed. */
static struct tree_robust *room(struct tree_robusts *r)
{
	for (unsigned i = 0; i < TREE_ROBUSTS; i++) {
		if (i >= r->n || !r->futex[i].used || kill(r->futex[i].pid, 0) < 0) {
			r->n = i >= r->n ? i + 1 : r->n;
			return &r->futex[i];
		}
	}
	return NULL;
}

static void publish(struct tree_robusts *r, const struct task *t, const struct held *held)
{
	bool known[TREE_ROBUSTS] = { false };
	struct tree_robust now, *e;
	unsigned i;

	for (e = r->futex; e < r->futex + r->n; e++) {
		if (!e->used || e->tid != t->tid)
			continue;
		for (i = 0; i < held->n && !(name(t, held->addr[i], &now) && same(e, &now)); i++)
			;
		if (i < held->n)
			known[i] = true;
		else
			e->used = 0;
	}
	for (i = 0; i < held->n; i++) {
		if (known[i] || !name(t, held->addr[i], &now))
			continue;
		e = room(r);
		if (e)
			*e = now;
	}
}

void robust_note(struct tree_robusts *r, const struct task *t)
{
	struct guest_head head = { 0 };
	struct held held;
	bool whole;

	held.n = 0;
	whole = walk(t, &head, &held);
	if (held.n || r->n)
		publish(r, t, &held);
	if (own.tid != t->tid) /* on the server's thread, say */
		return;
	own.pending = whole ? head.pending : 0;
	if (own.list != (whole ? t->robust_list : 0) || (whole && own.head[own.now].futex_offset != head.offset))
		establish(whole ? t->robust_list : 0, whole ? head.offset : 0);
}

/* Where the part of v that e means begins, or 0. */
static uint64_t place(const struct vma *v, const struct tree_robust *e)
{
	if (v->joined)
		return !e->dev && !e->ino && e->offset >= v->start && e->offset < v->end ? e->offset : 0;
	if (!(v->flags & MAP_SHARED) || v->dev != e->dev || v->ino != e->ino || e->offset < v->offset ||
	    e->offset - v->offset >= v->end - v->start)
		return 0;
	return v->start + (e->offset - v->offset);
}

void robust_died(struct tree_robusts *r, const struct task *t, void (*piece)(void *arg, uint64_t addr, uint64_t len), void *arg)
{
	for (struct tree_robust *e = r->futex; e < r->futex + r->n; e++) {
		if (!e->used || e->pid == t->proc->pid)
			continue;
		for (const struct vma *v = mm_next(t->proc->mm, NULL); v && e->used; v = mm_next(t->proc->mm, v)) {
			uint64_t addr = place(v, e);
			uint32_t word;

			if (!addr || guest_read(&word, addr, sizeof(word)) < 0)
				continue;
			if (word & FUTEX_OWNER_DIED)
				piece(arg, addr, sizeof(word));
			else if ((word & FUTEX_TID_MASK) != (uint32_t)e->tid)
				e->used = 0; /* somebody else has it now */
		}
	}
}

/* ---- who kills a holder ---- */

static void await_end(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	poll(&p, 1, KILLED_WITHIN_MS);
}

static void await_process(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return;
	await_end(fd);
	close(fd);
}

/* As kill(2) understands target. */
static bool is_meant(pid_t pid, int target)
{
	return target > 0 ? pid == target : target == -1 || getpgid(pid) == (target ? -target : getpgrp());
}

void robust_killed(const struct tree_robusts *r, const struct task *t)
{
	const uint64_t *arg = t->plan.arg;
	int target = (int)arg[0], sig = (int)arg[1];

	if (!r->n)
		return;
	switch ((int)t->plan.nr) {
	case SYS_pidfd_send_signal:
		if (sig == SIGKILL)
			await_end(target);
		return;
	case SYS_tgkill:
	case SYS_rt_tgsigqueueinfo:
		sig = (int)arg[2];
		break;
	case SYS_kill:
	case SYS_tkill:
	case SYS_rt_sigqueueinfo:
		break;
	default:
		return;
	}
	for (unsigned i = 0; i < r->n && sig == SIGKILL; i++)
		if (r->futex[i].used && r->futex[i].pid != getpid() && is_meant(r->futex[i].pid, target))
			await_process(r->futex[i].pid);
}
