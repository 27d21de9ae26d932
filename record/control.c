/* The connection of guest processes and supervisor. Contract: control.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "record/control.h"
#include "syscall-emu/fd.h"
#include "vmm/proc_self.h"

int control_create(int *supervisor, int *guests)
{
	int ends[2], on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
		int err = errno;

		close(ends[0]);
		close(ends[1]);
		return -err;
	}
	*supervisor = ends[0];
	*guests = ends[1];
	return 0;
}

union ancillary {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * CONTROL_FDS) + CMSG_SPACE(sizeof(struct ucred))];
};

int control_send(int fd, const void *message, size_t len, const int *fds, unsigned nfds)
{
	union ancillary a = { 0 };
	struct iovec v = { (void *)message, len };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n;

	if (nfds) {
		struct cmsghdr *c;

		h.msg_control = &a;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	while ((n = sendmsg(fd, &h, MSG_NOSIGNAL)) < 0 && errno == EINTR)
		;
	if (n < 0)
		return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
	return 0;
}

static void take_ancillary(struct msghdr *h, int fds[CONTROL_FDS], pid_t *sender)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && sender) {
			struct ucred u;

			memcpy(&u, CMSG_DATA(c), sizeof(u));
			*sender = u.pid;
		}
	}
}

int control_leave_vm(int control, const struct control_message *m, int vm_fd)
{
	int rc = vm_fd < 0 ? -EBADF : control_send(control, m, sizeof(*m), &vm_fd, 1);

	return rc == 0 || rc == -EPIPE || m->type == CONTROL_VM ? rc : control_send(control, m, sizeof(*m), NULL, 0);
}

/* flags: of recvmsg. Returns as control_receive(), or -EAGAIN. */
static int receive(int fd, void *message, size_t len, int fds[CONTROL_FDS], pid_t *sender, int flags)
{
	union ancillary a;
	struct iovec v = { message, len };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &a, .msg_controllen = sizeof(a) };
	ssize_t n;

	for (unsigned i = 0; i < CONTROL_FDS; i++)
		fds[i] = -1;
	if (sender)
		*sender = 0;
	/* An end that was closed with messages in it that nobody has read is told once, before those from it that are left. */
	while ((n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC | flags)) < 0 && (errno == EINTR || errno == ECONNRESET))
		;
	if (n < 0)
		return -errno;
	if (n == 0)
		return 0;
	take_ancillary(&h, fds, sender);
	return n == (ssize_t)len && !(h.msg_flags & MSG_TRUNC) ? 1 : -EBADMSG;
}

int control_receive(int fd, void *message, size_t len, int fds[CONTROL_FDS], pid_t *sender)
{
	return receive(fd, message, len, fds, sender, 0);
}

static int next_ring(int control, struct control_ring *r, int fds[CONTROL_FDS])
{
	const struct control_message want = { .type = CONTROL_WANT };
	int rc = receive(control, r, sizeof(*r), fds, NULL, MSG_DONTWAIT);

	if (rc != -EAGAIN)
		return rc;
	rc = control_send(control, &want, sizeof(want), NULL, 0);
	return rc < 0 ? rc : receive(control, r, sizeof(*r), fds, NULL, 0);
}

int control_take_ring(int control, int *ring_fd)
{
	int fds[CONTROL_FDS], rc;
	struct control_ring r;
	struct rlimit limit;

	nofile_lift(&limit);
	rc = next_ring(control, &r, fds);
	nofile_restore(&limit);
	if (rc <= 0)
		return rc < 0 ? rc : -EPIPE;
	if (r.error)
		return r.error;
	if (fds[0] < 0)
		return -EMFILE;
	*ring_fd = fd_hide(fds[0]);
	if (*ring_fd >= 0)
		return r.number;
	close(fds[0]);
	return *ring_fd;
}

static int ask_to_store(int control, int fd, int to, int from, struct control_stored *s)
{
	const struct control_message m = { .type = CONTROL_STORE };
	const int fds[CONTROL_FDS] = { fd, to };
	int none[CONTROL_FDS], rc = control_send(control, &m, sizeof(m), fds, CONTROL_FDS);

	close(to); /* the supervisor's copy is the only one now: its end ends our waiting */
	if (rc == 0)
		rc = control_receive(from, s, sizeof(*s), none, NULL);
	return rc < 0 ? rc : rc == 0 ? -EPIPE : s->error;
}

int control_store(int control, int fd, struct file_ref *ref)
{
	struct control_stored s;
	struct rlimit limit;
	int ends[2], rc;

	nofile_lift(&limit);
	rc = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
	nofile_restore(&limit);
	if (rc < 0)
		return rc;
	rc = ask_to_store(control, fd, ends[1], ends[0], &s);
	close(ends[0]);
	if (rc == 0)
		*ref = s.ref;
	return rc;
}
