/*
 * Trace directories: where they are, how they are named, found, listed and removed.
 * `-o DIR`, else under $SANDREC_TRACE_DIR, else $XDG_DATA_HOME/sandrec, else ~/.local/share/sandrec; named PROG-N;
 * `latest-trace` is a symbolic link. Directories 0700, files 0600.
 */
#ifndef SANDREC_TRACEDIR_H
#define SANDREC_TRACEDIR_H

#include <stdbool.h>
#include <stddef.h>

#define TRACE_STREAM_NAME "events.%d" /* the process's number in the recording: 1 is the program that was started */
#define TRACE_RING_NAME "ring.%d"
#define TRACE_SPARE_NAME "spare.%d" /* of the supervisor: a ring that waits to be used again */
#define TRACE_FILES_DIR "files"

/* The directory that holds traces, into buf; made if create is set. */
int tracedir_root(char *buf, size_t len, int create);

/* Makes a new trace directory (with files/ inside) for a program and points latest-trace at it.
 * want: the -o argument or NULL. path gets the name. Returns a directory descriptor or a negative errno. */
int tracedir_create(const char *want, const char *prog, char *path, size_t len);

/*
 * A place for recordings of which most will not be kept, on the file system where one may be: beside want, or in the
 * root. At its end what is left in it is removed, and latest-trace leads again to where it did before, or to what was kept.
 */
struct tracedir_scratch {
	char path[4096];
	char latest[4096]; /* where the link led; "" nowhere */
};
int tracedir_scratch_make(struct tracedir_scratch *s, const char *want);
/* A recording in it gets a name as tracedir_create() gives it, in path. */
int tracedir_scratch_keep(struct tracedir_scratch *s, const char *from, const char *want, const char *prog, char *path, size_t len);
void tracedir_scratch_end(struct tracedir_scratch *s);

/* Opens a trace for reading: a path, a name under the root, or NULL for the latest. A directory or a packed file: parts.h. */
int tracedir_open(const char *name, char *path, size_t len);

/* Calls fn for each trace under the root, in order of their names; stops at its first non-zero value. */
int tracedir_each(int (*fn)(const char *path, const char *name, void *arg), void *arg);

/* The same for the traces in any directory. A missing one is an empty one. */
int tracedir_each_in(const char *dir, int (*fn)(const char *path, const char *name, void *arg), void *arg);
bool tracedir_is_trace(const char *path);

/* Removes a trace: only if it is one (a directory with a manifest or a stream, a packed file), never following links. */
int tracedir_remove(const char *name, char *why, size_t len);

#endif
