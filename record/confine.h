/*
 * The kernel's half of `run --sandbox=strict`: what the table refuses (syscall-emu/sandbox.h) is refused to the whole VMM
 * process too, in case the table is wrong or the guest takes it over. In the guest's process, before its program runs;
 * children and later program images have it by inheritance, for good.
 */
#ifndef SANDREC_CONFINE_H
#define SANDREC_CONFINE_H

#include <stddef.h>

#include "syscall-emu/sandbox.h"

/* What this kernel can do: fills s->signals. -EOPNOTSUPP with a line in why: not enough. */
int confine_check(struct sandbox *s, char *why, size_t len);

/* No new privileges, no capabilities, Landlock, seccomp. Negative errno with a line in why: then nothing may run. */
int confine(const struct sandbox *s, char *why, size_t len);

#endif
