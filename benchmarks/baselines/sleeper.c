/* The most punctual loop a user can write: sleep until an absolute time, look at the clock.

   sleeper HZ SECONDS [PRIORITY] prints when it woke and how late that was, ns, as a JSON object.
   PRIORITY is one of SCHED_FIFO; 0 or none is the ordinary scheduler. */

#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void print(const char *head, const long long *values, long count)
{
    printf("%s", head);
    for (long i = 0; i < count; i++)
        printf("%s%lld", i ? ", " : "", values[i]);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: sleeper HZ SECONDS [PRIORITY]\n");
        return 2;
    }
    struct sched_param wanted = {argc == 4 ? atoi(argv[3]) : 0};
    if (wanted.sched_priority && sched_setscheduler(0, SCHED_FIFO, &wanted)) {
        perror("SCHED_FIFO");
        return 1;
    }
    long long period = (long long)(1e9 / atof(argv[1]));
    long count = (long)(atof(argv[1]) * atof(argv[2]));
    long long *late = malloc(count * sizeof *late), *ticks = malloc(count * sizeof *ticks);
    long long due = now_ns();
    for (long i = 0; i < count; i++) {
        due += period;
        struct timespec t = {due / 1000000000LL, due % 1000000000LL};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        ticks[i] = now_ns();
        late[i] = ticks[i] - due;
        /* One that is late by periods skips them, as a control loop does. */
        while (now_ns() - due > period)
            due += period;
    }
    print("{\"late_ns\": [", late, count);
    print("], \"ticks_ns\": [", ticks, count);
    printf("]}\n");
    return 0;
}
