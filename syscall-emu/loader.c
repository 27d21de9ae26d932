/* From a path to a program about to execute its first instruction. Contract: loader.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guestlib/vdso.h"
#include "syscall-emu/loader_int.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"
#include "vmm/layout.h"

#define SCRIPT_DEPTH 5
#define RFLAGS_START 0x202 /* interrupts on, and the bit that is always set */
#define FCW_START 0x37f
#define MXCSR_START 0x1f80

int loader_say(struct loader *l, int rc, const char *what)
{
	if (l->why && l->why_len && !l->why[0])
		snprintf(l->why, l->why_len, "%s", what);
	return rc;
}

int loader_read(int fd, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* When recording: what replay needs to know about the file beside its content. */
static int describe_file(struct exec_file *f, int fd, const char *path)
{
	char real[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	n = proc_self_name(fd, real, sizeof(real));
	free(f->path);
	f->path = strdup(n > 0 ? real : path);
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->mode = st.st_mode;
	return f->path ? 0 : -ENOMEM;
}

int loader_open(struct loader *l, const char *path, unsigned *index)
{
	struct session *s = l->t->proc->sess;
	struct exec_params *x = l->x;
	int fd, rc;

	*index = l->index++;
	if (*index >= EXEC_FILES_MAX)
		return -ELOOP;
	fd = s->ops->image_file(s, x, *index, path);
	if (fd < 0 || *index < x->nfiles)
		return fd;
	rc = describe_file(&x->file[*index], fd, path);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	x->nfiles = *index + 1;
	return fd;
}

static int read_head(int fd, char head[BINPRM_SIZE])
{
	ssize_t n;

	memset(head, 0, BINPRM_SIZE);
	do
		n = pread(fd, head, BINPRM_SIZE, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Opens path and, while that is a script, its interpreter. A descriptor, *index of x->file. */
static int open_program(struct loader *l, char head[BINPRM_SIZE], unsigned *index)
{
	cleanup_free char *path = strdup(l->x->path);

	for (unsigned depth = 0; path; depth++) {
		char *interp = NULL;
		int rc, fd = depth > SCRIPT_DEPTH ? -ELOOP : loader_open(l, path, index);

		if (fd < 0)
			return depth ? loader_say(l, fd, "the interpreter of the script cannot be executed") : fd;
		rc = read_head(fd, head);
		if (rc == 0)
			rc = script_parse(head, path, &l->args, &interp);
		if (rc == 0)
			return fd;
		close(fd);
		free(path);
		path = interp;
		if (rc < 0)
			return rc;
	}
	return -ENOMEM;
}

static int map_vdso(struct process *p)
{
	struct mm_request r = { .addr = GUEST_VDSO, .len = guest_vdso_size, .prot = PROT_READ | PROT_WRITE,
				.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, .name = "[vdso]" };
	int64_t at = mm_map(p->mm, &r);
	int rc;

	if (at < 0)
		return (int)at;
	rc = mm_poke(p->mm, GUEST_VDSO, guest_vdso_image, guest_vdso_size);
	if (rc == 0)
		rc = mm_protect(p->mm, GUEST_VDSO, guest_vdso_size, PROT_READ | PROT_EXEC);
	p->vdso = GUEST_VDSO;
	return rc;
}

/* The extended state of a new program: everything in its initial configuration. */
static int reset_registers(struct loader *l)
{
	struct task *t = l->t;
	uint32_t size = vm_cpu(t->proc->vm)->xsave_size, mxcsr = MXCSR_START;
	uint16_t fcw = FCW_START;
	cleanup_free char *xsave = calloc(1, size < 576 ? 576 : size);

	if (!xsave)
		return -ENOMEM;
	memset(t->regs, 0, sizeof(*t->regs));
	t->regs->rip = l->entry;
	t->regs->rsp = l->sp;
	t->regs->rflags = RFLAGS_START;
	memcpy(xsave, &fcw, sizeof(fcw));
	memcpy(xsave + 24, &mxcsr, sizeof(mxcsr));
	return vcpu_set_xsave(t->vcpu, xsave, size);
}

static void publish(struct loader *l, unsigned index)
{
	struct process *p = l->t->proc;
	const char *exe = l->x->file[index].path, *slash = strrchr(l->x->path, '/');

	snprintf(p->exe, sizeof(p->exe), "%s", exe ? exe : "");
	snprintf(p->comm, sizeof(p->comm), "%.15s", slash ? slash + 1 : l->x->path);
	p->start_code = l->prog.start_code;
	p->end_code = l->prog.end_code;
	p->start_data = l->prog.start_data;
	p->end_data = l->prog.end_data;
	p->start_stack = l->sp;
}

static int load_program(struct loader *l)
{
	char head[BINPRM_SIZE];
	cleanup_close int fd = -1;
	unsigned index = 0;
	int rc = argv_copy(l->x->argv, &l->args);

	if (rc < 0)
		return rc;
	fd = open_program(l, head, &index);
	if (fd < 0)
		return fd;
	rc = stack_check(l);
	if (rc < 0)
		return loader_say(l, rc, "its arguments and environment are too long");
	rc = elf_load(l, fd, index, head);
	if (rc < 0 || l->check_only)
		return rc;
	mm_set_brk(l->t->proc->mm, l->prog.brk);
	rc = map_vdso(l->t->proc);
	if (rc == 0)
		rc = stack_build(l);
	if (rc < 0)
		return rc;
	publish(l, index);
	return reset_registers(l);
}

static int run(struct task *t, struct exec_params *x, bool check_only, char *why, size_t len)
{
	struct loader l = { .t = t, .x = x, .why = why, .why_len = len, .envp = x->envp, .check_only = check_only };
	int rc;

	if (why && len)
		why[0] = '\0';
	if (!x->path)
		return -EINVAL;
	rc = load_program(&l);
	argv_free(&l.args);
	return rc;
}

int loader_exec(struct task *t, struct exec_params *x, char *why, size_t len)
{
	return run(t, x, false, why, len);
}

int loader_check(struct task *t, struct exec_params *x, char *why, size_t len)
{
	return run(t, x, true, why, len);
}
