/* A pseudo terminal with both ends here: settings, sizes, line discipline. */
#include "guest.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static void settings(int fd)
{
	struct termios t;
	struct winsize w = { 33, 99, 1, 2 }, got = { 0 };

	SHOW(isatty(fd));
	SHOW(tcgetattr(fd, &t));
	printf("iflag %o oflag %o cflag %o lflag %o intr %d\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag, t.c_cc[VINTR]);
	SHOW(ioctl(fd, TIOCSWINSZ, &w));
	SHOW(ioctl(fd, TIOCGWINSZ, &got));
	printf("%u x %u\n", got.ws_row, got.ws_col);
	cfmakeraw(&t);
	SHOW(cfsetspeed(&t, B9600));
	SHOW(tcsetattr(fd, TCSANOW, &t));
	SHOW(tcgetattr(fd, &t));
	printf("lflag %o speed %d\n", t.c_lflag, (int)cfgetospeed(&t));
	SHOW(tcflush(fd, TCIOFLUSH));
	SHOW(tcflow(fd, TCOON));
	SHOW(tcsendbreak(fd, 0));
}

/* What one end writes reaches the other a moment later, perhaps in parts. */
static int read_all(int fd, char *b, int expected)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n, all = 0;

	while (all < expected && poll(&p, 1, 5000) == 1 && (n = read(fd, b + all, 128 - all)) > 0)
		all += n;
	return all;
}

static void lines(int master, int slave, int expected)
{
	struct pollfd p = { .fd = slave, .events = POLLIN };
	char b[128] = "";
	int n = -1;

	SHOW(write(master, "typed\n", 6));
	SHOW(poll(&p, 1, 5000));
	SHOW(ioctl(slave, FIONREAD, &n));
	printf("%d waiting\n", n);
	SHOW(read(slave, b, sizeof(b)));
	SHOW(write(slave, "printed\n", 8));
	SHOW(n = read_all(master, b, expected));
	for (int i = 0; i < n; i++)
		printf("%02x ", b[i]);
	puts("");
}

int main(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, n = -1;
	char name[64] = "";
	struct termios t;

	CHECK(master >= 0);
	SHOW(grantpt(master));
	SHOW(unlockpt(master));
	SHOW(ioctl(master, TIOCGPTN, &n));
	CHECK(ptsname_r(master, name, sizeof(name)) == 0 && n == atoi(name + 9));
	slave = open(name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	CHECK(ttyname(slave) && strcmp(ttyname(slave), name) == 0);
	lines(master, slave, 16); /* echo, and a carriage return in each line */
	settings(slave);
	lines(master, slave, 8);
	close(slave);
	SHOW(read(master, name, 1));
	SHOW(tcgetattr(open("text", O_RDONLY), &t));
	SHOW(ioctl(open("text", O_RDONLY), TIOCGWINSZ, &t));
	SHOW(ioctl(master, TCGETS, 8));
	SHOW(ioctl(999, TCGETS, &t));
	SHOW(ioctl(0, 0xdeadbeef, &t));
	return guest_end();
}
