/*
 * Processes in one memory. What is printed depends on who was when where; with no argument only what does not.
 * share_values [values]
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 3
#define ROUNDS 200
#define RING 64
#define ITEMS 2000 /* each time the ring is full or empty costs a slice */

struct shared {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int turn;
	long counted, in_order;
	volatile long raced;
	atomic_long spun;
	/* a ring without locks, one writer and one reader */
	atomic_uint head, tail;
	unsigned slot[RING];
	long sum;
};

static void init(struct shared *s)
{
	pthread_mutexattr_t ma;
	pthread_condattr_t ca;

	memset(s, 0, sizeof(*s));
	pthread_mutexattr_init(&ma);
	pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&s->lock, &ma);
	pthread_condattr_init(&ca);
	pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&s->changed, &ca);
}

static void count(struct shared *s, int me)
{
	for (long i = 0; i < 3000000; i++)
		s->raced++;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&s->lock);
		while (s->turn % CHILDREN != me)
			pthread_cond_wait(&s->changed, &s->lock);
		s->turn++;
		s->counted++;
		s->in_order += s->turn == (int)s->counted;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
	}
	atomic_fetch_add(&s->spun, 1);
	while (atomic_load(&s->spun) < CHILDREN)
		;
}

static void write_ring(struct shared *s)
{
	for (unsigned i = 1; i <= ITEMS; i++) {
		while (atomic_load(&s->head) - atomic_load(&s->tail) == RING)
			;
		s->slot[i % RING] = i;
		atomic_fetch_add(&s->head, 1);
	}
}

static void read_ring(struct shared *s)
{
	for (unsigned i = 1; i <= ITEMS; i++) {
		while (atomic_load(&s->head) == atomic_load(&s->tail))
			;
		s->sum += s->slot[i % RING];
		atomic_fetch_add(&s->tail, 1);
	}
}

static void round_of(const char *kind, struct shared *s, int values)
{
	init(s);
	for (int i = 0; i < CHILDREN; i++)
		if (fork() == 0) {
			count(s, i);
			_exit(0);
		}
	if (fork() == 0) {
		read_ring(s);
		_exit(0);
	}
	write_ring(s);
	while (wait(NULL) > 0)
		;
	printf("%s: %ld, %ld in order, ring %ld", kind, s->counted, s->in_order, s->sum);
	if (values)
		printf(", raced %ld", s->raced);
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const size_t len = sizeof(struct shared);
	int values = argc > 1 && !strcmp(argv[1], "values"), fd, id;

	setvbuf(stdout, NULL, _IOFBF, 4096);
	round_of("anonymous", mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), values);
	fd = memfd_create("shared", 0);
	if (ftruncate(fd, (off_t)len) < 0)
		return 1;
	round_of("memfd", mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), values);
	id = shmget(IPC_PRIVATE, len, 0600);
	round_of("segment", shmat(id, NULL, 0), values);
	shmctl(id, IPC_RMID, NULL);
	return 0;
}
