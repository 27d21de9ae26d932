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
	mov	data + ABI_SW_TAIL(%rip), %ebx
	cmp	data + ABI_SW_HEAD(%rip), %ebx
	jne	ring
request:
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
	mov	data + ABI_SW_STATE(%rip), %eax
	cmp	$ABI_SW_AGAIN, %eax
	je	again
	cmp	$ABI_SW_DONE, %eax
	jne	leave
	load	rax, SW_RAX
go_on:
	load	rbx, SW_RBX
	load	rdx, SW_RDX
	load	rsi, SW_RSI
	load	rdi, SW_RDI
	load	r8, SW_R8
	load	r9, SW_R9
	load	r10, SW_R10
	load	r11, SW_R11
	lea	data + ABI_SW_STACK(%rip), %rsp
	push	%r11
	popfq
	load	rcx, SW_RCX
	load	rsp, SW_RSP
	jmp	*data + ABI_SW_REGS + SW_RIP * 8(%rip)
again:
	movl	$ABI_SW_IDLE, data + ABI_SW_STATE(%rip)
	jmp	submit

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

	/*
	 * Replay: the call that comes next is in the ring. If the registers and what the call reads are as recorded, what it
	 * wrote is written and its result taken. If they are not it becomes a request: the replayer says what differs. A
	 * fault on the way is a call that has not been made. ebx is the tail.
	 */
	.org guestlib_switchless + ABI_SW_RING, 0xcc
ring:
	cld
	mov	%ebx, %eax
	and	$ABI_SW_SLOTS - 1, %eax
	shl	$ABI_SW_SLOT_SHIFT, %eax
	lea	data + ABI_SW_SLOTS_AT(%rip), %rdx
	add	%rax, %rdx
	xor	%ecx, %ecx
	.irp	nr, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	mov	data + ABI_SW_REGS + \nr * 8(%rip), %rax
	xor	\nr * 8(%rdx), %rax
	or	%rax, %rcx
	.endr
	cmpl	$0, data + ABI_SW_BASES(%rip)
	je	compared
	load	rax, SW_FS_BASE
	xor	ABI_SW_CALL_FS(%rdx), %rax
	or	%rax, %rcx
	load	rax, SW_GS_BASE
	xor	ABI_SW_CALL_GS(%rdx), %rax
	or	%rax, %rcx
compared:
	test	%rcx, %rcx
	jnz	request
	mov	ABI_SW_CALL_PIECES(%rdx), %r8
	lea	ABI_SW_CALL_FIRST(%rdx), %r9
piece:
	sub	$1, %r8
	jb	take
	mov	ABI_SW_PIECE_ADDR(%r9), %rdi
	mov	ABI_SW_PIECE_LEN(%r9), %ecx
	lea	ABI_SW_PIECE_BYTES(%r9), %rsi
	lea	7(%rsi, %rcx), %r10
	and	$-8, %r10
	cmpl	$0, ABI_SW_PIECE_OUT(%r9)
	mov	%r10, %r9
	jne	written
	cmp	%ecx, %ecx
	repe cmpsb
	jne	request
	jmp	piece
written:
	rep movsb
	jmp	piece
take:
	mov	ABI_SW_CALL_RESULT(%rdx), %rsi
	mov	%rsi, data + ABI_SW_RESULT(%rip)
	load	rcx, SW_RCX
	store	rcx, SW_RIP
	lea	1(%rbx), %eax
	shl	$32, %rax
	or	$ABI_SW_TAKEN, %rax
	mov	%rax, data + ABI_SW_STATE(%rip)
	mov	%rsi, %rax
	jmp	go_on
guestlib_switchless_end:
	.size guestlib_switchless, guestlib_switchless_end - guestlib_switchless

	.globl guestlib_switchless_size
	.balign 8
	.type guestlib_switchless_size, @object
guestlib_switchless_size:
	.quad guestlib_switchless_end - guestlib_switchless
	.size guestlib_switchless_size, 8

	.section .note.GNU-stack, "", @progbits
