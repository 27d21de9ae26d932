/*
 * Symbolic names of argument values, signals and errors: for `sandrec dump`, `diff` and `--inject`. Data only.
 */
#ifndef SANDREC_NAMES_H
#define SANDREC_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct sys_name { uint64_t value; const char *name; };
struct sys_names {
	uint8_t is_flags;           /* names are bits (or masked fields of several bits), joined with | */
	uint8_t octal;              /* what has no name is shown in octal (file modes) */
	uint64_t mask;              /* not 0: the low part is an enumeration under this mask (open's access mode) */
	const struct sys_name *v;   /* ends with name == NULL; names of several bits come before those of their bits */
};

/* "O_RDONLY|O_CLOEXEC|0x8000000": always NUL-terminated; returns what snprintf would. */
int names_format(const struct sys_names *n, uint64_t value, char *buf, size_t len);
const char *errno_name(int e);      /* "ENOENT", NULL if unknown; the kernel's own ERESTARTSYS and the like too */
int errno_value(const char *name);  /* or -1 */
const char *signal_name(int sig);   /* "SIGTERM", "SIGRT_3", NULL if unknown */
int signal_value(const char *name); /* accepts names with and without SIG, and numbers; or -1 */

#endif
