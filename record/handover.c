/* From one image of sandrec to the next. Contract: handover.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/handover.h"
#include "syscall-emu/seccomp.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"
#include "vmm/notsc.h"

#define HANDOVER_MAX (16u << 20)

static int self_fd = -1;

int handover_prepare(void)
{
	int fd;

	if (self_fd >= 0)
		return 0;
	fd = proc_self_open("exe", O_RDONLY);
	if (fd < 0)
		return fd;
	self_fd = fd_hide(fd);
	return self_fd < 0 ? self_fd : 0;
}

int handover_inherit(struct handover *h)
{
	int rc, root;

	proc_self_inherit(h->proc_fd);
	rc = fd_hide_init();
	if (rc < 0)
		return rc;
	root = h->proc_fd < 0 ? -1 : fd_hide(h->proc_fd);
	self_fd = fd_hide(h->self_fd);
	h->kvm.fd = fd_hide(h->kvm.fd);
	proc_self_inherit(root);
	return self_fd < 0 ? self_fd : h->kvm.fd < 0 ? h->kvm.fd : 0;
}

static int write_all(int fd, const void *bytes, size_t len)
{
	const char *b = bytes;

	while (len) {
		ssize_t n = write(fd, b, len);

		if (n < 0)
			return -errno;
		b += n;
		len -= (size_t)n;
	}
	return 0;
}

static uint64_t vector_size(char **v, uint32_t *n)
{
	uint64_t size = 0;

	for (*n = 0; v && v[*n]; ++*n)
		size += strlen(v[*n]) + 1;
	return size;
}

static int measure(struct handover *h, const struct exec_request *q)
{
	uint64_t size = sizeof(*h) + h->filters_len;

	if (q)
		size += strlen(q->path) + 1 + vector_size(q->argv, &h->argc) + vector_size(q->envp, &h->envc);
	h->size = (uint32_t)size;
	return size > HANDOVER_MAX ? -E2BIG : 0;
}

static int write_vector(int fd, char **v, uint32_t n)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = write_all(fd, v[i], strlen(v[i]) + 1);
	return rc;
}

/* From begin to end: fd may be a pipe. In memory that a vfork child has from its parent, so nothing is allocated. */
static int write_state(int fd, const struct handover *h, const struct exec_request *q)
{
	int rc = write_all(fd, h, sizeof(*h));

	if (rc == 0 && q) {
		rc = write_all(fd, q->path, strlen(q->path) + 1);
		if (rc == 0)
			rc = write_vector(fd, q->argv, h->argc);
		if (rc == 0)
			rc = write_vector(fd, q->envp, h->envc);
	}
	return rc == 0 ? write_all(fd, h->filters, h->filters_len) : rc;
}

static void inherit(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

static int hide(int made)
{
	int fd = made < 0 ? -errno : fd_hide(made);

	if (made >= 0 && fd < 0)
		close(made);
	return fd;
}

static int make_hidden(const char *name)
{
	return hide(memfd_create(name, 0));
}

/* Written without waiting: what does not fit is an error. */
static int make_pipe(uint32_t size, int *to)
{
	int end[2], fd;

	if (pipe2(end, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	fd = hide(end[0]);
	*to = hide(end[1]);
	if (fd >= 0 && *to >= 0 && fcntl(*to, F_GETPIPE_SZ) < (int)size)
		fcntl(*to, F_SETPIPE_SZ, size);
	if (fd >= 0 && *to >= 0)
		return fd;
	fd_hidden_close(fd);
	fd_hidden_close(*to);
	return fd < 0 ? fd : *to;
}

/* A descriptor with the state. The program's limit on the size of files is one for memfds too, but not for pipes. */
static int make_state(const struct handover *h, const struct exec_request *q)
{
	struct rlimit size, files;
	int fd, to = -1, rc;

	getrlimit(RLIMIT_FSIZE, &size);
	nofile_lift(&files);
	if (size.rlim_cur < h->size)
		fd = make_pipe(h->size, &to);
	else
		fd = to = make_hidden("sandrec-handover");
	nofile_restore(&files);
	if (fd < 0)
		return fd;
	rc = write_state(to, h, q);
	if (to != fd)
		fd_hidden_close(to);
	if (rc < 0)
		fd_hidden_close(fd);
	return rc < 0 ? rc : fd;
}

/* A binary that this user may not execute (or this sandbox), from memory. */
static int execute_copy(int self, char **argv, char **envp)
{
	int fd = make_hidden("sandrec");
	off_t at = 0;
	ssize_t n = fd < 0 ? fd : 1;

	while (n > 0)
		n = sendfile(fd, self, &at, 1 << 30);
	if (n == 0) {
		inherit(fd);
		syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
	}
	return fd < 0 ? fd : -errno;
}

static int execute(struct handover *h, int state)
{
	char number[16], *argv[] = { (char *)"sandrec", (char *)HANDOVER_WORD, number, NULL }, *envp[] = { NULL };

	snprintf(number, sizeof(number), "%d", state);
	notsc_end();
	syscall(SYS_execveat, h->self_fd, "", argv, envp, AT_EMPTY_PATH);
	return errno == EACCES || errno == EPERM ? execute_copy(h->self_fd, argv, envp) : -errno;
}

int handover_exec(struct handover *h, const struct exec_request *q)
{
	int fd, rc;

	if (h->filters_rc < 0)
		return h->filters_rc;
	h->program_fd = q ? q->fd : -1;
	h->self_fd = self_fd;
	h->proc_fd = proc_self_root();
	rc = measure(h, q);
	fd = rc < 0 ? rc : make_state(h, q);
	if (fd < 0)
		return fd;
	const int kept[] = { fd, h->self_fd, h->proc_fd, h->kvm.fd, h->program_fd, h->dir_fd, h->control_fd, h->shared_fd, h->ring_fd,
			     h->debug_fd,
			     h->fds.saved[1], h->fds.saved[2] };

	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		inherit(kept[i]);
	return execute(h, fd);
}

/* A copy of the last bytes, which lie behind at. */
static int take_filters(struct handover *h, const char *at, const char *end)
{
	h->filters = malloc((size_t)h->filters_len + 1);
	if (!h->filters)
		return -ENOMEM;
	if (at > end || (size_t)(end - at) != h->filters_len)
		return -EBADMSG;
	memcpy(h->filters, at, h->filters_len);
	return 0;
}

static char **take_vector(char **at, char *end, uint32_t n)
{
	char **v = calloc((size_t)n + 1, sizeof(*v));

	for (uint32_t i = 0; v && i < n && *at < end; i++) {
		v[i] = strdup(*at);
		*at += strlen(*at) + 1;
	}
	return v;
}

static bool read_all(int fd, void *bytes, size_t len)
{
	char *at = bytes;
	ssize_t n;

	for (; len; at += n, len -= (size_t)n) {
		n = read(fd, at, len);
		if (n <= 0)
			return false;
	}
	return true;
}

int handover_read(int fd, struct handover *h, struct exec_request *q)
{
	cleanup_close int in = fd;
	cleanup_free char *strings = NULL;
	char *at, *end;
	size_t size;

	lseek(in, 0, SEEK_SET); /* or it is a pipe */
	if (!read_all(in, h, sizeof(*h)) || h->size < sizeof(*h) || h->size > HANDOVER_MAX)
		return -EBADMSG;
	size = h->size - sizeof(*h);
	strings = calloc(1, size + 1);
	if (!strings)
		return -ENOMEM;
	if (!read_all(in, strings, size))
		return -EBADMSG;
	at = strings;
	end = strings + size;
	q->path = strdup(at);
	at += h->program_fd >= 0 ? strlen(at) + 1 : 0;
	q->argv = take_vector(&at, end, h->argc);
	q->envp = take_vector(&at, end, h->envc);
	q->fd = h->program_fd;
	return q->path && q->argv && q->envp ? take_filters(h, at, end) : -ENOMEM;
}

void handover_fill(struct handover *h, const struct task *t)
{
	const struct process *p = t->proc;

	memset(h, 0, sizeof(*h));
	h->kvm = *p->kvm;
	h->cpu = *vm_cpu(p->vm);
	h->dir_fd = h->control_fd = h->shared_fd = h->ring_fd = h->debug_fd = h->program_fd = -1;
	h->mask = t->mask;
	h->self = process_self;
	for (int sig = 1; sig <= 64; sig++)
		if (p->action[sig].handler == 1) /* SIG_IGN */
			h->ignored |= 1ULL << (sig - 1);
	fdtable_save(p->fds, &h->fds);
	h->verbose = p->verbose;
	h->inject = p->inject;
	h->pid = p->pid;
	h->filters_rc = seccomp_save(t, &h->filters, &h->filters_len);
}
