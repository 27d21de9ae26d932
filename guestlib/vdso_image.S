/* The linked vDSO as data of the VMM. The path is relative to the top of the build tree. */
	.section .rodata.vdso, "a", @progbits
	.balign 16
	.globl guest_vdso_image
	.type guest_vdso_image, @object
guest_vdso_image:
	.incbin "guestlib/vdso.so"
guest_vdso_end:
	.size guest_vdso_image, guest_vdso_end - guest_vdso_image

	.balign 8
	.globl guest_vdso_size
	.type guest_vdso_size, @object
guest_vdso_size:
	.quad guest_vdso_end - guest_vdso_image
	.size guest_vdso_size, 8

	.section .note.GNU-stack, "", @progbits
