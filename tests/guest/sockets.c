/* Sockets whose both ends are in this process, local and over the loopback. */
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static void wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	CHECK(poll(&p, 1, 5000) == 1);
}

static void pairs(void)
{
	int s[2], type;
	socklen_t len = sizeof(type);
	char b[64] = "";

	SHOW(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
	SHOW(send(s[0], "stream", 6, 0));
	SHOW(recv(s[1], b, 3, MSG_PEEK));
	SHOW(recv(s[1], b, sizeof(b), 0));
	printf("'%s'\n", b);
	SHOW(recv(s[1], b, sizeof(b), MSG_DONTWAIT));
	SHOW(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &type, &len));
	printf("type %d len %u\n", type == SOCK_STREAM, len);
	SHOW(shutdown(s[0], SHUT_WR));
	SHOW(recv(s[1], b, sizeof(b), 0));
	SHOW(send(s[0], "x", 1, MSG_NOSIGNAL));
	close(s[0]);
	close(s[1]);
}

/* A descriptor and our credentials as control data. */
static void control(void)
{
	union { char buf[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr align; } u = { 0 };
	struct iovec iov = { "with fd", 7 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int s[2], one = 1, fd = open("text", O_RDONLY);
	char b[32] = "", line[16] = "";

	SHOW(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	SHOW(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	SHOW(sendmsg(s[0], &m, 0));
	close(fd);
	iov = (struct iovec){ b, sizeof(b) };
	m.msg_controllen = sizeof(u.buf);
	SHOW(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC));
	printf("flags %#x '%s'\n", m.msg_flags & ~MSG_CMSG_CLOEXEC, b);
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_type == SCM_CREDENTIALS)
			CHECK(((struct ucred *)CMSG_DATA(c))->pid == getpid());
		if (c->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		SHOW(read(fd, line, 5));
		printf("'%s'\n", line);
	}
	close(s[0]);
	close(s[1]);
}

static void many_messages(void)
{
	char in[3][16] = { "" };
	struct iovec out_iov[3] = { { "a", 1 }, { "bb", 2 }, { "ccc", 3 } }, in_iov[3];
	struct mmsghdr out[3] = { 0 }, got[3] = { 0 };
	struct timespec second = { 1, 0 };
	int s[2];

	SHOW(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
	for (int i = 0; i < 3; i++) {
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &out_iov[i], .msg_iovlen = 1 };
		in_iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
		got[i].msg_hdr = (struct msghdr){ .msg_iov = &in_iov[i], .msg_iovlen = 1 };
	}
	SHOW(sendmmsg(s[0], out, 3, 0));
	SHOW(recvmmsg(s[1], got, 3, MSG_WAITFORONE, &second));
	for (int i = 0; i < 3; i++)
		printf("%u sent, %u got '%s'\n", out[i].msg_len, got[i].msg_len, in[i]);
	close(s[0]);
	close(s[1]);
}

static void named(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "socket" }, peer = { 0 };
	socklen_t len = sizeof(peer);
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), s;

	SHOW(connect(c, (void *)&a, sizeof(a)));
	SHOW(bind(l, (void *)&a, sizeof(a)));
	SHOW(bind(l, (void *)&a, sizeof(a)));
	SHOW(listen(l, 1));
	SHOW(connect(c, (void *)&a, sizeof(a)));
	s = accept4(l, (void *)&peer, &len, SOCK_NONBLOCK);
	CHECK(s >= 0);
	printf("peer family %d len %u\n", peer.sun_family, len);
	len = sizeof(peer);
	SHOW(getpeername(c, (void *)&peer, &len));
	printf("%s\n", peer.sun_path);
	SHOW(recv(s, peer.sun_path, 1, 0));
	close(s);
	close(c);
	close(l);
}

static void tcp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, peer;
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), c, s, one = 1, error = -1;
	char b[64] = "";

	SHOW(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	SHOW(bind(l, (void *)&a, sizeof(a)));
	SHOW(getsockname(l, (void *)&a, &len));
	CHECK(a.sin_port != 0 && len == sizeof(a));
	SHOW(listen(l, 5));
	SHOW(accept(l, NULL, NULL));
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	SHOW(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	CHECK(connect(c, (void *)&a, sizeof(a)) == 0 || errno == EINPROGRESS);
	wait_for(l, POLLIN);
	len = sizeof(peer);
	s = accept(l, (void *)&peer, &len);
	CHECK(s >= 0 && peer.sin_addr.s_addr == a.sin_addr.s_addr);
	wait_for(c, POLLOUT);
	len = sizeof(error);
	SHOW(getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &len));
	printf("error %d\n", error);
	SHOW(writev(c, (struct iovec[]){ { "over ", 5 }, { "tcp", 3 } }, 2));
	wait_for(s, POLLIN);
	SHOW(recvfrom(s, b, sizeof(b), 0, NULL, NULL));
	printf("'%s'\n", b);
	close(c);
	wait_for(s, POLLIN);
	SHOW(read(s, b, 1));
	close(s);
	close(l);
}

static void udp(int family)
{
	struct sockaddr_storage a = { .ss_family = family }, from;
	socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6), from_len = sizeof(from);
	int s = socket(family, SOCK_DGRAM, 0);
	char b[64] = "";

	if (family == AF_INET)
		((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_loopback;
	if (s < 0 || bind(s, (void *)&a, len)) {
		printf("family %d: %s\n", family, strerrorname_np(errno));
		return;
	}
	SHOW(getsockname(s, (void *)&a, &len));
	SHOW(sendto(s, "datagram", 8, 0, (void *)&a, len));
	wait_for(s, POLLIN);
	SHOW(recvfrom(s, b, 4, MSG_TRUNC, (void *)&from, &from_len));
	printf("'%s' from self: %d\n", b, from_len == len && memcmp(&from, &a, len) == 0);
	close(s);
}

int main(void)
{
	pairs();
	control();
	many_messages();
	named();
	tcp();
	udp(AF_INET);
	udp(AF_INET6);
	SHOW(socket(12345, SOCK_STREAM, 0));
	SHOW(connect(0, (void *)8, 16));
	return guest_end();
}
