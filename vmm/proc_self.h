/*
 * Our own /proc/self, and room for one more descriptor, wherever the guest has taken this process: it may have changed its
 * root directory or mount namespace (the descriptor of /proc is kept from the start), given up its user (then the
 * kernel makes /proc/self root's), or used up its descriptors. Only the VMM's own needs go this way, never the guest's.
 */
#ifndef SANDREC_PROC_SELF_H
#define SANDREC_PROC_SELF_H

#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

/* The hidden O_PATH descriptor of /proc, or -1. Opened at the first call, or inherited from the image before. */
int proc_self_root(void);
void proc_self_inherit(int root);

/* /proc/self/NAME: a descriptor (close-on-exec) or a negative errno. */
int proc_self_open(const char *name, int flags);
FILE *proc_self_fopen(const char *name); /* for reading; NULL: see errno */
int proc_self_reopen(int fd, int flags); /* /proc/self/fd/FD */
/* What /proc/self/fd/FD names, terminated and cut to size: its length, or a negative errno (the text is then empty). */
ssize_t proc_self_name(int fd, char *buf, size_t size);

/*
 * A guest may have all the descriptors that it can have: in between, the limit is higher. Without the privilege to raise
 * the hard limit it stays as it is. Not nested.
 */
void nofile_lift(struct rlimit *old);
void nofile_restore(const struct rlimit *old);

#endif
