/* Death by SIGABRT, after output. */
#include "guest.h"

int main(void)
{
	puts("before");
	fflush(stdout);
	abort();
}
