/*
 * The stub page: where the CPU goes at a system call and at each exception. Two or three instructions each, because a
 * software host emulates CPL 0 code. Position-independent; copied into the VM by vmm/vm.c. Layout: abi.h.
 */
#include "guestlib/abi.h"

	.section .rodata.guestlib, "a", @progbits
	.balign 16
	.globl guestlib_stubs
	.type guestlib_stubs, @object
guestlib_stubs:
	.org guestlib_stubs + ABI_SYSCALL
	out	%al, $ABI_PORT_SYSCALL
	.org guestlib_stubs + ABI_SYSRET
	sysretq

	.set vector, 0
	.rept ABI_VECTORS
	.org guestlib_stubs + ABI_VECTOR + vector * ABI_VECTOR_SIZE, 0xcc
	out	%al, $ABI_PORT_VECTOR + vector
	.if (ABI_ERROR_CODE_VECTORS >> vector) & 1
	add	$8, %rsp
	.endif
	iretq
	.set vector, vector + 1
	.endr
	.org guestlib_stubs + ABI_VECTOR + ABI_VECTORS * ABI_VECTOR_SIZE, 0xcc
guestlib_stubs_end:
	.size guestlib_stubs, guestlib_stubs_end - guestlib_stubs

	.globl guestlib_stubs_size
	.balign 8
	.type guestlib_stubs_size, @object
guestlib_stubs_size:
	.quad guestlib_stubs_end - guestlib_stubs
	.size guestlib_stubs_size, 8

	.section .note.GNU-stack, "", @progbits
