/* The first process ends before its descendants, which go on and end by themselves. */
#include "proctest.h"

static void go_on(void)
{
	char name[64] = "left-behind";
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	/* Nobody waits for this output any more: it must not go where a comparison looks. */
	close(1);
	for (int i = 0; i < 200; i++) {
		usleep(500);
		if (write(fd, name, 1) != 1)
			_exit(1);
		if (i == 100 && fork() == 0) {
			usleep(10000);
			_exit(0);
		}
	}
	_exit(lseek(fd, 0, SEEK_CUR) == 200 ? 0 : 2);
}

int main(void)
{
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			go_on();
	puts("the first process ends");
	return 3;
}
