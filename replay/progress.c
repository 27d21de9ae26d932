/*
 * Progress of a replay. Contract: progress.h. The thread that draws lives in the first process, which may be copied
 * (fork) or replaced (exec) at any time: so it takes no locks, and all state is in the tree's shared memory.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "replay/only.h"
#include "replay/progress.h"
#include "replay/replayer.h"
#include "trace/parts.h"

#define FIRST_NS 1000000000ULL
#define STEP_MS 200
#define STACK (64u << 10)

static struct tree *tree;
static pthread_t drawer;
static bool drawing;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static uint64_t count(int dir, int number)
{
	struct stream_reader *r;
	char why[256];
	uint64_t n;

	if (replayer_open_stream(dir, number, &r, why, sizeof(why)) < 0)
		return 0;
	n = stream_events(r);
	stream_reader_close(r);
	return n;
}

struct counting {
	int dir;
	uint64_t n;
};

static int count_part(void *arg, const char *name)
{
	struct counting *c = arg;

	if (!strncmp(name, "events.", 7))
		c->n += count(c->dir, atoi(name + 7));
	return 0;
}

static uint64_t count_all(int dir)
{
	struct counting c = { .dir = dir };

	trace_parts_each(dir, count_part, &c);
	return c.n;
}

static bool terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb");
}

void progress_plan(int dir, int first, struct tree *t)
{
	if (!terminal())
		return;
	if (!only_one(t)) {
		t->total = count_all(dir);
	} else {
		t->total = count(dir, first);
		for (int32_t i = 0; i < t->only.depth; i++)
			t->total += count(dir, t->only.way[i]);
	}
	t->start_ns = now_ns();
}

static void draw(struct tree *t)
{
	uint64_t done = __atomic_load_n(&t->done, __ATOMIC_RELAXED);
	char line[120];
	int n;

	if (__atomic_load_n(&t->midline, __ATOMIC_RELAXED))
		return;
	if (done > t->total)
		done = t->total;
	n = snprintf(line, sizeof(line), "\r\033[Ksandrec: replaying: %" PRIu64 " of %" PRIu64 " events, %" PRIu64 " %%",
		     done, t->total, t->total ? done * 100 / t->total : 100);
	__atomic_store_n(&t->drawn, 1, __ATOMIC_SEQ_CST);
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		__atomic_store_n(&t->drawn, 0, __ATOMIC_SEQ_CST);
}

static void *draw_on(void *arg)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	struct tree *t = arg;

	while (!__atomic_load_n(&t->over, __ATOMIC_SEQ_CST)) {
		if (now_ns() - t->start_ns >= FIRST_NS)
			draw(t);
		syscall(SYS_futex, &t->over, FUTEX_WAIT, 0, &step, NULL, 0);
	}
	return NULL;
}

void progress_begin(struct tree *t, int main_process)
{
	pthread_attr_t a;
	sigset_t all, old;

	tree = t;
	if (!main_process || !t->total || pthread_attr_init(&a))
		return;
	/* The replay's own signals are meant for the thread that runs the guest. */
	sigfillset(&all);
	pthread_attr_setstacksize(&a, STACK);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	drawing = !pthread_create(&drawer, &a, draw_on, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&a);
}

void progress_end(void)
{
	if (!drawing)
		return;
	__atomic_store_n(&tree->over, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &tree->over, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	pthread_join(drawer, NULL);
	drawing = false;
	progress_wipe();
}

void progress_events(unsigned n)
{
	if (tree)
		__atomic_fetch_add(&tree->done, n, __ATOMIC_RELAXED);
}

void progress_wipe(void)
{
	static const char wipe[] = "\r\033[K";

	if (tree && __atomic_exchange_n(&tree->drawn, 0, __ATOMIC_SEQ_CST) &&
	    write(STDERR_FILENO, wipe, sizeof(wipe) - 1) < 0) {
		/* Nobody sees the line then. */
	}
}

void progress_wrote(int fd, char last)
{
	if (tree && tree->total && isatty(fd))
		__atomic_store_n(&tree->midline, last != '\n', __ATOMIC_RELAXED);
}
