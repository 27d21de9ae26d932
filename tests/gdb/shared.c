/* Memory that a fork of the process would share: checkpoints must not. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

volatile int *shared, *file, *alias;
volatile int read_often[2];
static int sum;

static void use(void)
{
	sum += read_often[0]; /* reads */
	sum += read_often[1];
}

int main(void)
{
	int fd = open("shared-file", O_RDWR | O_CREAT | O_TRUNC, 0600); /* main */

	if (fd < 0 || ftruncate(fd, 8192) < 0)
		return 1;
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	file = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	alias = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (int i = 1; i <= 5; i++) {
		*shared = i; /* shared */
		file[0] = 10 * i; /* file */
		if (alias[0] != 10 * i)
			abort();
	}
	use();
	read_often[0] = 3;
	use();
	printf("%d %d\n", *shared, file[0]); /* last */
	return 0;
}
