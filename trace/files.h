/*
 * Content-addressed copies of the files a program maps or executes: files/<xxh3-128 hex> inside the trace.
 * Reflink when the file system can, else a copy (sparse files stay sparse). A hard link is never used: the original
 * may be written in place later. Copies of one file are made once per trace root where hard links between the root's
 * own store (<root>/.store, files kept read-only there) and the trace are possible, and the identity (device, inode,
 * size, mtime, ctime) of files already stored is remembered, so that mapping the same library again costs one system
 * call in this process and five in the next recording.
 *
 * An identity is trusted only when the file had been left alone for FILES_SETTLED_S when it was copied (a change
 * within the clock's granularity, or through a page that somebody has mapped writable, does not move its times) and
 * never on tmpfs. Other files are read again each time, and copied when their content is new.
 */
#ifndef SANDREC_FILES_H
#define SANDREC_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FILES_SETTLED_S 60
#define FILES_STORE ".store" /* in the trace root: <hash> files, and index/<identity> symbolic links to hash.size */

struct file_ref {
	uint64_t hash[2];  /* XXH3 128 of the content, high then low */
	uint64_t size;
};

struct files_store;
struct memo;

/* dirfd: the trace directory, or a packed trace, which can only be read; the store keeps its own descriptors (moved out of the way with fd_hide, may be NULL). */
int files_open(int dirfd, int (*fd_hide)(int fd), struct files_store **out);
void files_close(struct files_store *s);

/* The program image before this one has stored into this trace, most likely the same files: content is compared first. */
void files_continue(struct files_store *s);

/* Identities of settled files that other processes have stored into this trace: those are there, and need not be looked at. */
void files_share(struct files_store *s, struct memo *m);

/*
 * A key for the present content of a regular file, which what is found out about it may be remembered by. false: the file
 * was changed a moment ago, or is where times say little; it may change without anybody seeing that. resting: nobody writes to it,
 * as it belongs to a recording that is being replayed, so it need not have been there for a while.
 */
bool files_content_key(int fd, bool resting, uint64_t key[2]);

/* Stores the present content of fd (readable or not: /proc/self/fd is used if needed) and fills ref. -EINVAL: no
 * regular file. The file may be written meanwhile: what is stored is what was read, and its hash. fd's offset is not
 * touched. */
int files_add(struct files_store *s, int fd, struct file_ref *ref);
/* Opens a stored file read-only; checks size always, content with verify. -ENOENT, -EBADMSG. */
int files_get(struct files_store *s, const struct file_ref *ref, int verify);

/* The name of a stored file in files/: its hash. */
void files_name(const struct file_ref *ref, char name[33]);

/* Makes the root's store, which files_open() uses when it is there. */
int files_prepare(const char *root);

/* Drops from the root's store what no trace links to any more. Recordings may be running. */
void files_prune(const char *root);

#endif
