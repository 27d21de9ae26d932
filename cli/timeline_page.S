/* The page that `sandrec timeline` fills in, as data. The path is relative to the top of the source tree. */
	.section .rodata.timeline, "a", @progbits
	.globl timeline_page
	.type timeline_page, @object
timeline_page:
	.incbin "cli/timeline.html"
	.byte 0
	.size timeline_page, . - timeline_page

	.section .note.GNU-stack, "", @progbits
