/* Recordings in words. Contract: describe.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/age.h"
#include "cli/describe.h"
#include "syscall-emu/names.h"
#include "trace/escape.h"
#include "trace/parts.h"
#include "vmm/cleanup.h"

#define DEPTH_MAX 4 /* a trace has one level of directories */

static uint64_t tree_size(int dir, int depth)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint64_t sum = 0;
	struct dirent *e;

	if (!d && fd >= 0)
		close(fd);
	while (d && (e = readdir(d))) {
		struct stat st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
			cleanup_close int sub = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (sub >= 0)
				sum += tree_size(sub, depth + 1);
		} else {
			sum += (uint64_t)st.st_blocks * 512;
		}
	}
	return sum;
}

void describe_size(uint64_t bytes, char *buf, size_t len)
{
	static const char units[] = "KMGTP";
	double v = (double)bytes;
	int u = -1;

	while (v >= 1024 && u < (int)sizeof(units) - 2) {
		v /= 1024;
		u++;
	}
	if (u < 0)
		snprintf(buf, len, "%" PRIu64, bytes);
	else
		snprintf(buf, len, v < 10 ? "%.1f%c" : "%.0f%c", v, units[u]);
}

static bool plain_word(const char *s)
{
	return *s && !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%")];
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

/* bash's $'...', in which a backslash means something. */
static void put_escaped(FILE *f, const char *s)
{
	static const char special[] = "\n\t\r\033\\'", letters[] = "ntre\\'";

	fputs("$'", f);
	for (; *s; s++) {
		const char *e = strchr(special, *s);

		if (e)
			fprintf(f, "\\%c", letters[e - special]);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			fprintf(f, "\\x%02x", (unsigned char)*s);
		else
			fputc(*s, f);
	}
	fputc('\'', f);
}

static void put_word(FILE *f, const char *s)
{
	if (plain_word(s)) {
		fputs(s, f);
	} else if (!printable(s)) {
		put_escaped(f, s);
	} else {
		fputc('\'', f);
		for (; *s; s++)
			fputs(*s == '\'' ? "'\\''" : (char[]){ *s, '\0' }, f);
		fputc('\'', f);
	}
}

void describe_command(char *const *argv, char *buf, size_t len)
{
	cleanup_free char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	buf[0] = '\0';
	if (!f)
		return;
	for (size_t i = 0; argv[i] && ftell(f) < (long)len; i++) {
		fputs(i ? " " : "", f);
		put_word(f, argv[i]);
	}
	if (fclose(f))
		return;
	snprintf(buf, len, "%s", text);
	if (n >= len && len > 4)
		memcpy(buf + len - 4, "...", 4);
}

void describe_status(int wait_status, char *buf, size_t len)
{
	const char *signal;

	if (WIFEXITED(wait_status)) {
		snprintf(buf, len, "exit %d", WEXITSTATUS(wait_status));
		return;
	}
	signal = signal_name(WTERMSIG(wait_status));
	snprintf(buf, len, "%s%s", signal ? signal : "signal ?", WCOREDUMP(wait_status) ? " (core)" : "");
}

static void put_outcome(struct description *d)
{
	const struct manifest *m = &d->manifest;

	if (m->cut) {
		snprintf(d->outcome, sizeof(d->outcome), "cut: %.40s", m->cut);
	} else if (!m->nprocs || !m->procs[0].ended) {
		snprintf(d->outcome, sizeof(d->outcome), m->complete ? "unknown" : "running or cut");
	} else {
		describe_status(m->procs[0].status, d->outcome, sizeof(d->outcome));
	}
}

static void put_times(struct description *d)
{
	const struct manifest *m = &d->manifest;
	time_t now = time(NULL);
	struct tm tm;
	double took;

	d->age_s = now > m->start.tv_sec ? (uint64_t)(now - m->start.tv_sec) : 0;
	age_text(d->age_s, d->age, sizeof(d->age));
	if (localtime_r(&m->start.tv_sec, &tm))
		strftime(d->start, sizeof(d->start), "%Y-%m-%d %H:%M:%S", &tm);
	if (!m->end.tv_sec)
		return;
	took = (double)(m->end.tv_sec - m->start.tv_sec) + (double)(m->end.tv_nsec - m->start.tv_nsec) / 1e9;
	if (took >= 0 && took < 1e9)
		snprintf(d->duration, sizeof(d->duration), "%.2f s", took);
}

void describe_trace(const char *path, struct description *d)
{
	cleanup_close int dir = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int rc;

	memset(d, 0, sizeof(*d));
	strcpy(d->start, "?");
	strcpy(d->duration, "-");
	strcpy(d->age, "?");
	if (dir < 0) {
		snprintf(d->why, sizeof(d->why), "%s", strerror(errno));
		strcpy(d->outcome, "unreadable");
		strcpy(d->size, "?");
		return;
	}
	if (trace_is_packed(dir))
		d->bytes = fstat(dir, &st) ? 0 : (uint64_t)st.st_blocks * 512;
	else
		d->bytes = tree_size(dir, 0);
	describe_size(d->bytes, d->size, sizeof(d->size));
	rc = manifest_read(dir, &d->manifest, d->why, sizeof(d->why));
	if (rc < 0) {
		if (!d->why[0])
			snprintf(d->why, sizeof(d->why), "%s", strerror(-rc));
		strcpy(d->outcome, rc == -EPROTO ? "other format" : "damaged");
		return;
	}
	d->readable = true;
	put_times(d);
	put_outcome(d);
	describe_command(d->manifest.argv, d->command, sizeof(d->command));
}

void describe_free(struct description *d)
{
	manifest_free(&d->manifest);
}

json_t *describe_text(const char *bytes)
{
	cleanup_free char *text = escape_bytes(bytes ? bytes : "");

	return text ? json_string(text) : NULL;
}

static json_t *time_json(const struct timespec *t)
{
	return json_real((double)t->tv_sec + (double)t->tv_nsec / 1e9);
}

json_t *describe_json(const char *name, const char *path, const struct description *d)
{
	json_t *o = json_object(), *argv;

	if (name)
		json_object_set_new(o, "name", describe_text(name));
	json_object_set_new(o, "path", describe_text(path));
	json_object_set_new(o, "bytes", json_integer((json_int_t)d->bytes));
	json_object_set_new(o, "outcome", json_string(d->outcome));
	if (!d->readable) {
		json_object_set_new(o, "error", describe_text(d->why));
		return o;
	}
	argv = json_array();
	for (size_t i = 0; d->manifest.argv[i]; i++)
		json_array_append_new(argv, describe_text(d->manifest.argv[i]));
	json_object_set_new(o, "argv", argv);
	json_object_set_new(o, "start", time_json(&d->manifest.start));
	json_object_set_new(o, "age_s", json_integer((json_int_t)d->age_s));
	if (d->manifest.end.tv_sec)
		json_object_set_new(o, "end", time_json(&d->manifest.end));
	json_object_set_new(o, "complete", json_boolean(d->manifest.complete));
	return o;
}
