/* A queue of jobs; one of them is freed too early. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
	int id, prio;
	struct job *next;
	char name[40];
};

static struct job *queue;
static int done;

static struct job *add(int id, int prio)
{
	struct job *j = calloc(1, sizeof(*j));

	j->id = id;
	j->prio = prio;
	snprintf(j->name, sizeof(j->name), "job %d", id);
	j->next = queue;
	queue = j;
	return j;
}

static void finish(struct job *j)
{
	done++;
	free(j);
}

static void drop_low(void)
{
	for (struct job *j = queue; j && j->next; j = j->next)
		if (j->next->prio == 0) {
			finish(j->next);
			j->next = j->next->next;
		}
}

static char *note(int n)
{
	char *s = malloc(sizeof(struct job));

	memset(s, '#', sizeof(struct job) - 1);
	sprintf(s, "note %d: nothing to report, all is well in the queue", n);
	return s;
}

int main(void)
{
	char *notes[4];

	for (int i = 1; i <= 6; i++)
		add(i, i % 3);
	drop_low();
	for (int i = 0; i < 4; i++)
		notes[i] = note(i);
	for (struct job *j = queue; j; j = j->next)
		printf("%d %s\n", j->id, j->name);
	printf("%d done, last note: %s\n", done, notes[3]);
	return 0;
}
