/* Where sandrec's own image lies. Contract: address.h. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/address.h"
#include "cli/message.h"
#include "vmm/layout.h"

/*
 * The kernel leaves room for the stack's limit above the mappings, and turns the whole layout upside down for an
 * unlimited stack. The program still has to see its own limit: this odd one says that there was a larger one.
 */
#define STACK_MAX (64ULL << 30)
#define STACK_LOWERED ((8ULL << 20) + 0x5000)

static bool stack_too_large(struct rlimit *r)
{
	return !getrlimit(RLIMIT_STACK, r) && r->rlim_cur > STACK_MAX;
}

static void restore_stack_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_STACK, &r) || r.rlim_cur != STACK_LOWERED)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_STACK, &r);
}

static bool image_above_guest(void)
{
	return (uintptr_t)&image_above_guest >= GUEST_TOP && (uintptr_t)__builtin_frame_address(0) >= GUEST_TOP;
}

static bool start_again(char **argv)
{
	execv("/proc/self/exe", argv);
	message_error("cannot start again without address randomisation: /proc/self/exe: %s", strerror(errno));
	message_hint("mount /proc");
	return false;
}

static bool cannot_place(void)
{
	if (getauxval(AT_SECURE))
		message_error("address randomisation stays on for a program with set-user-id bit or file capabilities\n"
			      "remove them from the sandrec binary");
	else
		message_error("sandrec's own code lies where the guest's memory has to be (not a static PIE, or an old "
			      "memory layout is forced)\n"
			      "use a static build without sanitizers; check that sysctl vm.legacy_va_layout is 0");
	return false;
}

bool address_settle(char **argv)
{
	int now = personality(0xffffffff);
	struct rlimit r;
	bool lower = stack_too_large(&r);

	if (now >= 0 && (now & ADDR_NO_RANDOMIZE) && !(now & ADDR_COMPAT_LAYOUT) && image_above_guest()) {
		restore_stack_limit();
		prctl(PR_SET_NAME, "sandrec"); /* started as /proc/self/exe, it would be "exe" */
		return true;
	}
	/* Nothing of this was the reason, or starting again does not keep it: do not try for ever. */
	if (getauxval(AT_SECURE) ||
	    (now >= 0 && (now & ADDR_NO_RANDOMIZE) && !(now & ADDR_COMPAT_LAYOUT) && !lower))
		return cannot_place();
	if (now < 0 || personality(((unsigned long)now | ADDR_NO_RANDOMIZE) & ~(unsigned long)ADDR_COMPAT_LAYOUT) < 0) {
		message_error("cannot turn address randomisation off: personality: %s\n"
			      "in a container, allow that system call (docker: --security-opt seccomp=unconfined)",
			      strerror(errno));
		return false;
	}
	if (lower) {
		r.rlim_cur = STACK_LOWERED;
		if (setrlimit(RLIMIT_STACK, &r)) {
			message_error("the stack is unlimited, and its limit cannot be lowered: %s\n"
				      "try `ulimit -s 8192` first", strerror(errno));
			return false;
		}
	}
	return start_again(argv);
}
