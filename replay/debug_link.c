/* Messages between debugger and debuggee. Contract: debug_link.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "replay/debug_link.h"

union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

int link_send(int sock, const void *head, size_t head_len, const void *bytes, size_t len, int fd)
{
	struct iovec v[2] = { { (void *)(uintptr_t)head, head_len }, { (void *)(uintptr_t)bytes, len } };
	union control c = { 0 };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = len ? 2 : 1 };
	ssize_t n;

	if (fd >= 0) {
		m.msg_control = &c;
		m.msg_controllen = sizeof(c);
		c.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(fd)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&c.head), &fd, sizeof(fd));
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

ssize_t link_receive(int sock, void *head, size_t head_len, void *bytes, size_t len, int *fd)
{
	struct iovec v[2] = { { head, head_len }, { bytes, len } };
	union control c = { 0 };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = len ? 2 : 1, .msg_control = &c, .msg_controllen = sizeof(c) };
	ssize_t n;

	if (fd)
		*fd = -1;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	if ((size_t)n < head_len || m.msg_flags & MSG_TRUNC)
		return -EBADMSG;
	if (fd && m.msg_controllen >= sizeof(struct cmsghdr) && CMSG_FIRSTHDR(&m) && CMSG_FIRSTHDR(&m)->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(*fd));
	return n;
}
