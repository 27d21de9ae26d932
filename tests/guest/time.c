/* Clocks, by the vDSO and by system calls, and what waits for them. Only relations are shown. */
#include "guest.h"
#include <signal.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>

static int64_t ns(struct timespec t)
{
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t by_library(clockid_t c)
{
	struct timespec t;

	CHECK(clock_gettime(c, &t) == 0);
	return ns(t);
}

static int64_t by_call(clockid_t c)
{
	struct timespec t;

	CHECK(syscall(SYS_clock_gettime, c, &t) == 0);
	return ns(t);
}

static void clocks(void)
{
	static const clockid_t list[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
					  CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI,
					  CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };
	struct timespec res;

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		int64_t a = by_library(list[i]), b = by_call(list[i]), c = by_library(list[i]);

		CHECK(a <= b && b <= c && c - a < 2000000000LL);
		CHECK(clock_getres(list[i], &res) == 0 && res.tv_sec == 0);
	}
	SHOW(clock_gettime(77, &res));
	SHOW(syscall(SYS_clock_gettime, CLOCK_REALTIME, 8));
	SHOW(clock_getres(CLOCK_MONOTONIC, NULL));
}

static void wall_clock(void)
{
	struct timeval tv;
	struct timezone tz;
	time_t t = time(NULL), u;
	struct tm tm;

	CHECK(gettimeofday(&tv, &tz) == 0 && tv.tv_sec - t >= 0 && tv.tv_sec - t < 3);
	CHECK(syscall(SYS_time, &u) >= t && u >= t);
	CHECK(by_library(CLOCK_REALTIME) / 1000000000 - t < 3);
	CHECK(t > 1700000000);
	CHECK(localtime_r(&(time_t){ 86400 }, &tm) && tm.tm_mday == 2);
	printf("1970-01-%02d %02d:00\n", tm.tm_mday, tm.tm_hour);
	SHOW(syscall(SYS_gettimeofday, 8, 0));
}

static void sleeping(void)
{
	struct timespec wait = { 0, 5000000 }, left = { 9, 9 }, until;
	int64_t start = by_library(CLOCK_MONOTONIC);

	SHOW(nanosleep(&wait, &left));
	printf("left %ld.%ld\n", left.tv_sec, left.tv_nsec);
	CHECK(by_library(CLOCK_MONOTONIC) - start >= 5000000);
	SHOW(clock_gettime(CLOCK_MONOTONIC, &until));
	until.tv_sec++;
	until.tv_sec--;
	SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
	SHOW(nanosleep(&(struct timespec){ 0, 2000000000 }, NULL));
	SHOW(usleep(1000));
	SHOW(sched_yield());
}

static void process_time(void)
{
	struct rusage before, after;
	struct tms tms;
	volatile unsigned long x = 0;

	CHECK(getrusage(RUSAGE_SELF, &before) == 0);
	for (int i = 0; i < 60000000; i++)
		x = x + i;
	CHECK(getrusage(RUSAGE_SELF, &after) == 0);
	CHECK(after.ru_utime.tv_sec * 1000000 + after.ru_utime.tv_usec + after.ru_stime.tv_sec * 1000000 + after.ru_stime.tv_usec >
	      before.ru_utime.tv_sec * 1000000 + before.ru_utime.tv_usec);
	CHECK(times(&tms) > 0 && clock() > 0);
	CHECK(getrusage(RUSAGE_CHILDREN, &after) == 0);
}

static void timers(void)
{
	struct itimerval it = { .it_value = { 1000, 0 } }, old;
	struct itimerspec its = { .it_value = { 2000, 0 } }, left;
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	timer_t t;

	SHOW(setitimer(ITIMER_REAL, &it, NULL));
	SHOW(getitimer(ITIMER_REAL, &old));
	CHECK(old.it_value.tv_sec > 900 && old.it_value.tv_sec <= 1000);
	SHOW(alarm(50) > 900);
	SHOW(alarm(0) > 40);
	SHOW(timer_create(CLOCK_MONOTONIC, &none, &t));
	SHOW(timer_settime(t, 0, &its, NULL));
	SHOW(timer_gettime(t, &left));
	CHECK(left.it_value.tv_sec > 1900 && left.it_value.tv_sec <= 2000);
	SHOW(timer_getoverrun(t));
	SHOW(timer_delete(t));
	SHOW(timer_delete(t));
	SHOW(getitimer(99, &old));
}

static void kernel_time(void)
{
	struct timex x = { 0 };
	unsigned cpu = 99999, node = 99999;

	CHECK(adjtimex(&x) >= 0 && x.time.tv_sec > 1700000000);
	CHECK(getcpu(&cpu, &node) == 0 && cpu < 4096 && node < 1024);
	CHECK(sched_getcpu() >= 0);
}

int main(void)
{
	clocks();
	wall_clock();
	sleeping();
	process_time();
	timers();
	kernel_time();
	return guest_end();
}
