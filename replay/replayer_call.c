/* System calls on replay: compared with the recorded ones, injected or done again. Contract: replayer_int.h. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "replay/debuggee.h"
#include "replay/divergence.h"
#include "replay/only.h"
#include "replay/progress.h"
#include "replay/replayer_int.h"
#include "replay/shared_file.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/text_jump.h"
#include "syscall-emu/text_patch.h"
#include "vmm/layout.h"

static int repeat_output(void *arg, const void *bytes, uint64_t len)
{
	const char *b = bytes;
	int fd = *(int *)arg;

	progress_wipe();
	if (len)
		progress_wrote(fd, b[len - 1]);
	while (len) {
		ssize_t n = write(fd, b, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		b += n;
		len -= (uint64_t)n;
	}
	return 0;
}

static bool repeats(const struct replayer *r)
{
	return !r->link.quiet_output && only_shows(r->link.tree, r->link.number) && r->shown;
}

/* Under a debugger the same output comes again and again: once is enough. */
static bool show_output(struct replayer *r)
{
	return !replayer_debugged(r) || debuggee_shows(&r->link.tree->shown, r->ev.index);
}

static int output_fd(uint8_t flags)
{
	return flags & REC_F_STDERR ? STDERR_FILENO : STDOUT_FILENO;
}

static int compare_input(struct replayer *r, const struct event_data *d)
{
	unsigned char now[4096];
	uint32_t at = 0;

	while (at < d->len) {
		uint32_t n = d->len - at < sizeof(now) ? d->len - at : (uint32_t)sizeof(now);

		if (!guest_range_ok(d->addr + at, n) || guest_read(now, d->addr + at, n) < 0)
			return divergence(&r->ev, "memory the call reads at %#" PRIx64 " is not there", d->addr + at);
		if (memcmp(now, (const char *)d->bytes + at, n))
			return divergence(&r->ev, "memory the call reads at %#" PRIx64 " (%u bytes) differs", d->addr, d->len);
		at += n;
	}
	return 0;
}

static int apply_size(struct replayer *r, struct task *t, const struct event_data *d)
{
	struct file_size now;
	int rc = -EBADMSG;

	if (d->len == sizeof(now)) {
		memcpy(&now, d->bytes, sizeof(now));
		rc = shared_files_sized(r->shared, now.dev, now.ino, t->proc->grouped, now.size);
	}
	if (rc == 0)
		rc = mm_file_sized(t->proc->mm, now.dev, now.ino, now.size);
	return rc == 0 ? 0 : divergence(&r->ev, "the size of a mapped file cannot be changed: %s", strerror(-rc));
}

static int apply_site(struct replayer *r, struct task *t, const struct event_data *d)
{
	struct data_site site;
	int rc = -EINVAL;

	if (d->len == sizeof(site)) {
		memcpy(&site, d->bytes, sizeof(site));
		rc = text_jump_apply(t->proc->mm, d->addr, &site);
	}
	return rc == 0 ? 0 : divergence(&r->ev, "the code at %#" PRIx64 " cannot become a jump: %s", d->addr, strerror(-rc));
}

static int apply_piece(struct replayer *r, struct task *t, const struct event_data *d)
{
	int fd = d->kind == DATA_STDERR ? STDERR_FILENO : STDOUT_FILENO;

	switch (d->kind) {
	case DATA_INPUT:
		return compare_input(r, d);
	case DATA_STDOUT:
	case DATA_STDERR:
		return !repeats(r) ? 0 : repeat_output(&fd, d->bytes, d->len);
	case DATA_MEMORY:
		text_patch_written(t->proc->mm, d->addr, d->len);
		if (!guest_range_ok(d->addr, d->len) || mm_poke(t->proc->mm, d->addr, d->bytes, d->len) < 0)
			return divergence(&r->ev, "recorded memory at %#" PRIx64 " (%u bytes) cannot be written", d->addr,
					  d->len);
		return 0;
	case DATA_FILE_SIZE:
		return apply_size(r, t, d);
	case DATA_SITE:
		return apply_site(r, t, d);
	default:
		return divergence(&r->ev, "a data record of unknown kind %u", d->kind);
	}
}

int replayer_data(struct replayer *r, struct task *t, struct event_data *d, bool inputs_only, bool have)
{
	int rc = have ? 1 : ahead_data(r->ahead, d);

	while (rc > 0) {
		if (inputs_only && d->kind != DATA_INPUT && d->kind != DATA_SITE)
			return 1;
		rc = apply_piece(r, t, d);
		if (rc < 0)
			return rc;
		rc = ahead_data(r->ahead, d);
	}
	return rc < 0 ? replayer_damaged(r, rc) : 0;
}

/* Runs the handler of a REDO or BOTH row again and compares results. */
static int redo(struct replayer *r, struct task *t, const struct sys_desc *desc, int64_t result, struct event *ev)
{
	int64_t got;

	t->plan.recorded = result;
	got = desc->emulate(t, &t->plan);
	if (r->file_missing)
		return -EBADMSG;
	if (t->newborn) /* the child of a fork, which has a stream of its own */
		return 0;
	if (got != result)
		return divergence(ev, "%s: recorded result %#" PRIx64 ", done again %#" PRIx64, desc->name, (uint64_t)result,
				  (uint64_t)got);
	return 0;
}

static bool is_error(int64_t result)
{
	return result < 0 && result >= -4095;
}

/* A write to the original outputs waits until those that other processes made before it are repeated. -1: none. */
static int64_t output_turn(struct replayer *r, const struct event *ev, const struct plan *p)
{
	uint32_t number;

	if (!(ev->flags & (REC_F_STDOUT | REC_F_STDERR)) || p->annex_len != sizeof(number) || only_one(r->link.tree))
		return -1;
	memcpy(&number, p->annex, sizeof(number));
	tree_wait(r->link.tree, number);
	return number;
}

static bool done_again(const struct sys_desc *desc, int64_t result)
{
	return desc->replay == REDO_FAILED || (desc->replay != INJECT && !is_error(result));
}

/* The program's code changes there: not while its vCPU runs. */
static bool changes_code(const struct event *ev)
{
	return ev->type == REC_SYSCALL && (ev->flags & (REC_F_SITE | REC_F_SERVED)) == REC_F_SITE;
}

/* Events of other kinds, and those of other threads, begin outside the machine. */
bool replayer_serves(struct session *s, struct task *t)
{
	struct replayer *r = replayer_of(s);

	return !r->passed && !r->switched && !r->seek.active && !replayer_debugged(r) && replayer_peek(r) == 1 &&
	       (r->ev.type == REC_SYSCALL || r->ev.type == REC_FAULT || r->ev.type == REC_TSC) && r->ev.tid == t->tid && !changes_code(&r->ev);
}

int replayer_syscall(struct session *s, struct task *t, const struct sys_desc *desc, int64_t *ret)
{
	struct replayer *r = replayer_of(s);
	struct event_data d;
	struct event ev;
	int rc = replayer_expect(r, t, REC_SYSCALL), more;
	int64_t turn;

	if (rc == 0 && replayer_announce(r, t, DEBUGGEE_SYSCALL, (int)t->regs->rax, NULL)) {
		*ret = SYS_REGS_SET;
		return 0;
	}
	if (rc < 0)
		return rc;
	ev = r->ev;
	r->shown = !(ev.flags & (REC_F_STDOUT | REC_F_STDERR)) || show_output(r);
	*ret = ev.result;
	syscall_prepare(t, desc); /* guest state only: what it refuses, the recording refused too */
	if (ev.annex_len)
		plan_set_annex(&t->plan, ev.annex, ev.annex_len);
	more = replayer_data(r, t, &d, true, false);
	if (more < 0)
		return more;
	if (ev.flags & REC_F_RESTART) {
		*ret = SYS_ERESTARTSYS;
	} else if (desc && desc->emulate && !(ev.flags & REC_F_INJECTED) && done_again(desc, ev.result)) {
		rc = redo(r, t, desc, ev.result, &ev);
		if (rc < 0)
			return rc;
		if (t->newborn) {
			t->newborn = false;
			*ret = SYS_REGS_SET;
			return 0;
		}
	}
	turn = output_turn(r, &ev, &t->plan);
	if (ev.flags & (REC_F_STDOUT | REC_F_STDERR) && repeats(r)) {
		int fd = output_fd(ev.flags);

		plan_sent(&t->plan, ev.result, repeat_output, &fd);
	}
	rc = more ? replayer_data(r, t, &d, false, true) : 0;
	if (turn >= 0)
		tree_done(r->link.tree, (uint32_t)turn);
	if (rc == 0)
		replayer_consume(r);
	return rc;
}
