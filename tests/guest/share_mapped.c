/* Processes that map one file each by themselves, after the fork, and one that gets it as a descriptor by a socket. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
	atomic_int step;
	char text[64];
};

static struct shared *map(int fd)
{
	struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return s == MAP_FAILED ? NULL : s;
}

static void wait_for(struct shared *s, int step)
{
	while (atomic_load(&s->step) < step)
		usleep(1000);
}

static void by_name(const char *path, int me)
{
	struct shared *s = map(open(path, O_RDWR));
	char word[16];

	wait_for(s, me);
	snprintf(word, sizeof(word), "%d ", me);
	strcat(s->text, word);
	atomic_fetch_add(&s->step, 1);
	_exit(0);
}

static int receive(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(sock, &m, 0) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static void send_fd(int sock, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(sock, &m, 0) != 1)
		perror("sendmsg");
}

int main(void)
{
	char path[] = "shared-file";
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), pair[2], status;
	struct shared *s;

	if (fd < 0 || ftruncate(fd, 4096) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return 1;
	for (int i = 0; i < 4; i++)
		if (fork() == 0)
			by_name(path, i);
	while (wait(&status) > 0)
		printf("child %#x\n", status);
	s = map(fd);
	printf("by name: step %d, %s\n", atomic_load(&s->step), s->text);
	fflush(stdout);

	if (fork() == 0) {
		struct shared *mine = map(receive(pair[1]));

		wait_for(mine, 1);
		strcpy(mine->text, "through the socket");
		atomic_store(&mine->step, 2);
		_exit(0);
	}
	fd = memfd_create("sent", 0);
	if (ftruncate(fd, 4096) < 0)
		return 1;
	s = map(fd);
	send_fd(pair[0], fd);
	atomic_store(&s->step, 1);
	wait_for(s, 2);
	printf("by descriptor: %s\n", s->text);
	wait(NULL);
	unlink(path);
	return 0;
}
