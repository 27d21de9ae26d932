/* A variable that is written rarely, beside one that is written all the time. */
#include <stdio.h>
struct { volatile unsigned long busy; int rare; } page;
static void set(int v) { page.rare = v; }
int main(void)
{
	for (int round = 1; round <= 4; round++) {
		for (int i = 0; i < 30000000; i++)
			page.busy++;
		set(round);
	}
	for (int i = 0; i < 30000000; i++)
		page.busy++;
	printf("%d\n", page.rare);
	return 0;
}
