/* Descriptors of maps that came by other roads than MAP_CREATE: their sizes are known all the same. */
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "bpf.h"

#define VALUE 600

/* The value's end is behind what anybody could guess. */
static void look(const char *how, int fd)
{
	unsigned char got[VALUE + 8];
	uint32_t key = 0;

	memset(got, 0xee, sizeof(got));
	printf("%s: ", how);
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, got, 0));
	printf("%08x, %02x behind it\n", sum_of(got, VALUE), got[VALUE]);
}

static int filled(void)
{
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, VALUE, 1, 0);
	unsigned char value[VALUE];
	uint32_t key = 0;

	for (unsigned i = 0; i < VALUE; i++)
		value[i] = (unsigned char)(i * 13);
	CHECK(elem(BPF_MAP_UPDATE_ELEM, fd, &key, value, 0) == 0);
	return fd;
}

static void send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK(sendmsg(sock, &m, 0) == 1);
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int fd = -1;

	CHECK(recvmsg(sock, &m, 0) == 1 && CMSG_FIRSTHDR(&m));
	if (CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static void by_message(void)
{
	int pair[2], fd;
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		send_fd(pair[1], filled());
		_exit(0);
	}
	fd = receive_fd(pair[0]);
	CHECK(waitpid(pid, NULL, 0) == pid);
	look("by a message", fd);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

static void by_id(int map)
{
	struct bpf_map_info info = { 0 };
	union attr a = { 0 };

	a.a.info.bpf_fd = (uint32_t)map;
	a.a.info.info_len = sizeof(info);
	a.a.info.info = ptr(&info);
	CHECK(bpf(BPF_OBJ_GET_INFO_BY_FD, &a, 16) == 0);
	memset(&a, 0, sizeof(a));
	a.a.map_id = info.id;
	look("by its number", bpf(BPF_MAP_GET_FD_BY_ID, &a, 12));
}

int main(int argc, char **argv)
{
	int map, high;
	char number[16];
	pid_t pid;

	if (argc > 1) {
		look("by exec", atoi(argv[1]));
		return guest_end();
	}
	map = filled();
	look("made here", map);
	high = fcntl(map, F_DUPFD, 100);
	look("duplicated", high);
	by_id(map);
	by_message();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		look("by fork", map);
		fflush(stdout);
		_exit(0);
	}
	CHECK(waitpid(pid, NULL, 0) == pid);
	fcntl(map, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", map);
	fflush(stdout);
	execl("/proc/self/exe", argv[0], number, NULL);
	return 1;
}
