#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "trace/escape.h"
#include "trace/manifest.h"
#include "vmm/cleanup.h"

static json_t *text(const char *s)
{
	cleanup_free char *t = s ? escape_bytes(s) : NULL;

	return t ? json_string(t) : s ? NULL : json_null();
}

static json_t *texts(char *const *v)
{
	json_t *a = json_array();

	for (; a && v && *v; v++) {
		if (json_array_append_new(a, text(*v))) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *time_pair(const struct timespec *ts)
{
	return json_pack("[II]", (json_int_t)ts->tv_sec, (json_int_t)ts->tv_nsec);
}

static json_t *cpu_object(const struct cpu_table *t)
{
	json_t *leaves = json_array();

	for (uint32_t i = 0; leaves && i < t->n; i++) {
		const struct kvm_cpuid_entry2 *e = &t->e[i];
		json_t *leaf = json_pack("[IIIIIII]", (json_int_t)e->function, (json_int_t)e->index,
					 (json_int_t)e->flags, (json_int_t)e->eax, (json_int_t)e->ebx,
					 (json_int_t)e->ecx, (json_int_t)e->edx);

		if (json_array_append_new(leaves, leaf)) {
			json_decref(leaves);
			return NULL;
		}
	}
	return leaves ? json_pack("{sI sI sI so}", "xcr0", (json_int_t)t->xcr0, "xsave_size", (json_int_t)t->xsave_size,
				  "patch", (json_int_t)t->patch, "leaves", leaves) : NULL;
}

static json_t *procs_array(const struct manifest *m)
{
	json_t *a = json_array();

	for (size_t i = 0; a && i < m->nprocs; i++) {
		const struct manifest_proc *p = &m->procs[i];
		json_t *o = json_pack("{si si si si so sb si sI}", "number",
				      p->number, "parent", p->parent, "pid", (int)p->pid, "ppid", (int)p->ppid, "comm",
				      text(p->comm), "ended", (int)p->ended, "status", p->status, "events",
				      (json_int_t)p->events);

		if (json_array_append_new(a, o)) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *addresses(const uint64_t *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_integer((json_int_t)v[i]));
	return a;
}

static json_t *manifest_object(const struct manifest *m)
{
	return json_pack("{si so so so so so so so so so sb so so so so sI sI so si}", "format", m->format, "sandrec",
			 text(m->sandrec ? m->sandrec : ""), "host", text(m->host), "kernel", text(m->kernel), "cwd",
			 text(m->cwd), "clock", text(m->clock ? m->clock : "none"), "argv", texts(m->argv), "envp",
			 texts(m->envp), "start", time_pair(&m->start), "end", time_pair(&m->end), "complete", (int)m->complete, "cut",
			 text(m->cut), "cpu", cpu_object(&m->cpu), "procs", procs_array(m), "chaos",
			 m->chaos ? json_integer((json_int_t)m->seed) : json_null(), "places", (json_int_t)m->places, "switches",
			 (json_int_t)m->switches, "met", addresses(m->met, m->nmet),
			 "known_as", (int)m->known_as);
}

static int write_text(int fd, const char *s)
{
	for (size_t len = strlen(s); len;) {
		ssize_t n = write(fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

int manifest_write(int dirfd, const struct manifest *m)
{
	json_t *o = manifest_object(m);
	cleanup_free char *s = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	char tmp[64];
	int ret;

	json_decref(o);
	if (!s)
		return -ENOMEM;
	snprintf(tmp, sizeof(tmp), MANIFEST_NAME ".tmp.%d", (int)getpid());
	unlinkat(dirfd, tmp, 0);

	cleanup_close int fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	ret = write_text(fd, s);
	if (!ret)
		ret = write_text(fd, "\n");
	if (!ret && renameat(dirfd, tmp, dirfd, MANIFEST_NAME))
		ret = -errno;
	if (ret)
		unlinkat(dirfd, tmp, 0);
	return ret;
}
