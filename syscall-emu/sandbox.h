/*
 * What `run --sandbox=strict` refuses at the system call table. The kernel refuses the same, and more (record/confine.h): this
 * here says EPERM to the program, a line to the user and a flag to the recording, that there catches what happens between a
 * check and its use. On replay nothing is asked: the recording has the answers.
 *
 * The policy is in process_self (process.h), so that children and later program images have it.
 */
#ifndef SANDREC_SANDBOX_H
#define SANDREC_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SANDBOX_PATHS 16
#define SANDBOX_PATH_MAX 512
#define SANDBOX_CALLS 512

struct sandbox {
	bool strict, net;                     /* net: sockets are allowed */
	bool signals;                         /* the kernel keeps signals inside the sandbox */
	uint32_t nrw;
	char rw[SANDBOX_PATHS][SANDBOX_PATH_MAX]; /* may be written below; canonical */
	uint64_t allowed[SANDBOX_CALLS / 64]; /* bit n: call n is not refused for its number */
};

struct task;
struct sys_desc;

/* 0: adds a path or a call that is allowed all the same. Negative errno: there is none such, or no room. */
int sandbox_allow_path(struct sandbox *s, const char *path);
int sandbox_allow_call(struct sandbox *s, const char *name);

/* Why the call at hand (t->plan is prepared) is refused, for people; NULL: it is not. */
const char *sandbox_refuses(const struct task *t, const struct sys_desc *desc);

/* Is call nr refused whatever its arguments? For the kernel's filter. */
bool sandbox_refuses_number(const struct sandbox *s, unsigned nr);

#endif
