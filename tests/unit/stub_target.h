/* A struct debug_target without a program: one thread, a page of memory at PAGE, a life of LIFE instructions. */
#ifndef SANDREC_STUB_TARGET_H
#define SANDREC_STUB_TARGET_H

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gdbstub/target.h"

#define PAGE 0x1000ULL
#define PAGE_LEN 256
#define LIFE 16
#define PID 42
#define TID 43

static struct toy {
	struct debug_target base;
	struct debug_regs regs;
	uint8_t memory[PAGE_LEN];
	uint64_t breakpoint;
	unsigned changes;
	struct debug_resume asked;
	struct debug_stop stop, next; /* next: what the next resume stops for, unless it is DEBUG_STEPPED */
} toy;

static int toy_threads(struct debug_target *t, pid_t *tid, int max)
{
	(void)t;
	if (max > 0)
		tid[0] = TID;
	return 1;
}

static int toy_name(struct debug_target *t, pid_t tid, char *name, size_t len)
{
	(void)t;
	snprintf(name, len, "a<b");
	return tid == TID ? 0 : -ESRCH;
}

static pid_t toy_pid(struct debug_target *t)
{
	(void)t;
	return PID;
}

static const struct debug_layout *toy_layout(struct debug_target *t)
{
	static const struct debug_layout l = { .size = 2688, .ymm = 576, .opmask = 1088, .zmm = 1152, .zmm_hi16 = 1664 };

	(void)t;
	return &l;
}

static int toy_get_regs(struct debug_target *t, pid_t tid, struct debug_regs *r)
{
	(void)t;
	*r = toy.regs;
	return tid == TID ? 0 : -ESRCH;
}

static int toy_set_regs(struct debug_target *t, pid_t tid, const struct debug_regs *r)
{
	(void)t, (void)tid;
	toy.regs = *r;
	toy.changes++;
	return 0;
}

static ssize_t toy_read(struct debug_target *t, uint64_t addr, void *buf, size_t len)
{
	size_t n = addr - PAGE < PAGE_LEN ? PAGE_LEN - (addr - PAGE) : 0;

	(void)t;
	if (!n)
		return -EFAULT;
	n = len < n ? len : n;
	memcpy(buf, toy.memory + (addr - PAGE), n);
	return (ssize_t)n;
}

static int toy_write(struct debug_target *t, uint64_t addr, const void *buf, size_t len)
{
	(void)t;
	if (addr - PAGE >= PAGE_LEN || len > PAGE_LEN - (addr - PAGE))
		return -EFAULT;
	memcpy(toy.memory + (addr - PAGE), buf, len);
	toy.changes++;
	return 0;
}

static int toy_set_point(struct debug_target *t, enum debug_point kind, uint64_t addr, uint64_t len)
{
	(void)t, (void)len;
	if (kind != DEBUG_BREAK)
		return -EOPNOTSUPP;
	toy.breakpoint = addr;
	return 0;
}

static int toy_clear_point(struct debug_target *t, enum debug_point kind, uint64_t addr, uint64_t len)
{
	(void)t, (void)kind, (void)addr, (void)len;
	toy.breakpoint = 0;
	return 0;
}

static void toy_resume(struct debug_target *t, const struct debug_resume *how, struct debug_stop *stop)
{
	(void)t;
	toy.asked = *how;
	if (toy.next.kind) {
		*stop = toy.stop = toy.next;
		toy.next.kind = DEBUG_STEPPED;
		return;
	}
	toy.stop.tid = TID;
	do {
		toy.regs.r.rip += how->back ? -1ULL : 1;
		if (toy.regs.r.rip == PAGE || toy.regs.r.rip - PAGE >= LIFE)
			break;
	} while (!how->step && toy.regs.r.rip != toy.breakpoint);
	if (toy.regs.r.rip - PAGE >= LIFE)
		toy.regs.r.rip = how->back ? PAGE : PAGE + LIFE;
	if (toy.regs.r.rip == PAGE)
		toy.stop.kind = DEBUG_BEGIN;
	else if (toy.regs.r.rip == PAGE + LIFE)
		toy.stop.kind = DEBUG_END;
	else
		toy.stop.kind = how->step ? DEBUG_STEPPED : DEBUG_BREAKPOINT;
	*stop = toy.stop;
}

static int toy_restart(struct debug_target *t, struct debug_stop *stop)
{
	(void)t;
	toy.regs.r.rip = PAGE;
	*stop = toy.stop = (struct debug_stop){ .kind = DEBUG_STEPPED, .tid = TID };
	return 0;
}

static const struct debug_stop *toy_stopped(struct debug_target *t)
{
	(void)t;
	return &toy.stop;
}

static ssize_t toy_bytes(struct debug_target *t, uint64_t off, void *buf, size_t len)
{
	static const char text[] = "0123456789";

	(void)t;
	if (off >= sizeof(text) - 1)
		return 0;
	len = len < sizeof(text) - 1 - off ? len : sizeof(text) - 1 - off;
	memcpy(buf, text + off, len);
	return (ssize_t)len;
}

static int toy_exec_file(struct debug_target *t, char *path, size_t len)
{
	(void)t;
	snprintf(path, len, "/bin/toy");
	return 0;
}

static int toy_open(struct debug_target *t, const char *path)
{
	int fd;

	(void)t;
	if (strcmp(path, "/bin/toy"))
		return -ENOENT;
	fd = memfd_create("toy", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, "}$#*", 4) != 4)
		return -EIO;
	return fd;
}

static void toy_monitor(struct debug_target *t, const char *line, FILE *out)
{
	(void)t;
	fprintf(out, "<%s>", line);
}

static const struct debug_ops toy_ops = {
	.threads = toy_threads, .thread_name = toy_name, .pid = toy_pid, .layout = toy_layout, .get_regs = toy_get_regs,
	.set_regs = toy_set_regs, .read = toy_read, .write = toy_write, .set_point = toy_set_point,
	.clear_point = toy_clear_point, .resume = toy_resume, .restart = toy_restart, .stopped = toy_stopped,
	.auxv = toy_bytes, .siginfo = toy_bytes, .exec_file = toy_exec_file, .open_file = toy_open, .monitor = toy_monitor,
};

static struct debug_target *toy_begin(void)
{
	memset(&toy, 0, sizeof(toy));
	toy.base.ops = &toy_ops;
	toy.regs.r.rip = PAGE;
	toy.regs.orig_rax = UINT64_MAX;
	toy.stop = (struct debug_stop){ .kind = DEBUG_STEPPED, .tid = TID };
	for (unsigned i = 0; i < PAGE_LEN; i++)
		toy.memory[i] = (uint8_t)i;
	return &toy.base;
}

#endif
