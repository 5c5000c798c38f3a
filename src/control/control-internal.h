/* What the control plane is made of.  control.c starts and stops it, reload.c
 * changes what it does. */
#ifndef SLUICE_CONTROL_CONTROL_INTERNAL_H
#define SLUICE_CONTROL_CONTROL_INTERNAL_H

#include "admin.h"
#include "crew.h"
#include "doors.h"
#include "generations.h"
#include "identity.h"
#include "ports.h"
#include "reload.h"
#include "resolver.h"
#include "signals.h"
#include "stop.h"
#include "watchdog.h"
#include "control/control.h"

struct control {
	struct config_source source; /* of which each configuration is read */
	char		    *path;   /* owned: source.path */
	const struct config *config; /* the current one */
	struct snapshot	    *snapshot;
	struct generations   generations; /* and those that are still in use */
	struct reload	     reload;
	bool		     background;
	int		     ready_fd; /* of daemon_fork(); -1: none waits */
	int		     pid_fd;   /* 0: none */
	char		    *pid_path; /* owned: of that */
	struct identity	     identity;
	struct event_base   *base;
	struct crew	    *crew;
	struct servers	    *servers;
	struct doors	    *doors;
	struct resolver	    *resolver;
	struct rates	    *rates;
	struct pulse	    *pulse;
	struct watchdog	     watchdog;
	struct admin_sockets sockets;
	struct ports	     ports;
	struct admin_view    view;
	struct tours	    *tours;
	struct drains	    *drains;
	struct admin	    *admin;
	struct stop	     stop;
	struct signals	     signals;
	struct event	     ended_event;
	struct event	     failed_event;
	struct event	     manager_event; /* to tell it again */
	unsigned	     manager_tries; /* to tell it that we are ready */
	size_t		     ended; /* workers */
};

/* max_sessions, or what the limit of descriptors allows. */
uint64_t control_max_sessions(const struct config *, size_t nworkers);

#endif
