/* What seccomp(2) and prctl(2) accept, and what they say of the rest. */
#include <linux/capability.h>
#include <time.h>

#include "seccomp.h"

static void actions(void)
{
	static const uint32_t all[] = {
		SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF,
		SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW, 0x12340000, SECCOMP_RET_ERRNO | 1,
	};
	struct seccomp_notif_sizes sizes;

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		uint32_t a = all[i];

		printf("%#x: ", a);
		SHOW(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &a));
	}
	SHOW(seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &sizes));
	SHOW(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, NULL));
	SHOW(seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
	printf("%u %u %u\n", sizes.seccomp_notif, sizes.seccomp_notif_resp, sizes.seccomp_data);
	SHOW(seccomp(SECCOMP_GET_NOTIF_SIZES, 0, (void *)8));
	SHOW(seccomp(SECCOMP_GET_NOTIF_SIZES, 4, &sizes));
}

#define OK RETURN(SECCOMP_RET_ALLOW)

static long try_prog(const struct sock_filter *f, unsigned short len)
{
	struct sock_fprog p = { len, (struct sock_filter *)f };

	return seccomp(SECCOMP_SET_MODE_FILTER, 0, &p);
}

static void refused_programs(void)
{
	static struct sock_filter ok = RETURN(SECCOMP_RET_ALLOW);
	static const struct sock_filter bad[][3] = {
		{ LOAD(nr), LOAD(nr), LOAD(nr) },
		{ BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0), OK, OK },
		{ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0), OK, OK },
		{ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 255), OK, OK },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), OK, OK },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), OK, OK },
		{ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), OK, OK },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), OK, OK },
		{ BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), OK, OK },
		{ BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), OK, OK },
		{ BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), OK, OK },
		{ BPF_STMT(BPF_LD | BPF_MEM, 0), OK, OK },
		{ BPF_STMT(BPF_ST, 16), OK, OK },
		{ BPF_STMT(BPF_RET | BPF_X, 0), OK, OK },
		{ BPF_STMT(0xffff, 0), OK, OK },
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		printf("program %u: ", i);
		SHOW(try_prog(bad[i], 3));
	}
	SHOW(try_prog(&ok, 0));
	SHOW(try_prog(&ok, 4097));
	SHOW(try_prog(NULL, 1));
	SHOW(try_prog((void *)8, 1));
	SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL));
	SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 0, (void *)8));
	SHOW(seccomp(SECCOMP_SET_MODE_FILTER, ~0u, NULL));
	SHOW(seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW | 16, NULL));
	SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 32, NULL));
	SHOW(seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER, NULL));
	SHOW(seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL));
	SHOW(seccomp(SECCOMP_SET_MODE_STRICT, 0, &ok));
	SHOW(seccomp(77, 0, NULL));
	SHOW(prctl(PR_SET_SECCOMP, 0, NULL));
	SHOW(prctl(PR_SET_SECCOMP, 3, NULL));
	SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL));
	SHOW(prctl(PR_SET_SECCOMP, (1UL << 32) | SECCOMP_MODE_FILTER, NULL));
}

/* Without the capability to administer the system a filter needs the promise to gain no privileges. */
static void privileges(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];
	struct sock_filter ok = RETURN(SECCOMP_RET_ALLOW);

	CHECK(syscall(SYS_capget, &h, d) == 0);
	printf("privileged %d\n", (d[0].effective >> CAP_SYS_ADMIN) & 1);
	SHOW(try_prog(&ok, 1));
	SHOW(prctl(PR_GET_SECCOMP));
	d[0].effective &= ~(1u << CAP_SYS_ADMIN);
	SHOW(syscall(SYS_capset, &h, d));
	SHOW(try_prog(&ok, 1));
	SHOW(try_prog(NULL, 1));
	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	SHOW(try_prog(&ok, 1));
	SHOW(try_prog(NULL, 1));
	SHOW(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
	SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	SHOW(prctl(PR_GET_SECCOMP));
}

/* Fills the thread's store of instructions: Linux counts what its translation makes of them. */
static void limit(void)
{
	static struct sock_filter f[4096];
	static const struct sock_filter kinds[] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 5, 0, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 0x80000000, 0, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0xffffffff, 0, 1),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0xffffffff, 1, 1),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_NEG, 0),
		BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0),
		RETURN(SECCOMP_RET_ALLOW),
	};
	unsigned len = 2000, installed[64] = { 0 }, n = 0;

	/* The first instruction returns: what follows only has to be there. */
	while (len > 1 && n < 64) {
		for (unsigned i = 0; i < len; i++)
			f[i] = kinds[(i * 7 + len) % (sizeof(kinds) / sizeof(kinds[0]))];
		f[0] = f[len - 1] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
		f[len > 2 ? len - 2 : 0] = f[0];
		if (try_prog(f, (unsigned short)len) == 0)
			installed[n++] = len;
		else if (errno == ENOMEM)
			len -= len > 500 ? 50 : 1;
		else
			CHECK(!"another error");
	}
	printf("%u filters:", n);
	for (unsigned i = 0; i < n; i++)
		printf(" %u", installed[i]);
	puts("");
}

int main(void)
{
	actions();
	refused_programs();
	privileges();
	limit();
	return guest_end();
}
