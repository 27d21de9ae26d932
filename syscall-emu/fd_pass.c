/*
 * Descriptors inside messages: SCM_RIGHTS names descriptors by number in memory, where the check of a call's arguments does
 * not see them. Ours must not leave this way.
 */
#include "syscall-emu/fdtable.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "vmm/cleanup.h"

#define CONTROL_MAX (256u << 10) /* above net.core.optmem_max of any kernel: ENOBUFS there too */

static bool control_names_ours(const char *buf, size_t len)
{
	size_t at = 0;

	while (len - at >= sizeof(struct cmsghdr)) {
		struct cmsghdr c;

		memcpy(&c, buf + at, sizeof(c));
		if (c.cmsg_len < sizeof(c) || c.cmsg_len > len - at)
			return false;
		for (size_t i = sizeof(c); c.cmsg_level == SOL_SOCKET && c.cmsg_type == SCM_RIGHTS &&
		     i + sizeof(int) <= c.cmsg_len; i += sizeof(int)) {
			int fd;

			memcpy(&fd, buf + at + i, sizeof(fd));
			if (fd_is_ours(fd))
				return true;
		}
		if (CMSG_ALIGN(c.cmsg_len) > len - at)
			return false;
		at += CMSG_ALIGN(c.cmsg_len);
	}
	return false;
}

/* The engine's copy of the argument's object, in which pointers may be changed. */
static struct plan_region *object(struct plan *p, unsigned arg)
{
	for (uint32_t i = 0; i < p->nregions; i++)
		if (p->region[i].copy && p->region[i].mem->arg == arg && p->arg[arg] == p->region[i].addr &&
		    p->region[i].parent == ~(uint64_t)0)
			return &p->region[i];
	return NULL;
}

struct control {
	struct msghdr *msg;  /* in the engine's copy */
	void *guest;         /* the pointer the guest gave */
	char *copy;
};

/* Takes a message's control data into a copy, so that what was checked is what is sent. 0 or a negative errno. */
static int take(struct control *c, struct msghdr *msg)
{
	*c = (struct control){ .msg = msg, .guest = msg->msg_control };
	if (!msg->msg_control || !msg->msg_controllen)
		return 0;
	if (msg->msg_controllen > CONTROL_MAX)
		return -ENOBUFS;
	c->copy = malloc(msg->msg_controllen);
	if (!c->copy)
		return -ENOBUFS;
	if (guest_read(c->copy, (uint64_t)(uintptr_t)c->guest, msg->msg_controllen) < 0)
		return -EFAULT;
	return control_names_ours(c->copy, msg->msg_controllen) ? -EBADF : 0;
}

/* While Linux looks at the message it sees our copy; the guest's object keeps the guest's pointer. */
static void point(struct control *c, bool ours)
{
	if (c->copy)
		c->msg->msg_control = ours ? c->copy : c->guest;
}

int64_t do_sendmsg(struct task *t, struct plan *p)
{
	struct plan_region *r = object(p, 1);
	struct control c;
	int64_t ret;

	if (!r || r->cap < sizeof(struct msghdr))
		return plan_forward(p, t);
	ret = take(&c, r->copy);
	if (ret == 0) {
		point(&c, true);
		ret = plan_forward(p, t);
		point(&c, false);
	}
	free(c.copy);
	return ret;
}

int64_t do_sendmmsg(struct task *t, struct plan *p)
{
	struct plan_region *r = object(p, 1);
	size_t n = r ? r->cap / sizeof(struct mmsghdr) : 0, good;
	cleanup_free struct control *c = NULL;
	int64_t ret = 0;

	if (!n)
		return plan_forward(p, t);
	c = calloc(n, sizeof(*c));
	if (!c)
		return -ENOBUFS;
	for (good = 0; good < n; good++) {
		ret = take(&c[good], &((struct mmsghdr *)r->copy)[good].msg_hdr);
		if (ret < 0)
			break;
	}
	/* The messages before the first bad one are sent; its error only shows when there are none. */
	if (good) {
		for (size_t i = 0; i < good; i++)
			point(&c[i], true);
		p->host_arg[2] = good;
		ret = plan_forward(p, t);
		for (size_t i = 0; i < good; i++)
			point(&c[i], false);
	}
	for (size_t i = 0; i < n; i++)
		free(c[i].copy);
	return ret;
}
