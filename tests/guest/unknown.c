/* System call numbers nobody has, and calls that do nothing useful: the errors of Linux, and the program goes on. */
#include "guest.h"

int main(void)
{
	static const long numbers[] = { 1000, 5000, 0x3fffffff, -1, -4096, 0x7fffffffffffffff, 350, 400, 423 };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		errno = 0;
		printf("%ld: %ld", numbers[i], syscall(numbers[i], 1, 2, 3, 4, 5, 6));
		printf(" %s\n", strerrorname_np(errno));
	}
	SHOW(syscall(SYS_tuxcall));
	SHOW(syscall(SYS_security));
	SHOW(syscall(SYS_vserver));
	SHOW(syscall(SYS_create_module, 0, 0));
	SHOW(syscall(SYS_get_kernel_syms, 0));
	SHOW(syscall(SYS_query_module, 0, 0, 0, 0, 0));
	SHOW(syscall(SYS_getpmsg, 1, 2, 3, 4, 5));
	SHOW(syscall(SYS_uselib, 0));
	SHOW(syscall(SYS__sysctl, 0));
	SHOW(syscall(SYS_nfsservctl, 0));
	SHOW(syscall(SYS_epoll_ctl_old, 0));
	SHOW(syscall(SYS_lookup_dcookie, 0, 0, 0) == -1);
	SHOW(syscall(SYS_restart_syscall));
	return guest_end();
}
