/* sandrec doctor: what this machine offers, each thing with a verdict and what to do. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/message.h"
#include "trace/tracedir.h"
#include "vmm/selftest.h"

#define CHECKS_MAX (HOST_FACTS_MAX + 8)
#define SPACE_LOW (1ULL << 30)
#define FILES_LOW 256

struct options {
	bool json;
};

static const struct cli_option options[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "print a JSON object" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "doctor",
	.operands = "",
	.summary = "say what this machine offers, and what to do about the rest",
	.text = "The exit status is 0 when programs can be recorded and replayed here, else 1.",
	.options = options,
};

struct check {
	char name[32];
	enum verdict verdict;
	char text[200];
	char todo[200]; /* empty: nothing */
};

struct checkup {
	size_t n;
	struct check check[CHECKS_MAX];
	struct host_report report;
};

__attribute__((format(printf, 5, 6))) static void add(struct checkup *u, const char *name, enum verdict v,
						       const char *todo, const char *format, ...)
{
	struct check *c;
	va_list ap;

	if (u->n == CHECKS_MAX)
		return;
	c = &u->check[u->n++];
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->verdict = v;
	snprintf(c->todo, sizeof(c->todo), "%s", todo ? todo : "");
	va_start(ap, format);
	vsnprintf(c->text, sizeof(c->text), format, ap);
	va_end(ap);
}

static void check_kvm(struct checkup *u)
{
	struct kvm_host h = { .fd = -1 };
	char why[512] = "";
	char *todo;
	int rc = kvm_host_open(&h, why, sizeof(why));

	if (rc < 0) {
		todo = strchr(why, '\n');
		if (todo)
			*todo++ = '\0';
		add(u, "KVM", VERDICT_BAD, todo, "%s", why[0] ? why : strerror(-rc));
		return;
	}
	add(u, "KVM", VERDICT_GOOD, NULL, "/dev/kvm can be used");
	rc = host_selftest(&h, &u->report);
	for (unsigned i = 0; i < u->report.n && i < HOST_FACTS_MAX; i++)
		add(u, u->report.fact[i].name, u->report.fact[i].verdict, NULL, "%s", u->report.fact[i].text);
	if (rc < 0)
		add(u, "self-test", VERDICT_BAD, "check the kernel's log (dmesg) for messages of kvm",
		    "no virtual machine can be made: %s", strerror(-rc));
	kvm_host_close(&h);
}

static void check_bpf(struct checkup *u)
{
	union bpf_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = attr.value_size = sizeof(uint32_t);
	attr.max_entries = 1;
	fd = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	if (fd >= 0) {
		close((int)fd);
		add(u, "bpf", VERDICT_GOOD, NULL, "bpf(2) works for this user");
	} else if (errno == EPERM) {
		add(u, "bpf", VERDICT_LIMITED,
		    "only for programs that use it: CAP_BPF, or kernel.unprivileged_bpf_disabled=0",
		    "bpf(2) is not allowed for this user");
	} else {
		add(u, "bpf", VERDICT_LIMITED, "only for programs that use it: a kernel with CONFIG_BPF_SYSCALL",
		    "bpf(2): %s", strerror(errno));
	}
}

/* The file system of the traces, or of the first directory above that exists. */
static int find_space(char *path, struct statvfs *v)
{
	while (statvfs(path, v) < 0) {
		char *slash = strrchr(path, '/');

		if (errno != ENOENT || !slash)
			return -errno;
		if (slash == path)
			return statvfs("/", v) < 0 ? -errno : 0;
		*slash = '\0';
	}
	return 0;
}

static void check_space(struct checkup *u)
{
	char root[4096], path[4096], size[16];
	struct statvfs v;
	uint64_t avail;
	int rc = tracedir_root(root, sizeof(root), 0);

	if (rc < 0) {
		add(u, "trace directory", VERDICT_BAD, "set $SANDREC_TRACE_DIR or $HOME", "there is none: %s",
		    strerror(-rc));
		return;
	}
	snprintf(path, sizeof(path), "%s", root);
	rc = find_space(path, &v);
	if (rc < 0) {
		add(u, "trace directory", VERDICT_BAD, "set $SANDREC_TRACE_DIR to a directory of yours", "%s: %s", root,
		    strerror(-rc));
		return;
	}
	avail = (uint64_t)v.f_bavail * v.f_frsize;
	describe_size(avail, size, sizeof(size));
	if (access(path, W_OK) < 0)
		add(u, "trace directory", VERDICT_BAD, "set $SANDREC_TRACE_DIR to a directory of yours",
		    "%s cannot be written", path);
	else if (avail < SPACE_LOW)
		add(u, "trace directory", VERDICT_LIMITED, "remove recordings (sandrec rm) or set $SANDREC_TRACE_DIR",
		    "%s: only %s free", root, size);
	else
		add(u, "trace directory", VERDICT_GOOD, NULL, "%s: %s free", root, size);
}

static void check_limits(struct checkup *u)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	if (r.rlim_cur < FILES_LOW)
		add(u, "open files", VERDICT_LIMITED, "ulimit -n 1024",
		    "at most %" PRIu64 "; sandrec needs some of them", (uint64_t)r.rlim_cur);
	else
		add(u, "open files", VERDICT_GOOD, NULL, "at most %" PRIu64, (uint64_t)r.rlim_cur);
	if (!getrlimit(RLIMIT_AS, &r) && r.rlim_cur != RLIM_INFINITY)
		add(u, "address space", VERDICT_BAD, "ulimit -v unlimited",
		    "limited to %" PRIu64 " MiB: the guest's addresses are reserved at once",
		    (uint64_t)r.rlim_cur >> 20);
	if (!getrlimit(RLIMIT_FSIZE, &r) && r.rlim_cur != RLIM_INFINITY)
		add(u, "file size", VERDICT_LIMITED, "ulimit -f unlimited",
		    "limited to %" PRIu64 " MiB: longer recordings are cut", (uint64_t)r.rlim_cur >> 20);
}

static const char *verdict_word(enum verdict v)
{
	return v == VERDICT_GOOD ? "ok" : v == VERDICT_LIMITED ? "limited" : "bad";
}

static const char *verdict_colour(enum verdict v)
{
	return v == VERDICT_GOOD ? "\033[32m" : v == VERDICT_LIMITED ? "\033[33m" : "\033[31m";
}

static void print_text(const struct checkup *u, bool works)
{
	bool coloured = message_colour(STDOUT_FILENO);

	for (size_t i = 0; i < u->n; i++) {
		const struct check *c = &u->check[i];

		printf("%s%-7s%s  %-20s %s\n", coloured ? verdict_colour(c->verdict) : "", verdict_word(c->verdict),
		       coloured ? "\033[0m" : "", c->name, c->text);
		if (c->todo[0])
			printf("%9s%-20s -> %s\n", "", "", c->todo);
	}
	puts(works ? "\nPrograms can be recorded and replayed here." :
		     "\nPrograms cannot be recorded here yet: see what is bad above.");
}

static void print_json(const struct checkup *u, bool works)
{
	json_t *o = json_object(), *list = json_array();

	for (size_t i = 0; i < u->n; i++) {
		const struct check *c = &u->check[i];
		json_t *v = json_object();

		json_object_set_new(v, "name", json_string(c->name));
		json_object_set_new(v, "verdict", json_string(verdict_word(c->verdict)));
		json_object_set_new(v, "text", describe_text(c->text));
		if (c->todo[0])
			json_object_set_new(v, "todo", describe_text(c->todo));
		json_array_append_new(list, v);
	}
	json_object_set_new(o, "works", json_boolean(works));
	json_object_set_new(o, "checks", list);
	if (u->report.n) {
		json_object_set_new(o, "syscall_ns", json_real(u->report.syscall_ns));
		json_object_set_new(o, "exception_ns", json_real(u->report.exception_ns));
	}
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(o);
}

int cmd_doctor(int argc, char **argv)
{
	struct checkup *u;
	struct options o = { 0 };
	bool works = true;
	int first, status;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	u = calloc(1, sizeof(*u));
	if (!u)
		return STATUS_FAILED;
	check_kvm(u);
	check_bpf(u);
	check_space(u);
	check_limits(u);
	for (size_t i = 0; i < u->n; i++)
		if (u->check[i].verdict == VERDICT_BAD)
			works = false;
	if (o.json)
		print_json(u, works);
	else
		print_text(u, works);
	free(u);
	return works ? STATUS_OK : STATUS_FAILED;
}
