#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/ring.h"
#include "trace/ring_file.h"
#include "vmm/cleanup.h"

int ring_head_check(const struct ring_head *h, uint64_t file_size)
{
	if (memcmp(h->magic, RING_MAGIC, sizeof(h->magic)))
		return -EBADMSG;
	if (h->version > RING_VERSION)
		return -EPROTO;
	if (h->version != RING_VERSION || h->header != RING_HEADER || h->size < RING_SIZE_MIN ||
	    h->size > RING_SIZE_MAX || h->size & (h->size - 1) || file_size < RING_HEADER + h->size)
		return -EBADMSG;
	return 0;
}

static int pread_all(int fd, void *buf, size_t len, uint64_t off)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

int ring_file_read(int fd, uint64_t pos, void **bytes, size_t *len, uint64_t *tail)
{
	struct ring_head h;
	struct stat st;
	int ret;

	*bytes = NULL;
	*len = 0;
	if (fstat(fd, &st))
		return -errno;
	ret = pread_all(fd, &h, sizeof(h), 0);
	if (!ret)
		ret = ring_head_check(&h, (uint64_t)st.st_size);
	if (ret)
		return ret;
	if (h.tail > h.head || h.head - h.tail > h.size || h.head % 8 || h.tail % 8)
		return -EBADMSG;
	*tail = h.tail;
	if (pos < h.tail || pos > h.head || pos % 8)
		return -ERANGE;

	size_t total = h.head - pos;
	size_t at = pos & (h.size - 1);
	size_t first = total < h.size - at ? total : h.size - at;
	cleanup_free char *buf = malloc(total ? total : 1);

	if (!buf)
		return -ENOMEM;
	ret = pread_all(fd, buf, first, RING_HEADER + at);
	if (!ret)
		ret = pread_all(fd, buf + first, total - first, RING_HEADER);
	if (ret)
		return ret;

	/* A consumer still at work may have given the room away while we were reading. */
	ret = pread_all(fd, &h, sizeof(h), 0);
	if (ret)
		return ret;
	*tail = h.tail;
	if (h.tail > pos)
		return -ERANGE;
	*bytes = buf;
	*len = total;
	buf = NULL;
	return 0;
}
