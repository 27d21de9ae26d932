/*
 * The texts of /proc/self files that mix what is true of the guest with what is true of the VMM: the kernel's text with
 * the VMM's part exchanged. Formats: proc(5), Linux fs/proc/array.c and task_mmu.c.
 */
#include "syscall-emu/procfs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "syscall-emu/mm.h"
#include "vmm/cleanup.h"
#include "vmm/layout.h"

#define SMAPS_KEYS 32

static void count_fd(void *arg, long fd)
{
	unsigned *size = arg;

	/* The kernel's: a power of two above the highest descriptor. */
	while (fd >= *size && !fd_is_ours((int)fd))
		*size *= 2;
}

struct thread_count { struct fdtable *f; unsigned n; };

static void count_thread(void *arg, long tid)
{
	struct thread_count *c = arg;

	c->n += !proc_thread_hidden(c->f, tid);
}

static void view_numbers(struct fdtable *f, struct proc_view *v)
{
	struct thread_count c = { .f = f };

	v->fdsize = 64;
	proc_numbers(f, "thread-self/fd", count_fd, &v->fdsize);
	v->threads = proc_numbers(f, "self/task", count_thread, &c) < 0 || !c.n ? 1 : c.n;
}

static void view_memory(const struct process *p, struct proc_view *v)
{
	for (const struct vma *m = mm_next(p->mm, NULL); m; m = mm_next(p->mm, m)) {
		uint64_t len = m->end - m->start;
		bool private_write = (m->prot & PROT_WRITE) && !(m->flags & MAP_SHARED);

		v->size += len;
		if (m->flags & MAP_GROWSDOWN || (m->name && !strcmp(m->name, "[stack]")))
			v->stack += len;
		else if (private_write)
			v->data += len;
		else if ((m->prot & PROT_EXEC) && !(m->flags & MAP_SHARED)) {
			if (m->start <= p->start_code && p->start_code < m->end)
				v->exe += len;
			else
				v->lib += len;
		}
		if (m->name && !strcmp(m->name, "[heap]") && (!v->start_brk || m->start < v->start_brk))
			v->start_brk = m->start;
	}
}

void proc_view_fill(struct task *t, struct proc_view *v)
{
	const struct process *p = t->proc;

	*v = (struct proc_view){
		.sigblk = t->mask,
		.start_code = p->start_code, .end_code = p->end_code, .start_stack = p->start_stack,
		.start_data = p->start_data, .end_data = p->end_data, .arg_start = p->arg_start, .arg_end = p->arg_end,
		.env_start = p->env_start, .env_end = p->env_end,
		.seccomp = t->seccomp.mode, .seccomp_filters = t->seccomp.count,
	};
	for (int sig = 1; sig <= 64; sig++) {
		uint64_t h = p->action[sig].handler, bit = 1ULL << (sig - 1);

		if (h == (uint64_t)(uintptr_t)SIG_IGN)
			v->sigign |= bit;
		else if (h != (uint64_t)(uintptr_t)SIG_DFL)
			v->sigcgt |= bit;
	}
	view_numbers(p->fds, v);
	view_memory(p, v);
}

/* ---- status ---- */

/* The program would have sandrec's filters too, if there are any. */
static bool seccomp_line(FILE *out, const char *key, size_t n, const struct proc_view *v)
{
	if (n == 7 && !memcmp(key, "Seccomp", n) && v->seccomp) {
		fprintf(out, "Seccomp:\t%u\n", v->seccomp);
		return true;
	}
	if (n == 15 && !memcmp(key, "Seccomp_filters", n) && v->seccomp_filters) {
		fprintf(out, "Seccomp_filters:\t%lu\n", strtoul(key + n + 1, NULL, 10) + v->seccomp_filters);
		return true;
	}
	return false;
}

static bool status_line(FILE *out, const char *key, size_t n, const struct proc_view *v)
{
	const struct { const char *key; uint64_t value; bool mask; } lines[] = {
		{ "VmPeak", v->size, false }, { "VmSize", v->size, false }, { "VmData", v->data, false },
		{ "VmStk", v->stack, false }, { "VmExe", v->exe, false }, { "VmLib", v->lib, false },
		{ "SigBlk", v->sigblk, true }, { "SigIgn", v->sigign, true }, { "SigCgt", v->sigcgt, true },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (strlen(lines[i].key) != n || memcmp(lines[i].key, key, n))
			continue;
		if (lines[i].mask)
			fprintf(out, "%s:\t%016" PRIx64 "\n", lines[i].key, lines[i].value);
		else
			fprintf(out, "%s:\t%8" PRIu64 " kB\n", lines[i].key, lines[i].value / 1024);
		return true;
	}
	if (n == 6 && !memcmp(key, "FDSize", n)) {
		fprintf(out, "FDSize:\t%u\n", v->fdsize);
		return true;
	}
	if (n == 7 && !memcmp(key, "Threads", n)) {
		fprintf(out, "Threads:\t%u\n", v->threads);
		return true;
	}
	return seccomp_line(out, key, n, v);
}

void proc_patch_status(FILE *out, const char *text, const struct proc_view *v)
{
	while (*text) {
		size_t len = strcspn(text, "\n"), key = strcspn(text, ":\n");

		if (!status_line(out, text, key, v)) {
			fwrite(text, 1, len, out);
			fputc('\n', out);
		}
		text += len + (text[len] == '\n');
	}
}

/* ---- stat ---- */

static bool stat_field(int field, const struct proc_view *v, uint64_t *value)
{
	const uint64_t low = 0x7fffffff; /* as the kernel cuts signal sets here */

	switch (field) {
	case 20: *value = v->threads; return true;
	case 23: *value = v->size; return true;
	case 26: *value = v->start_code; return true;
	case 27: *value = v->end_code; return true;
	case 28: *value = v->start_stack; return true;
	case 32: *value = v->sigblk & low; return true;
	case 33: *value = v->sigign & low; return true;
	case 34: *value = v->sigcgt & low; return true;
	case 45: *value = v->start_data; return true;
	case 46: *value = v->end_data; return true;
	case 47: *value = v->start_brk; return true;
	case 48: *value = v->arg_start; return true;
	case 49: *value = v->arg_end; return true;
	case 50: *value = v->env_start; return true;
	case 51: *value = v->env_end; return true;
	default: return false;
	}
}

void proc_patch_stat(FILE *out, const char *text, const struct proc_view *v)
{
	/* The command name may contain anything, blanks and parentheses too. */
	const char *s = strrchr(text, ')');

	if (!s) {
		fputs(text, out);
		return;
	}
	fwrite(text, 1, (size_t)(s + 1 - text), out);
	s++;
	for (int field = 3; *s; field++) {
		size_t blank = strspn(s, " "), len = strcspn(s + blank, " \n");
		uint64_t value;

		fwrite(s, 1, blank, out);
		if (len && stat_field(field, v, &value))
			fprintf(out, "%" PRIu64, value);
		else
			fwrite(s + blank, 1, len, out);
		s += blank + len;
		if (*s == '\n')
			fputc(*s++, out);
	}
}

/* ---- limits ---- */

static void limit_value(FILE *out, rlim_t v)
{
	if (v == RLIM_INFINITY)
		fprintf(out, "%-20s ", "unlimited");
	else
		fprintf(out, "%-20" PRIu64 " ", (uint64_t)v);
}

void proc_patch_limits(FILE *out, const char *text, const struct fdtable *f)
{
	static const struct { const char *name; unsigned resource; } lines[] = {
		{ "Max address space ", RLIMIT_AS }, { "Max data size ", RLIMIT_DATA }, { "Max stack size ", RLIMIT_STACK },
		{ "Max open files ", RLIMIT_NOFILE },
	};

	while (*text) {
		size_t len = strcspn(text, "\n");
		const struct rlimit *lim = NULL;

		for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
			if (strncmp(text, lines[i].name, strlen(lines[i].name)))
				continue;
			lim = limit_shown(f, lines[i].resource);
			if (!lim)
				break;
			fprintf(out, "%-25s ", lines[i].name);
			limit_value(out, lim->rlim_cur);
			limit_value(out, lim->rlim_max);
			fprintf(out, "%-10s\n", lines[i].resource == RLIMIT_NOFILE ? "files" : "bytes");
			break;
		}
		if (!lim) {
			fwrite(text, 1, len, out);
			fputc('\n', out);
		}
		text += len + (text[len] == '\n');
	}
}

/* ---- smaps, numa_maps ---- */

struct smaps_sum {
	unsigned n;
	char key[SMAPS_KEYS][24];
	uint64_t kb[SMAPS_KEYS];
	char flags[160];
};

static void smaps_add(struct smaps_sum *s, const char *line, size_t len)
{
	char key[24], *end;
	size_t n = strcspn(line, ":");
	uint64_t value;
	unsigned i;

	if (n >= len || n >= sizeof(key))
		return;
	memcpy(key, line, n);
	key[n] = 0;
	if (!strcmp(key, "VmFlags")) {
		if (!s->flags[0])
			snprintf(s->flags, sizeof(s->flags), "%.*s", (int)len, line);
		return;
	}
	value = strtoull(line + n + 1, &end, 10);
	for (i = 0; i < s->n && strcmp(s->key[i], key); i++)
		;
	if (i == SMAPS_KEYS)
		return;
	if (i == s->n)
		strcpy(s->key[s->n++], key);
	/* Everything is a sum except the sizes of pages and yes-or-no values. */
	if (strstr(key, "PageSize") || !strcmp(key, "THPeligible") || !strcmp(key, "ProtectionKey"))
		s->kb[i] = value;
	else
		s->kb[i] += value;
}

static void smaps_print(FILE *out, const struct smaps_sum *s, uint64_t size)
{
	for (unsigned i = 0; i < s->n; i++) {
		char label[32];
		bool bare = !strcmp(s->key[i], "THPeligible") || !strcmp(s->key[i], "ProtectionKey");

		snprintf(label, sizeof(label), "%s:", s->key[i]);
		if (bare)
			fprintf(out, "%-16s%8" PRIu64 "\n", label, s->kb[i]);
		else
			fprintf(out, "%-16s%8" PRIu64 " kB\n", label, strcmp(s->key[i], "Size") ? s->kb[i] : size / 1024);
	}
	if (s->flags[0])
		fprintf(out, "%s\n", s->flags);
}

/* A line that starts a mapping: "start-end ...". */
static bool is_header(const char *line, uint64_t *start)
{
	char *end;

	*start = strtoull(line, &end, 16);
	return end != line && *end == '-';
}

/* Sums up the host's mappings that start inside [from, to); those are what the guest's one mapping consists of. */
static void smaps_collect(const char *text, uint64_t from, uint64_t to, struct smaps_sum *s)
{
	bool inside = false;

	while (*text) {
		size_t len = strcspn(text, "\n");
		uint64_t start;

		if (is_header(text, &start))
			inside = start >= from && start < to;
		else if (inside)
			smaps_add(s, text, len);
		text += len + (text[len] == '\n');
	}
}

void proc_smaps(FILE *out, char *text, const struct mm *mm)
{
	cleanup_free char *maps = NULL;
	size_t size;
	FILE *mem = open_memstream(&maps, &size);
	char *save = NULL;

	if (!mem)
		return;
	mm_print_maps(mm, mem);
	fclose(mem);
	for (char *line = strtok_r(maps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct smaps_sum s = { 0 };
		uint64_t from, to;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) != 2)
			continue;
		smaps_collect(text, from, to, &s);
		fprintf(out, "%s\n", line);
		smaps_print(out, &s, to - from);
	}
}

void proc_numa_maps(FILE *out, const char *text, const struct mm *mm)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (mm_find(mm, strtoull(text, NULL, 16)))
			fprintf(out, "%.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}
