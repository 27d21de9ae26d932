/* Pipes within one process: order, end of file, full and empty, the calls that move data between descriptors. */
#include "guest.h"
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static void both_ways(void)
{
	int p[2], n;
	char b[100] = "";

	SHOW(pipe(p));
	SHOW(write(p[1], "through a pipe", 14));
	SHOW(ioctl(p[0], FIONREAD, &n));
	printf("%d waiting\n", n);
	SHOW(read(p[0], b, 7));
	SHOW(read(p[0], b + 7, 90));
	printf("'%s'\n", b);
	SHOW(close(p[1]));
	SHOW(read(p[0], b, 1));
	SHOW(close(p[0]));
}

static void full(void)
{
	static char big[65536];
	int p[2];

	SHOW(pipe2(p, O_NONBLOCK | O_CLOEXEC));
	SHOW(read(p[0], big, 1));
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 65536));
	SHOW(fcntl(p[1], F_GETPIPE_SZ));
	SHOW(write(p[1], big, sizeof(big)));
	SHOW(write(p[1], big, 1));
	signal(SIGPIPE, SIG_IGN);
	close(p[0]);
	SHOW(write(p[1], big, 1));
	close(p[1]);
}

static void moving(void)
{
	int p[2], q[2], fd, out;
	char b[64] = "";
	off_t off = 6;
	loff_t in_off = 0, out_off = 3;

	SHOW(pipe(p));
	SHOW(pipe(q));
	fd = open("text", O_RDONLY);
	CHECK(fd >= 0);
	SHOW(sendfile(p[1], fd, &off, 4));
	printf("offset %ld\n", (long)off);
	SHOW(read(p[0], b, sizeof(b)));
	printf("'%s'\n", b);
	SHOW(splice(fd, &in_off, p[1], NULL, 10, 0));
	SHOW(tee(p[0], q[1], 5, 0));
	out = open("out", O_RDWR | O_CREAT, 0600);
	SHOW(splice(p[0], NULL, out, &out_off, 10, SPLICE_F_MOVE));
	printf("in %ld out %ld\n", (long)in_off, (long)out_off);
	SHOW(read(q[0], b, sizeof(b)));
	SHOW(vmsplice(q[1], &(struct iovec){ "spliced", 7 }, 1, 0));
	SHOW(read(q[0], b, sizeof(b)));
	printf("'%.7s'\n", b);
	in_off = 0;
	out_off = 20;
	SHOW(copy_file_range(fd, &in_off, out, &out_off, 11, 0));
	SHOW(pread(out, b, 11, 20));
	printf("'%.11s'\n", b);
	SHOW(sendfile(out, p[0], NULL, 4));
}

int main(void)
{
	both_ways();
	full();
	moving();
	return guest_end();
}
