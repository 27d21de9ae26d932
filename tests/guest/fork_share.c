/* What a child inherits, what passes between processes by descriptors and signals, and what stays apart. */
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "proctest.h"

static int inherited(void)
{
	struct rlimit lim;
	char cwd[4096];
	mode_t mask = umask(0);

	CHECK(getrlimit(RLIMIT_NOFILE, &lim) == 0 && getcwd(cwd, sizeof(cwd)));
	printf("cwd %s, umask %03o, files %lu, VAR=%s\n", cwd, mask, (unsigned long)lim.rlim_cur, getenv("VAR"));
	return chdir("/usr") | setenv("VAR", "changed", 1);
}

static void attributes(void)
{
	const struct rlimit lim = { 100, 200 };
	char cwd[4096];

	CHECK(chdir("/etc") == 0 && setrlimit(RLIMIT_NOFILE, &lim) == 0 && setenv("VAR", "value", 1) == 0);
	umask(037);
	in_child("inherits", inherited);
	printf("still %s, %s\n", getcwd(cwd, sizeof(cwd)), getenv("VAR"));
}

static int private_value = 1;

static void memory(void)
{
	char *heap = malloc(100000), *mapped, *kept;

	memset(heap, 'h', 100000);
	mapped = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	kept = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(mapped, 'm', 4 << 20);
	memset(kept, 'k', 8192);
	CHECK(madvise(kept, 4096, MADV_WIPEONFORK) == 0);
	pid_t pid = fork();

	if (pid == 0) {
		memset(mapped, 'x', 4 << 20);
		heap[5] = 'x';
		private_value = 2;
		CHECK(mprotect(heap + 50000 - (uintptr_t)(heap + 50000) % 4096, 4096, PROT_READ) == 0);
		munmap(mapped, 1 << 20);
		_exit(kept[0] * 10 + (kept[4096] == 'k'));
	}
	show_end("copy", pid);
	printf("%c %c %d %u\n", heap[5], mapped[77], private_value, sum_of(mapped, 4 << 20));
	heap[50000] = 'y';
	munmap(mapped, 4 << 20);
}

static void send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "", c = 'f';
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	CHECK(sendmsg(sock, &m, 0) == 1);
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], c;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int fd = -1;

	CHECK(recvmsg(sock, &m, MSG_CMSG_CLOEXEC) == 1);
	if (CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static void descriptors(void)
{
	char text[30] = "";
	int s[2], fd, p[2];
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(p) == 0);
	pid = fork();
	if (pid == 0) {
		fd = memfd_create("passed", 0);
		CHECK(write(fd, "made by the child", 17) == 17);
		send_fd(s[1], fd);
		fd = receive_fd(s[1]);
		_exit(write(fd, "over a passed pipe", 18) == 18 ? 0 : 1);
	}
	fd = receive_fd(s[0]);
	CHECK(pread(fd, text, sizeof(text) - 1, 0) == 17);
	puts(text);
	SHOW(lseek(fd, 0, SEEK_CUR)); /* one open file */
	send_fd(s[0], p[1]);
	memset(text, 0, sizeof(text));
	CHECK(read(p[0], text, sizeof(text)) == 18);
	puts(text);
	show_end("passes descriptors", pid);
}

/* One file position for parent and child. */
static void one_position(void)
{
	int fd = open("/etc/passwd", O_RDONLY);
	char c[10];
	pid_t pid = fork();

	if (pid == 0)
		_exit(read(fd, c, 10) == 10 ? 0 : 1);
	show_end("reads ten", pid);
	SHOW(lseek(fd, 0, SEEK_CUR));
	close(fd);
}

static void ping_pong(void)
{
	int to[2], from[2], n = 0;
	pid_t pid;

	CHECK(pipe(to) == 0 && pipe(from) == 0);
	pid = fork();
	if (pid == 0) {
		close(to[1]);
		while (read(to[0], &n, sizeof(n)) == sizeof(n)) {
			n += 3;
			if (write(from[1], &n, sizeof(n)) != sizeof(n))
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 300; i++) {
		CHECK(write(to[1], &n, sizeof(n)) == sizeof(n));
		CHECK(read(from[0], &n, sizeof(n)) == sizeof(n));
	}
	close(to[1]);
	show_end("ping-pong", pid);
	printf("n = %d\n", n);
}

int main(void)
{
	by_line();
	descriptors();
	one_position();
	ping_pong();
	memory();
	attributes();
	return guest_end();
}
