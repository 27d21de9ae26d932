/* The smallest program that uses stdio, and the one that is built in every way a program can be linked. */
#include <stdio.h>

int main(void)
{
	puts("hello, world");
	return 3;
}
