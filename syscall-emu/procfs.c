/*
 * Recognising the files of our own /proc directory and putting the guest's view in their place.
 */
#include "syscall-emu/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "syscall-emu/mm.h"
#include "syscall-emu/serve.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"
#include "vmm/layout.h"

#define ARGS_MAX (6u << 20) /* what Linux allows arguments and environment to be, at most */

static const struct { const char *name; enum proc_entry entry; } entries[] = {
	{ "maps", PROC_MAPS }, { "smaps", PROC_SMAPS }, { "numa_maps", PROC_NUMA_MAPS }, { "cmdline", PROC_CMDLINE },
	{ "environ", PROC_ENVIRON }, { "auxv", PROC_AUXV }, { "stat", PROC_STAT }, { "status", PROC_STATUS },
	{ "limits", PROC_LIMITS }, { "mem", PROC_MEM }, { "fd", PROC_FD_DIR }, { "fdinfo", PROC_FDINFO_DIR },
	{ "map_files", PROC_MAP_FILES_DIR }, { "task", PROC_TASK_DIR },
};

/* Takes the last component off path. */
static const char *pop(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		return "";
	*slash = 0;
	return slash + 1;
}

/* -1: not a number. */
static long number_of(const char *s)
{
	char *end;
	long n;

	if (*s < '0' || *s > '9')
		return -1;
	errno = 0;
	n = strtol(s, &end, 10);
	return *end || errno ? -1 : n;
}

enum proc_entry proc_entry_parse(const char *path, long *pid, long *number)
{
	char buf[PATH_MAX];
	enum proc_entry e = PROC_OTHER;
	const char *s;

	if (strlen(path) >= sizeof(buf))
		return PROC_OTHER;
	strcpy(buf, path);
	s = pop(buf);
	*number = number_of(s);
	if (*number >= 0) {
		if (strcmp(pop(buf), "fdinfo"))
			return PROC_OTHER;
		e = PROC_FDINFO;
	}
	for (size_t i = 0; e == PROC_OTHER && i < sizeof(entries) / sizeof(entries[0]); i++)
		if (!strcmp(s, entries[i].name))
			e = entries[i].entry;
	*pid = number_of(pop(buf));
	if (e == PROC_OTHER || *pid < 0)
		return PROC_OTHER;
	/* <pid>/task/<tid>/... */
	s = pop(buf);
	if (!strcmp(s, "task")) {
		*pid = number_of(pop(buf));
		if (*pid < 0)
			return PROC_OTHER;
	}
	return e;
}

enum proc_entry proc_entry_of(struct fdtable *f, int fd, char *path, size_t size, long *number)
{
	char name[48];
	struct stat st;
	enum proc_entry e;
	ssize_t n;
	long pid;

	if (f->proc_root < 0 || fstat(fd, &st) < 0 || !fd_on_procfs(fd, &st))
		return PROC_OTHER;
	snprintf(name, sizeof(name), "thread-self/fd/%d", fd);
	n = readlinkat(f->proc_root, name, path, size - 1);
	if (n < 0)
		return PROC_OTHER;
	path[n] = 0;
	e = proc_entry_parse(path, &pid, number);
	if (e == PROC_OTHER || pid == getpid())
		return e;
	/* A thread's number is a directory of /proc too, though not a visible one. */
	snprintf(name, sizeof(name), "self/task/%ld", pid);
	return faccessat(f->proc_root, name, F_OK, 0) == 0 ? e : PROC_OTHER;
}

/* ---- texts ---- */

static void put_guest_memory(FILE *out, uint64_t start, uint64_t end)
{
	char buf[4096];

	if (end < start || end - start > ARGS_MAX)
		return;
	while (start < end) {
		size_t n = PAGE_SIZE_4K - (start & (PAGE_SIZE_4K - 1));

		if (n > end - start)
			n = end - start;
		if (guest_read(buf, start, n) < 0)
			return;
		fwrite(buf, 1, n, out);
		start += n;
	}
}

/* The kernel's own text behind fd, NUL-terminated; NULL when it cannot be read. */
static char *kernel_text(int fd)
{
	cleanup_fclose FILE *mem = NULL;
	char *text = NULL, buf[8192];
	size_t len = 0;
	off_t at = 0;
	ssize_t n;

	mem = open_memstream(&text, &len);
	if (!mem)
		return NULL;
	while ((n = pread(fd, buf, sizeof(buf), at)) > 0) {
		fwrite(buf, 1, (size_t)n, mem);
		at += n;
	}
	fclose(mem);
	mem = NULL;
	if (n < 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* 1: written to out; 0: what the kernel shows is right. */
static int make_text(struct task *t, enum proc_entry e, int fd, FILE *out)
{
	struct process *p = t->proc;
	cleanup_free char *text = NULL;
	struct proc_view v;

	if (p->fds->published && (e == PROC_CMDLINE || e == PROC_ENVIRON || e == PROC_AUXV))
		return 0;
	if (e == PROC_SMAPS || e == PROC_NUMA_MAPS || e == PROC_STAT || e == PROC_STATUS || e == PROC_LIMITS) {
		text = kernel_text(fd);
		if (!text)
			return 0;
	}
	if (e == PROC_STAT || e == PROC_STATUS)
		proc_view_fill(t, &v);
	switch (e) {
	case PROC_MAPS: mm_print_maps(p->mm, out); return 1;
	case PROC_SMAPS: proc_smaps(out, text, p->mm); return 1;
	case PROC_NUMA_MAPS: proc_numa_maps(out, text, p->mm); return 1;
	case PROC_CMDLINE: put_guest_memory(out, p->arg_start, p->arg_end); return 1;
	case PROC_ENVIRON: put_guest_memory(out, p->env_start, p->env_end); return 1;
	case PROC_AUXV: put_guest_memory(out, p->auxv, p->auxv + p->auxv_len); return 1;
	case PROC_STAT: proc_patch_stat(out, text, &v); return 1;
	case PROC_STATUS: proc_patch_status(out, text, &v); return 1;
	case PROC_LIMITS: proc_patch_limits(out, text, p->fds); return 1;
	default: return 0;
	}
}

/* A read-only descriptor of a sealed memfd with the text; name: what readlink shows of it (see fd_open.c). */
static int text_file(struct fdtable *f, const char *path, const char *text, size_t len)
{
	char name[NAME_MAX - 5];
	cleanup_close int fd = -1;
	mode_t mode = 0444;

	snprintf(name, sizeof(name), PROC_MEMFD "%.200s", path);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	fchmod(fd, mode);
	fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	return fd_reopen(f, fd, O_RDONLY | O_CLOEXEC);
}

static int put_in_place(int new, int fd, int flags)
{
	int ret = new;

	if (new >= 0) {
		ret = dup3(new, fd, flags & O_CLOEXEC) < 0 ? -errno : fd;
		close(new);
	}
	if (ret < 0)
		close(fd);
	return ret;
}

int procfs_replace(struct task *t, int fd, int flags)
{
	struct fdtable *f = t->proc->fds;
	char path[PATH_MAX] = "";
	cleanup_free char *text = NULL;
	FILE *out;
	size_t len = 0;
	long number, pid;
	int made;
	enum proc_entry e = proc_entry_of(f, fd, path, sizeof(path), &number);

	if (e == PROC_FDINFO && fd_is_ours((int)number)) {
		close(fd);
		return -ENOENT;
	}
	f->other_mem |= e == PROC_OTHER && proc_entry_parse(path, &pid, &number) == PROC_MEM;
	if (e == PROC_OTHER || e == PROC_FDINFO || flags & O_PATH)
		return fd;
	if (e == PROC_MEM)
		return put_in_place(procfs_mem_open(f, flags), fd, flags);
	out = open_memstream(&text, &len);
	if (!out)
		return put_in_place(-ENOMEM, fd, flags);
	made = make_text(t, e, fd, out);
	fclose(out);
	if (!made)
		return fd;
	return put_in_place(text_file(f, path, text, len), fd, flags);
}

/* ---- directories ---- */

/* include/linux/sched.h: a kernel thread made in the name of a user process. */
#define PF_USER_WORKER 0x4000

bool proc_thread_hidden(struct fdtable *f, long tid)
{
	char name[48], text[1024], *s;
	unsigned long flags;
	cleanup_close int fd = -1;
	ssize_t n;

	if (tid == getpid())
		return false;
	if (tid == serve_tid())
		return true;
	snprintf(name, sizeof(name), "self/task/%ld/stat", tid);
	fd = openat(f->proc_root, name, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = 0;
	s = strrchr(text, ')');
	return s && sscanf(s + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags) == 1 && flags & PF_USER_WORKER;
}

int proc_numbers(struct fdtable *f, const char *dirname, void (*fn)(void *arg, long n), void *arg)
{
	int fd = openat(f->proc_root, dirname, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -ENOENT;
	}
	for (struct dirent *e; (e = readdir(dir));)
		if (number_of(e->d_name) >= 0)
			fn(arg, number_of(e->d_name));
	return 0;
}

static bool entry_hidden(const struct task *t, enum proc_entry e, const char *name)
{
	if (e == PROC_TASK_DIR)
		return number_of(name) >= 0 && proc_thread_hidden(t->proc->fds, number_of(name));
	if (e == PROC_MAP_FILES_DIR) {
		char *end;
		uint64_t start = strtoull(name, &end, 16);

		return *end == '-' && !mm_find(t->proc->mm, start);
	}
	return number_of(name) >= 0 && number_of(name) <= INT_MAX && fd_is_ours((int)number_of(name));
}

/* Takes our entries out of n bytes of directory entries; both layouts have d_reclen at 16. Bytes left. */
static size_t filter(const struct task *t, enum proc_entry e, char *buf, size_t n, size_t name_at)
{
	size_t in = 0, out = 0;

	while (in < n) {
		uint16_t len;

		memcpy(&len, buf + in + 16, sizeof(len));
		if (!entry_hidden(t, e, buf + in + name_at)) {
			memmove(buf + out, buf + in, len);
			out += len;
		}
		in += len;
	}
	return out;
}

/* The descriptors of another process of ours: its own numbers are where this one's are, unless their limits differ. */
static enum proc_entry fd_dir_of_other(const struct fdtable *f, const char *path)
{
	char name[48];
	struct stat st;
	long pid, number;
	enum proc_entry e = proc_entry_parse(path, &pid, &number);

	if (e != PROC_FD_DIR && e != PROC_FDINFO_DIR)
		return PROC_OTHER;
	snprintf(name, sizeof(name), "%ld/exe", pid);
	return fstatat(f->proc_root, name, &st, 0) == 0 && fd_is_own_binary(f, &st) ? e : PROC_OTHER;
}

static int64_t getdents(struct task *t, struct plan *p, int64_t ret, size_t name_at)
{
	char path[PATH_MAX] = "";
	enum proc_entry e;
	int64_t most = 0;
	size_t left = 0;
	long number;

	if (ret <= 0)
		return ret;
	e = proc_entry_of(t->proc->fds, (int)p->arg[0], path, sizeof(path), &number);
	if (e == PROC_OTHER)
		e = fd_dir_of_other(t->proc->fds, path);
	if (e != PROC_FD_DIR && e != PROC_FDINFO_DIR && e != PROC_MAP_FILES_DIR && e != PROC_TASK_DIR)
		return ret;
	while (ret > 0 && !left) {
		cleanup_free char *buf = malloc((size_t)ret);

		if (!buf)
			return -ENOMEM;
		if (guest_read(buf, p->arg[1], (size_t)ret) < 0)
			return -EFAULT;
		most = ret > most ? ret : most;
		left = filter(t, e, buf, (size_t)ret, name_at);
		if (guest_write(p->arg[1], buf, left) < 0)
			return -EFAULT;
		/* All of them ours: to the guest, 0 would be the end. */
		if (!left)
			ret = plan_forward(p, t);
	}
	/* What the kernel wrote behind the shortened result is in guest memory all the same. */
	if ((int64_t)left < most)
		plan_add(p, p->arg[1] + left, (uint64_t)most - left, 0, NULL);
	return left ? (int64_t)left : ret;
}

int64_t post_getdents64(struct task *t, struct plan *p, int64_t ret)
{
	return getdents(t, p, ret, offsetof(struct dirent64, d_name));
}

int64_t post_getdents(struct task *t, struct plan *p, int64_t ret)
{
	return getdents(t, p, ret, 18);
}

/* ---- seen from outside ---- */

/* The VMM's own heap must stay where it is for the kernel. */
static uint64_t host_start_brk(void)
{
	cleanup_fclose FILE *in = proc_self_fopen("stat");
	char line[2048], *s, *save = NULL;

	if (!in || !fgets(line, sizeof(line), in) || !(s = strrchr(line, ')')))
		return 0;
	s = strtok_r(s + 1, " ", &save);
	for (int field = 3; s && field < 47; field++)
		s = strtok_r(NULL, " ", &save);
	return s ? strtoull(s, NULL, 10) : 0;
}

static bool publish_map(struct process *p)
{
	struct prctl_mm_map m = {
		.start_code = p->start_code, .end_code = p->end_code,
		.start_data = p->start_data, .end_data = p->end_data,
		.start_brk = host_start_brk(), .brk = (uint64_t)(uintptr_t)sbrk(0),
		.start_stack = p->start_stack,
		.arg_start = p->arg_start, .arg_end = p->arg_end, .env_start = p->env_start, .env_end = p->env_end,
		.auxv = (void *)(uintptr_t)p->auxv, .auxv_size = (uint32_t)p->auxv_len, .exe_fd = (uint32_t)-1,
	};

	if (!m.start_brk)
		return false;
	/* A program without data; the kernel wants addresses all the same. */
	if (!m.start_data)
		m.start_data = m.end_data = m.end_code;
	return prctl(PR_SET_MM, PR_SET_MM_MAP, (unsigned long)&m, sizeof(m), 0) == 0;
}

void procfs_publish(struct process *p)
{
	struct fdtable *f = p->fds;
	int fd = open(p->exe, O_PATH | O_CLOEXEC);

	if (f->exe_fd >= 0)
		fd_hidden_close(f->exe_fd);
	f->exe_fd = fd < 0 ? -1 : fd_hide_program(fd);
	if (fd >= 0 && f->exe_fd < 0) {
		close(fd);
		f->exe_fd = -1;
	}
	f->published = publish_map(p);
	prctl(PR_SET_NAME, (unsigned long)p->comm, 0, 0, 0);
}
