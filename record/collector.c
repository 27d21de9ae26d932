/* Following a process tree. Contract: collector.h. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/collector.h"
#include "record/control.h"
#include "record/follower.h"
#include "trace/ring.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

#define FIRST_RING (8u << 20)
#define CHILD_RING (1u << 20) /* most processes are short */
#define RINGS_AHEAD 3         /* rings that wait to be taken: one exists long before its process needs it */

struct collector {
	int dir, control;
	pthread_t listener;
	struct follower *first, **last; /* all this is the listener's, and the caller's when it is not running */
	struct follower **by_number;
	int room;                  /* of that */
	int made;                  /* rings, which is the highest number */
	int born;                  /* of their processes */
	int error;                 /* the first process that could not be recorded */
	struct spare_rings spares;
	pthread_t closer;
	int to_close[2];           /* a pipe: descriptors that take their time to be closed */
	struct files_store *files; /* NULL until it is needed */
	struct manifest_proc *procs;
};

static struct follower *find(const struct collector *c, int number)
{
	return number > 0 && number < c->room ? c->by_number[number] : NULL;
}

static int make_room(struct collector *c, int number)
{
	int room = 2 * number + 64;
	struct follower **more;

	if (number < c->room)
		return 0;
	more = reallocarray(c->by_number, (size_t)room, sizeof(struct follower *));
	if (!more)
		return -ENOMEM;
	memset(more + c->room, 0, (size_t)(room - c->room) * sizeof(struct follower *));
	c->by_number = more;
	c->room = room;
	return 0;
}

static int add_follower(struct collector *c, int number, int parent, pid_t pid, const char *comm)
{
	struct follower *f = calloc(1, sizeof(*f));
	int rc = make_room(c, number);

	if (!f || rc < 0) {
		free(f);
		return -ENOMEM;
	}
	f->dir = c->dir;
	f->number = number;
	f->parent = parent;
	f->pid = pid;
	snprintf(f->comm, sizeof(f->comm), "%s", comm);
	f->spares = number == 1 ? NULL : &c->spares; /* that one has another size */
	rc = follower_start(f);
	if (rc < 0) {
		free(f);
		return rc;
	}
	c->by_number[number] = f;
	*c->last = f;
	c->last = &f->next;
	c->born++;
	return 0;
}

static void failed(struct collector *c, int rc)
{
	if (rc < 0 && !c->error)
		c->error = rc;
}

static int spare_ring(struct collector *c)
{
	int number = 0;

	pthread_mutex_lock(&c->spares.lock);
	if (c->spares.n)
		number = c->spares.number[--c->spares.n];
	pthread_mutex_unlock(&c->spares.lock);
	return number;
}

/* A ring for a child: a used one, if there is any. */
static int make_ring(struct collector *c, int number)
{
	char name[64], spare[64];
	int used = spare_ring(c), fd = -ENOENT;

	snprintf(name, sizeof(name), TRACE_RING_NAME, number);
	if (used) {
		snprintf(spare, sizeof(spare), TRACE_SPARE_NAME, used);
		fd = ring_reuse_at(c->dir, spare, name);
	}
	return fd < 0 ? ring_make_at(c->dir, name, CHILD_RING) : fd;
}

/* One more ring for whoever takes it, or why there is none: that process goes on unrecorded. */
static int offer_ring(struct collector *c, bool wanted)
{
	struct control_ring r = { .number = c->made + 1 };
	cleanup_close int fd = make_ring(c, r.number);

	if (fd >= 0)
		c->made++;
	else if (!wanted)
		return fd;
	else
		failed(c, r.error = fd);
	return control_send(c->control, &r, sizeof(r), &fd, fd >= 0);
}

/* Fails on a full disk, which is an error only when one is wanted, or when no guest is left. */
static void keep_ahead(struct collector *c)
{
	while (c->made - c->born < RINGS_AHEAD && offer_ring(c, false) == 0)
		;
}

static void born(struct collector *c, const struct control_message *m, pid_t pid)
{
	int rc = add_follower(c, m->number, m->parent, pid, m->comm);

	if (rc < 0)
		fprintf(stderr, "sandrec: process %d is not recorded: %s\n", pid, strerror(-rc));
	failed(c, rc);
	keep_ahead(c);
}

static void store(struct collector *c, const int fds[CONTROL_FDS])
{
	struct control_stored s = { 0 };

	if (!c->files)
		s.error = files_open(c->dir, NULL, &c->files);
	if (!s.error)
		s.error = files_add(c->files, fds[0], &s.ref);
	control_send(fds[1], &s, sizeof(s), NULL, 0);
}

static void *close_slowly(void *arg)
{
	const struct collector *c = arg;
	int fd;

	while (read(c->to_close[0], &fd, sizeof(fd)) == sizeof(fd))
		close(fd);
	return NULL;
}

/*
 * What process f leaves, instead of what it left before: that is not closed here, where everybody would wait for it, nor
 * before the process has no descriptor of it any more.
 */
static void leave_vm(const struct collector *c, struct follower *f, int *fd)
{
	int old = f ? follower_vm(f, *fd) : *fd;

	*fd = -1;
	if (old >= 0 && write(c->to_close[1], &old, sizeof(old)) != sizeof(old))
		close(old);
}

static void take(struct collector *c, struct control_message *m, int fds[CONTROL_FDS], pid_t pid)
{
	struct follower *f = find(c, m->number);

	m->comm[sizeof(m->comm) - 1] = '\0';
	switch (m->type) {
	case CONTROL_WANT:
		offer_ring(c, true);
		break;
	case CONTROL_BORN:
		born(c, m, pid);
		break;
	case CONTROL_PROGRAM:
		if (f)
			memcpy(f->comm, m->comm, sizeof(f->comm));
		leave_vm(c, f, &fds[0]);
		break;
	case CONTROL_ENDED:
		leave_vm(c, f, &fds[0]);
		if (f)
			follower_ended(f, m->status);
		break;
	case CONTROL_VM:
		leave_vm(c, f, &fds[0]);
		break;
	case CONTROL_STORE:
		store(c, fds);
		break;
	}
}

static void *listen_control(void *arg)
{
	struct collector *c = arg;
	struct control_message m;
	int fds[CONTROL_FDS], rc;
	pid_t pid;

	while ((rc = control_receive(c->control, &m, sizeof(m), fds, &pid)) > 0 || rc == -EBADMSG) {
		if (rc > 0)
			take(c, &m, fds, pid);
		for (unsigned i = 0; i < CONTROL_FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
	failed(c, rc);
	return NULL;
}

int collector_create(int dir, struct collector **out, int *control, int *ring)
{
	struct collector *c = calloc(1, sizeof(*c));
	char name[64];
	int rc;

	if (!c)
		return -ENOMEM;
	c->dir = dir;
	c->last = &c->first;
	pthread_mutex_init(&c->spares.lock, NULL);
	c->made = 1;
	snprintf(name, sizeof(name), TRACE_RING_NAME, c->made);
	*ring = rc = ring_make_at(dir, name, FIRST_RING);
	if (rc >= 0)
		rc = control_create(&c->control, control);
	if (rc < 0) {
		if (*ring >= 0)
			close(*ring);
		free(c);
		return rc;
	}
	*out = c;
	return 0;
}

int collector_follow_first(struct collector *c, pid_t pid, const char *comm)
{
	return add_follower(c, 1, 0, pid, comm);
}

int collector_start(struct collector *c)
{
	int rc = pipe2(c->to_close, O_CLOEXEC) < 0 ? -errno : -pthread_create(&c->closer, NULL, close_slowly, c);

	return rc < 0 ? rc : -pthread_create(&c->listener, NULL, listen_control, c);
}

void collector_leave(struct collector *c)
{
	close(c->control);
}

static void describe(const struct collector *c, const struct follower *f, struct manifest_proc *p)
{
	const struct follower *parent = find(c, f->parent);

	*p = (struct manifest_proc){
		.number = f->number,
		.parent = f->parent,
		.pid = f->pid,
		.ppid = parent ? parent->pid : getpid(),
		.comm = (char *)f->comm,
		.ended = true,
		.status = f->ended ? f->status : SIGKILL, /* nothing else ends a process unseen */
		.events = f->events,
	};
}

/* Rings of processes that never were, and of those that nobody followed. */
static void remove_unused(struct collector *c, const bool *used)
{
	char name[64];
	int number;

	while ((number = spare_ring(c))) {
		snprintf(name, sizeof(name), TRACE_SPARE_NAME, number);
		unlinkat(c->dir, name, 0);
	}
	for (int i = 1; i <= c->made; i++) {
		snprintf(name, sizeof(name), TRACE_RING_NAME, i);
		if (!used[i])
			unlinkat(c->dir, name, 0);
	}
}

int collector_finish(struct collector *c, struct manifest *m)
{
	cleanup_free bool *used = NULL;
	int error;
	size_t n = 0;

	pthread_join(c->listener, NULL);
	close(c->to_close[1]);
	pthread_join(c->closer, NULL);
	close(c->to_close[0]);
	error = c->error;
	for (struct follower *f = c->first; f; f = f->next, n++) {
		follower_join(f);
		if (f->error && !error)
			error = f->error;
	}
	used = calloc((size_t)c->made + 1, sizeof(*used));
	c->procs = calloc(n + 1, sizeof(*c->procs));
	if (!c->procs || !used)
		return -ENOMEM;
	n = 0;
	for (struct follower *f = c->first; f; f = f->next) {
		used[f->number] = true;
		describe(c, f, &c->procs[n++]);
	}
	remove_unused(c, used);
	m->procs = c->procs;
	m->nprocs = n;
	return error;
}

void collector_destroy(struct collector *c)
{
	while (c->first) {
		struct follower *f = c->first;

		c->first = f->next;
		free(f);
	}
	files_close(c->files);
	free(c->by_number);
	close(c->control);
	free(c->procs);
	free(c);
}
