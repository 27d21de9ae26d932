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
#define TRACE_FILES_DIR "files"

/* The directory that holds traces, into buf; made if create is set. */
int tracedir_root(char *buf, size_t len, int create);

/* Makes a new trace directory (with files/ inside) for a program and points latest-trace at it.
 * want: the -o argument or NULL. path gets the name. Returns a directory descriptor or a negative errno. */
int tracedir_create(const char *want, const char *prog, char *path, size_t len);

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
