/* Following a process tree. Contract: collector.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/collector.h"
#include "trace/ring.h"
#include "trace/stream.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

#define DRAIN_MS 500
#define DEAD_MS 10 /* between the last record and the end of its process */

struct follower {
	struct collector *c;
	struct follower *next;
	pthread_t thread;
	pid_t pid, parent;
	char comm[16];
	struct ring *ring;
	struct stream_writer *out;
	int pidfd;                 /* -1: gone already */
	bool has_status;
	int status, error;
	uint64_t events;
};

struct collector {
	int dir, control;
	pthread_t listener;
	pthread_mutex_t lock;      /* the list, and what the listener writes into followers */
	struct follower *first, **last;
	struct manifest_proc *procs;
};

static bool is_dead(const struct follower *f, int timeout_ms)
{
	struct pollfd p = { .fd = f->pidfd, .events = POLLIN };

	return f->pidfd < 0 || poll(&p, 1, timeout_ms) > 0;
}

/* Everything that is published goes to the stream; false when the disk takes no more. */
static bool drain(struct follower *f, size_t at_least)
{
	const void *bytes;
	size_t n;

	while ((n = ring_peek(f->ring, &bytes)) >= at_least && n) {
		f->error = stream_write(f->out, bytes, n);
		if (f->error) {
			/* What is in the ring stays there, and is read from its file. */
			ring_stop(f->ring);
			return false;
		}
		ring_consume(f->ring, n);
	}
	return true;
}

static void *follow(void *arg)
{
	struct follower *f = arg;
	char name[64];
	bool dead = false;

	while (!dead) {
		if (!ring_wait(f->ring, DRAIN_MS, STREAM_FRAME_SIZE))
			dead = is_dead(f, DEAD_MS);
		if (!drain(f, dead ? 1 : STREAM_FRAME_SIZE))
			break;
	}
	f->events = stream_written_events(f->out);
	if (!f->error && ring_stopped(f->ring))
		f->error = -ENOSPC;
	if (!f->error) {
		f->error = stream_writer_close(f->out);
		snprintf(name, sizeof(name), TRACE_RING_NAME, f->pid);
		unlinkat(f->c->dir, name, 0);
	} else {
		stream_writer_close(f->out);
	}
	ring_close(f->ring);
	if (f->pidfd >= 0)
		close(f->pidfd);
	return NULL;
}

static int open_follower(struct follower *f)
{
	char name[64];
	int rc;

	snprintf(name, sizeof(name), TRACE_RING_NAME, f->pid);
	rc = ring_open_at(f->c->dir, name, &f->ring);
	if (rc < 0)
		return rc;
	snprintf(name, sizeof(name), TRACE_STREAM_NAME, f->pid);
	rc = stream_writer_open(f->c->dir, name, &f->out);
	if (rc < 0) {
		ring_stop(f->ring);
		ring_close(f->ring);
		return rc;
	}
	f->pidfd = (int)syscall(SYS_pidfd_open, f->pid, 0);
	return 0;
}

int collector_follow(struct collector *c, pid_t pid, pid_t parent, const char *comm)
{
	struct follower *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return -ENOMEM;
	f->c = c;
	f->pid = pid;
	f->parent = parent;
	snprintf(f->comm, sizeof(f->comm), "%s", comm);
	rc = open_follower(f);
	if (rc == 0)
		rc = -pthread_create(&f->thread, NULL, follow, f);
	if (rc < 0) {
		free(f);
		return rc;
	}
	pthread_mutex_lock(&c->lock);
	*c->last = f;
	c->last = &f->next;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

/* The last process of that number: numbers come again in a long recording. */
static struct follower *find(struct collector *c, pid_t pid)
{
	struct follower *found = NULL;

	for (struct follower *f = c->first; f; f = f->next)
		if (f->pid == pid)
			found = f;
	return found;
}

static void note(struct collector *c, const struct control_message *m)
{
	struct follower *f;

	pthread_mutex_lock(&c->lock);
	f = find(c, m->pid);
	if (f && m->type == CONTROL_PROGRAM)
		memcpy(f->comm, m->comm, sizeof(f->comm));
	if (f && m->type == CONTROL_ENDED) {
		f->status = m->status;
		f->has_status = true;
	}
	pthread_mutex_unlock(&c->lock);
}

static void *listen_control(void *arg)
{
	struct collector *c = arg;
	struct control_message m;
	ssize_t n;

	while ((n = read(c->control, &m, sizeof(m))) > 0 || (n < 0 && errno == EINTR)) {
		if (n != sizeof(m))
			continue;
		m.comm[sizeof(m.comm) - 1] = '\0';
		if (m.type != CONTROL_BORN) {
			note(c, &m);
			continue;
		}
		int rc = collector_follow(c, m.pid, m.parent, m.comm);

		if (rc < 0)
			fprintf(stderr, "sandrec: process %d is not recorded: %s\n", m.pid, strerror(-rc));
	}
	return NULL;
}

int collector_create(int dir, struct collector **out, int *control)
{
	struct collector *c = calloc(1, sizeof(*c));
	int pipefd[2];

	if (!c)
		return -ENOMEM;
	if (pipe2(pipefd, O_CLOEXEC) < 0) {
		free(c);
		return -errno;
	}
	c->dir = dir;
	c->last = &c->first;
	c->control = pipefd[0];
	pthread_mutex_init(&c->lock, NULL);
	*control = pipefd[1];
	*out = c;
	return 0;
}

int collector_start(struct collector *c)
{
	return -pthread_create(&c->listener, NULL, listen_control, c);
}

void collector_leave(struct collector *c)
{
	close(c->control);
}

static void describe(const struct follower *f, struct manifest_proc *p)
{
	*p = (struct manifest_proc){
		.pid = f->pid,
		.ppid = f->parent,
		.comm = (char *)f->comm,
		.ended = true,
		.status = f->has_status ? f->status : SIGKILL, /* nothing else ends a process unseen */
		.events = f->events,
	};
}

int collector_finish(struct collector *c, struct manifest *m)
{
	int error = 0;
	size_t n = 0;

	pthread_join(c->listener, NULL);
	for (struct follower *f = c->first; f; f = f->next, n++) {
		pthread_join(f->thread, NULL);
		if (f->error && !error)
			error = f->error;
	}
	c->procs = calloc(n + 1, sizeof(*c->procs));
	if (!c->procs)
		return -ENOMEM;
	n = 0;
	for (struct follower *f = c->first; f; f = f->next)
		describe(f, &c->procs[n++]);
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
	close(c->control);
	free(c->procs);
	free(c);
}
