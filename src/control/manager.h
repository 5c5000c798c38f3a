/* What the service manager (systemd) is told of us: that we serve, that we read
 * the configuration anew, and in one line for people how it is.  At changes
 * only. */
#ifndef SLUICE_CONTROL_MANAGER_H
#define SLUICE_CONTROL_MANAGER_H

struct control;

/* Every port is open.  It is told until it has heard. */
void manager_ready(struct control *);

/* Around a reload, whatever comes of it: systemd waits for the second. */
void manager_reloading(const struct control *);
void manager_reloaded(struct control *);

#endif
