/*
 * What `syscall` enters on a software host that offers switchless calls, at CPL 3: the request goes to the data page, and
 * if a thread of the VMM answers soon the program goes on without having left the machine. Layout and states: abi.h; the other
 * side: vmm/switchless.c, which knows what the program's registers are wherever this code is stopped.
 *
 * On entry rcx is the program's next instruction and r11 its flags; the flags themselves are masked, TF among them. Leaving
 * the machine is an instruction that user code may not execute.
 */
#include "guestlib/abi.h"

#define RFLAGS_TF 0x100

	.section .rodata.guestlib, "a", @progbits
	.balign 16
	.globl guestlib_switchless
	.type guestlib_switchless, @object
guestlib_switchless:
	.set data, guestlib_switchless + ABI_SW_DATA

	.set SW_RAX, 0 /* enum guest_reg, which switchless.c checks */
	.set SW_RBX, 1
	.set SW_RCX, 2
	.set SW_RDX, 3
	.set SW_RSI, 4
	.set SW_RDI, 5
	.set SW_RBP, 6
	.set SW_RSP, 7
	.set SW_R8, 8
	.set SW_R9, 9
	.set SW_R10, 10
	.set SW_R11, 11
	.set SW_R12, 12
	.set SW_R13, 13
	.set SW_R14, 14
	.set SW_R15, 15
	.set SW_RIP, 16
	.set SW_FS_BASE, 18
	.set SW_GS_BASE, 19

	.macro store reg, nr
	mov	%\reg, data + ABI_SW_REGS + \nr * 8(%rip)
	.endm
	.macro load reg, nr
	mov	data + ABI_SW_REGS + \nr * 8(%rip), %\reg
	.endm

	/* A program that steps through itself has its trap behind the next instruction: that is made outside. */
	test	$RFLAGS_TF, %r11d
	jnz	leave_early
	cmpl	$0, data + ABI_SW_OPEN(%rip)
	je	leave_early
	movl	$ABI_SW_IDLE, data + ABI_SW_STATE(%rip)
	store	rax, SW_RAX
	store	rbx, SW_RBX
	store	rcx, SW_RCX
	store	rdx, SW_RDX
	store	rsi, SW_RSI
	store	rdi, SW_RDI
	store	rbp, SW_RBP
	store	rsp, SW_RSP
	store	r8, SW_R8
	store	r9, SW_R9
	store	r10, SW_R10
	store	r11, SW_R11
	store	r12, SW_R12
	store	r13, SW_R13
	store	r14, SW_R14
	store	r15, SW_R15
	jmp	saved
leave_early:
	hlt
	.org guestlib_switchless + ABI_SW_SAVED, 0xcc
saved:
	cmpl	$0, data + ABI_SW_BASES(%rip)
	je	submit
	rdfsbase %rax
	store	rax, SW_FS_BASE
	rdgsbase %rax
	store	rax, SW_GS_BASE
submit:
	movl	$ABI_SW_REQUEST, data + ABI_SW_STATE(%rip)
	mov	data + ABI_SW_SPINS(%rip), %ecx
look:
	cmpl	$ABI_SW_REQUEST, data + ABI_SW_STATE(%rip)
	jne	answered
	pause
	sub	$1, %ecx
	jnz	look
leave:
	hlt
answered:
	cmpl	$ABI_SW_DONE, data + ABI_SW_STATE(%rip)
	jne	leave
	load	rax, SW_RAX
	load	r11, SW_R11
	lea	data + ABI_SW_STACK(%rip), %rsp
	push	%r11
	popfq
	load	rcx, SW_RCX
	load	rsp, SW_RSP
	jmp	*data + ABI_SW_REGS + SW_RIP * 8(%rip)

	/*
	 * From the stub of a jump patch: rcx as `syscall` would have it, all else the program's. Its flags go to r11 without a
	 * touch of its stack, of which the red zone is its own.
	 */
	.org guestlib_switchless + ABI_SW_JUMP, 0xcc
	mov	%rsp, data + ABI_SW_RSP(%rip)
	lea	data + ABI_SW_STACK(%rip), %rsp
	.org guestlib_switchless + ABI_SW_JUMP_STACK, 0x90
	pushfq
	pop	%r11
	mov	data + ABI_SW_RSP(%rip), %rsp
	.org guestlib_switchless + ABI_SW_JUMP_FLAGS, 0x90
	jmp	guestlib_switchless
guestlib_switchless_end:
	.size guestlib_switchless, guestlib_switchless_end - guestlib_switchless

	.globl guestlib_switchless_size
	.balign 8
	.type guestlib_switchless_size, @object
guestlib_switchless_size:
	.quad guestlib_switchless_end - guestlib_switchless
	.size guestlib_switchless_size, 8

	.section .note.GNU-stack, "", @progbits
