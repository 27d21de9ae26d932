/* The vsyscall page of old programs: execute only, three functions. */
#include <sys/time.h>
#include <time.h>

#include "sigtest.h"

typedef long call2(void *a, void *b);

int main(void)
{
	call2 *gettime = (call2 *)0xffffffffff600000, *seconds = (call2 *)0xffffffffff600400,
	      *cpu = (call2 *)0xffffffffff600800;
	struct timeval tv = { 0 };
	unsigned n = ~0u;
	time_t t = 0;
	volatile long r = 0;
	volatile char c;

	catch_faults(show_fault, 0);
	TRY("gettimeofday", 0, r = gettime(&tv, NULL));
	printf("%ld %d\n", r, tv.tv_sec > 1000000000);
	TRY("time", 0, r = seconds(&t, NULL));
	printf("%d %d\n", r == t, t >= tv.tv_sec);
	TRY("time without pointer", 0, r = seconds(NULL, NULL));
	printf("%d\n", r >= t);
	TRY("getcpu", 0, r = cpu(&n, NULL));
	printf("%ld %d\n", r, n != ~0u);
	TRY("bad pointer", 0, gettime((void *)8, NULL));
	TRY("beside a function", 0, ((call2 *)0xffffffffff600010)(NULL, NULL));
	TRY("read", 0xffffffffff600000, c = *(volatile char *)0xffffffffff600000);
	(void)c;
	return 0;
}
