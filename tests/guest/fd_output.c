/* Output takes many roads to the original stdout; a replay has to repeat what went there, and only that. */
#include "guest.h"
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static void say(int fd, const char *s)
{
	CHECK(write(fd, s, strlen(s)) == (ssize_t)strlen(s));
}

static int file_with(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	say(fd, text);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void duplicates(void)
{
	int saved = fcntl(1, F_DUPFD, 20), file = file_with("hidden", "");

	say(dup(1), "through dup\n");
	say(dup2(1, 30), "through dup2\n");
	say(saved, "through F_DUPFD\n");
	CHECK(dup2(file, 1) == 1);
	say(1, "into the file, not to be seen\n");
	CHECK(dup2(saved, 1) == 1);
	say(1, "stdout is back\n");
	close(1);
	CHECK(dup(saved) == 1);
	say(1, "and again\n");
	close_range(20, 30, 0);
	say(1, "after close_range\n");
	say(2, "to stderr\n");
	CHECK(dup2(2, 33) == 33);
	say(33, "to stderr through dup2\n");
	close(33);
	close(file);
}

static void moved(void)
{
	int file = file_with("source", "sendfile one\nsendfile two\nrest\n"), tube[2];
	off_t off = 13;
	off64_t at = 0;

	CHECK(sendfile(1, file, NULL, 13) == 13);
	CHECK(lseek(file, 0, SEEK_CUR) == 13);
	CHECK(sendfile(1, file, &off, 13) == 13 && off == 26);
	CHECK(lseek(file, 0, SEEK_CUR) == 13);
	off = 26;
	CHECK(sendfile(1, file, &off, 4096) == 5 && off == 31);
	CHECK(sendfile(1, file, &off, 4096) == 0);
	off = -1;
	CHECK(sendfile(1, file, &off, 1) == -1 && errno == EINVAL);
	CHECK(sendfile(1, 99, NULL, 1) == -1 && errno == EBADF);

	CHECK(pipe2(tube, O_CLOEXEC) == 0);
	say(tube[1], "spliced\nleft\n");
	CHECK(splice(tube[0], NULL, 1, NULL, 8, 0) == 8);
	CHECK(splice(tube[0], NULL, 1, NULL, 100, 0) == 5);
	CHECK(splice(tube[0], NULL, 1, NULL, 100, SPLICE_F_NONBLOCK) == -1 && errno == EAGAIN);
	CHECK(splice(tube[0], &at, 1, NULL, 100, 0) == -1 && errno == ESPIPE);
	at = 0;
	CHECK(splice(file, &at, tube[1], NULL, 9, 0) == 9 && at == 9);
	CHECK(splice(tube[0], NULL, 1, NULL, 9, 0) == 9);
	say(1, "\n");
	close(tube[0]);
	close(tube[1]);
	close(file);
}

/* Stdout may be a pipe, a file or a terminal: only the bytes that arrive are the same, not the way. */
static void by_kind(void)
{
	int file = file_with("ranges", "by whatever works\n"), tube[2];
	struct iovec v[2] = { { "vm", 2 }, { "spliced\n", 8 } };
	ssize_t n = copy_file_range(file, NULL, 1, NULL, 18, 0);

	if (n < 18)
		say(1, "by whatever works\n" + (n < 0 ? 0 : n));
	if (vmsplice(1, v, 2, 0) != 10)
		CHECK(writev(1, v, 2) == 10);
	CHECK(pipe2(tube, O_CLOEXEC) == 0);
	say(tube[1], "teed\n");
	if (tee(tube[0], 1, 5, 0) != 5)
		say(1, "teed\n");
	CHECK(splice(tube[0], NULL, 1, NULL, 5, 0) == 5);
	CHECK(writev(1, v, 2) == 10);
}

static void passed(void)
{
	int pair[2], fd = 1, got = -1;
	char one = 'x', control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec v = { &one, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK(sendmsg(pair[0], &m, 0) == 1);
	CHECK(recvmsg(pair[1], &m, 0) == 1);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
	CHECK(got > 2);
	say(got, "through a descriptor from a message\n");
	fd = 12345;
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
	CHECK(sendmsg(pair[0], &m, 0) == -1 && errno == EBADF);
	close(got);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	duplicates();
	moved();
	by_kind();
	passed();
	return guest_end();
}
