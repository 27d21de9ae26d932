/*
 * The guest's vDSO: the functions Linux's has, each of which is just the system call, so that every reading of a clock
 * is an event like any other. Linked by vdso.lds; found by programs through AT_SYSINFO_EHDR.
 */
	.text

	.macro vdso_call name, alias, nr
	.globl \name
	.weak \alias
	.type \name, @function
	.balign 16
\name:
	.cfi_startproc
	mov	$\nr, %eax
	syscall
	ret
	.cfi_endproc
	.size \name, . - \name
	.set \alias, \name
	.endm

	vdso_call __vdso_clock_gettime, clock_gettime, 228
	vdso_call __vdso_clock_getres, clock_getres, 229
	vdso_call __vdso_gettimeofday, gettimeofday, 96
	vdso_call __vdso_time, time, 201
	vdso_call __vdso_getcpu, getcpu, 309

	/* Programs that look for a kernel version note find one: "Linux", type 0 (the build's version is of no use). */
	.section .note, "a", @note
	.balign 4
	.long 2f - 1f, 4f - 3f, 0
1:	.asciz "Linux"
2:	.balign 4
3:	.long 0x060100
4:	.balign 4

	.section .note.GNU-stack, "", @progbits
