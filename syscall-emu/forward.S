/* The few instructions that must be at known addresses. Contract: forward.h. */

	.text

/* int64_t forward_syscall_checked(uint64_t nr, const uint64_t args[6], const volatile int *pending) */
	.globl	forward_syscall_checked
	.type	forward_syscall_checked, @function
	.globl	forward_begin, forward_insn, forward_end, forward_restart
	.balign	16
forward_syscall_checked:
	.cfi_startproc
	mov	%rdi, %rax
	mov	%rdx, %rcx
	mov	40(%rsi), %r9
	mov	32(%rsi), %r8
	mov	24(%rsi), %r10
	mov	16(%rsi), %rdx
	mov	(%rsi), %rdi
	mov	8(%rsi), %rsi
forward_begin:
	cmpl	$0, (%rcx)
	jne	forward_restart
forward_insn:
	syscall
forward_end:
	ret
forward_restart:
	mov	$-512, %rax		/* SYS_ERESTARTSYS */
	ret
	.cfi_endproc
	.size	forward_syscall_checked, . - forward_syscall_checked

/*
 * int64_t forward_clone(struct clone_args *a, size_t size, int (*fn)(void *), void *arg): the child, on the stack that a
 * names, runs fn and exits with its result.
 */
	.globl	forward_clone
	.type	forward_clone, @function
	.balign	16
forward_clone:
	.cfi_startproc
	mov	%rdx, %r8		/* the kernel keeps these two */
	mov	%rcx, %r9
	mov	$435, %eax		/* clone3 */
	syscall
	test	%rax, %rax
	jz	1f
	ret
1:
	.cfi_undefined %rip
	xor	%ebp, %ebp
	mov	%r9, %rdi
	call	*%r8
	mov	%eax, %edi
	mov	$231, %eax		/* exit_group */
	syscall
	.cfi_endproc
	.size	forward_clone, . - forward_clone

/* size_t copy_checked(void *dst, const void *src, size_t len) */
	.globl	copy_checked
	.type	copy_checked, @function
	.globl	copy_begin, copy_end, copy_fixup
	.balign	16
copy_checked:
	.cfi_startproc
	mov	%rdx, %rcx
copy_begin:
	rep movsb
copy_end:
copy_fixup:
	mov	%rcx, %rax		/* what the string instruction had left to do */
	ret
	.cfi_endproc
	.size	copy_checked, . - copy_checked

/* The host handler's return: the kernel wants an address of ours when libc does not install the handler. */
	.globl	signal_host_restorer
	.type	signal_host_restorer, @function
	.balign	16
	nop				/* unwinders look one byte before a return address */
signal_host_restorer:
	mov	$15, %eax		/* rt_sigreturn */
	syscall
	.size	signal_host_restorer, . - signal_host_restorer

	.section .note.GNU-stack, "", @progbits
