/* What the log says once everything is open. */
#ifndef SLUICE_CONTROL_GREET_H
#define SLUICE_CONTROL_GREET_H

struct control;

/* A line for each bind and where it leads, where the daemon is to be seen, and
 * how many sessions it takes. */
void greet(const struct control *);

#endif
