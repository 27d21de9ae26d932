/* Scheduling calls for one's own and other threads, nice values, membarrier. */
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/resource.h>
#include "threadtest.h"

static atomic_long other;
static atomic_int stop;

static void *sits(void *arg)
{
	(void)arg;
	other = gettid_raw();
	AWAIT(stop);
	return (void *)(intptr_t)getpriority(PRIO_PROCESS, 0);
}

int main(void)
{
	struct sched_param sp = { 0 };
	struct timespec ts;
	cpu_set_t set, back;
	pthread_t t = start(sits, NULL);
	int policy = -1, ours;

	AWAIT(other);
	SHOW(sched_getscheduler(0));
	SHOW(sched_getscheduler((pid_t)other));
	SHOW(sched_getscheduler(-1));
	SHOW(sched_setscheduler((pid_t)other, SCHED_BATCH, &sp));
	SHOW(sched_getscheduler((pid_t)other));
	SHOW(sched_getscheduler(0));
	SHOWP(pthread_getschedparam(t, &policy, &sp));
	printf("policy %d priority %d\n", policy, sp.sched_priority);
	SHOW(sched_getparam(0, &sp));
	sp.sched_priority = 5;
	SHOW(sched_setparam(0, &sp));
	SHOW(sched_get_priority_max(SCHED_FIFO));
	SHOW(sched_get_priority_min(SCHED_FIFO));
	SHOW(sched_rr_get_interval((pid_t)other, &ts));
	SHOW(sched_rr_get_interval(0, NULL));
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0);
	CHECK(sched_getaffinity((pid_t)other, sizeof(back), &back) == 0 && CPU_EQUAL(&set, &back));
	CHECK(sched_setaffinity((pid_t)other, sizeof(set), &set) == 0);
	CPU_ZERO(&back);
	SHOW(sched_setaffinity(0, sizeof(back), &back));
	SHOW(setpriority(PRIO_PROCESS, (id_t)other, 7));
	ours = getpriority(PRIO_PROCESS, 0);
	SHOW(getpriority(PRIO_PROCESS, (id_t)other));
	CHECK(ours != 7);
	SHOW(sched_yield());
	SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) > 0);
	SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
	SHOW(syscall(SYS_membarrier, 1 << 30, 0, 0));
	stop = 1;
	printf("its priority: %ld\n", (long)(intptr_t)join(t));
	return guest_end();
}
