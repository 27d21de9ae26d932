/*
 * Changes a recorded trace, to prove that replay notices: the result is a well-formed trace that says something else
 * (flip excepted).
 *
 *	trace_edit TRACE drop N               removes event N with its data
 *	trace_edit TRACE setreg N REG VALUE   changes a register of event N
 *	trace_edit TRACE flip OFFSET          flips a bit of the stream file; a negative offset counts from its end
 *	trace_edit TRACE version N            says that the trace has format N
 *
 * All but flip of a trace with a left-behind ring put the ring's records into the stream.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "trace/manifest.h"
#include "trace/record.h"
#include "trace/stream_file.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

static int dirfd_;
static char stream_name[64], ring_name[64];

__attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("trace_edit: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	exit(1);
}

/* The stream of the process that was started. */
static void find_stream(void)
{
	snprintf(stream_name, sizeof(stream_name), TRACE_STREAM_NAME, 1);
	snprintf(ring_name, sizeof(ring_name), TRACE_RING_NAME, 1);
	if (faccessat(dirfd_, stream_name, F_OK, 0) < 0)
		die("no event stream");
}

/* ---- events ---- */

struct out {
	struct stream_writer *w;
	struct regs_cache regs;
	char *buf;
	size_t len;
};

static void *room(struct out *o, uint32_t size)
{
	if (o->len + size > STREAM_FRAME_SIZE) {
		int ret = stream_write(o->w, o->buf, o->len);

		if (ret)
			die("writing: %s", strerror(-ret));
		o->len = 0;
	}
	void *p = o->buf + o->len;

	o->len += size;
	return p;
}

static void copy_event(struct out *o, struct stream_reader *s, struct event *ev)
{
	struct event_data d;
	struct rec_plan plan = record_plan_event(&o->regs, ev);

	record_put_event(&o->regs, ev, plan, room(o, plan.size));
	for (uint32_t off = 0; ev->annex_len > EVENT_DATA_MAX && off < ev->annex_len; off += EVENT_DATA_MAX) {
		uint32_t len = ev->annex_len - off < EVENT_DATA_MAX ? ev->annex_len - off : EVENT_DATA_MAX;

		record_put_annex(room(o, record_annex_size(len)), (const char *)ev->annex + off, len, off);
	}
	while (stream_data(s, &d) == 1)
		record_put_data(room(o, record_data_size(d.len)), d.addr, d.bytes, d.len, d.kind);
}

/* Rewrites the stream without event `drop`, and with register `reg` of event `set` changed. */
static void rewrite(uint64_t drop, uint64_t set, unsigned reg, uint64_t value)
{
	struct out *o = calloc(1, sizeof(*o));
	struct stream_reader *s;
	struct event ev;
	uint64_t n = 0, target = drop != UINT64_MAX ? drop : set;
	int ret = stream_reader_open(dirfd_, stream_name, ring_name, &s);

	if (ret)
		die("%s: %s", stream_name, s ? stream_reader_error(s) : strerror(-ret));
	if (target >= stream_events(s))
		die("there are only %" PRIu64 " events", stream_events(s));
	o->buf = malloc(STREAM_FRAME_SIZE);
	unlinkat(dirfd_, "edited", 0);
	if (!o->buf || stream_writer_open(dirfd_, "edited", &o->w))
		die("cannot write into the trace");
	while ((ret = stream_next(s, &ev)) == 1) {
		if (ev.index == drop)
			continue;
		if (ev.index == set)
			ev.regs.r[reg] = value;
		ev.index = n++;
		copy_event(o, s, &ev);
	}
	if (ret)
		die("%s", stream_reader_error(s));
	ret = stream_write(o->w, o->buf, o->len);
	if (!ret)
		ret = stream_writer_close(o->w);
	if (ret || renameat(dirfd_, "edited", dirfd_, stream_name))
		die("writing failed");
	unlinkat(dirfd_, ring_name, 0);
	stream_reader_close(s);
	free(o->buf);
	free(o);
}

/* ---- bytes ---- */

static void flip(off_t off)
{
	cleanup_close int fd = openat(dirfd_, stream_name, O_RDWR);
	off_t size = lseek(fd, 0, SEEK_END);
	unsigned char c;

	if (off < 0)
		off += size;
	if (fd < 0 || off < 0 || off >= size || pread(fd, &c, 1, off) != 1)
		die("no such byte");
	c ^= 1;
	if (pwrite(fd, &c, 1, off) != 1)
		die("writing: %s", strerror(errno));
}

static void set_version(uint32_t version)
{
	cleanup_close int fd = openat(dirfd_, stream_name, O_RDWR);
	cleanup_close int manifest = openat(dirfd_, MANIFEST_NAME, O_RDWR);
	struct stream_head h;
	json_t *o = json_loadfd(manifest, 0, NULL);

	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || !o)
		die("no trace");
	h.format = version;
	h.sum = stream_head_sum(&h);
	json_object_set_new(o, "format", json_integer(version));
	if (pwrite(fd, &h, sizeof(h), 0) != sizeof(h) || ftruncate(manifest, 0) || lseek(manifest, 0, SEEK_SET) ||
	    json_dumpfd(o, manifest, JSON_INDENT(1)))
		die("writing: %s", strerror(errno));
	json_decref(o);
}

static unsigned reg_named(const char *name)
{
	for (unsigned i = 0; i < GUEST_NREGS; i++) {
		if (!strcmp(guest_reg_name[i], name))
			return i;
	}
	die("no register %s", name);
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[2] : "";

	dirfd_ = argc > 3 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;
	if (dirfd_ < 0)
		die("usage: trace_edit TRACE drop N | setreg N REG VALUE | flip OFFSET | version N");
	find_stream();
	if (!strcmp(what, "drop"))
		rewrite(strtoull(argv[3], NULL, 0), UINT64_MAX, 0, 0);
	else if (!strcmp(what, "setreg") && argc == 6)
		rewrite(UINT64_MAX, strtoull(argv[3], NULL, 0), reg_named(argv[4]), strtoull(argv[5], NULL, 0));
	else if (!strcmp(what, "flip"))
		flip((off_t)strtoll(argv[3], NULL, 0));
	else if (!strcmp(what, "version"))
		set_version((uint32_t)strtoul(argv[3], NULL, 0));
	else
		die("cannot %s", what);
	close(dirfd_);
	return 0;
}
