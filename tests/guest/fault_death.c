/* A fault nobody handles. */
#include "sigtest.h"

int main(void)
{
	printf("going\n");
	fflush(stdout);
	*(volatile int *)16 = 1;
	return 0;
}
