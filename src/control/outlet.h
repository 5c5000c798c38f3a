/* A log device and what is told about it: by which option it is there, and what
 * was lost on it. */
#ifndef SLUICE_CONTROL_OUTLET_H
#define SLUICE_CONTROL_OUTLET_H

#include "logdevice.h"
#include "logline.h"

struct outlet {
	struct logdevice *device; /* NULL: not open */
	const char	 *option; /* "log", "access_log" */
	enum log_format	  format;
	bool		  known_stuck;
	uint64_t	  told_at; /* clock_ms() */
	uint64_t	  told[LOGDEVICE_KINDS];
};

/* Opens the target that 'option' of [global] names.  0, or -errno after it was
 * logged. */
int  outlet_open(struct outlet *, const struct config *, const char *option,
    const struct log_target *);
void outlet_close(struct outlet *); /* not open is fine */

/* One line for the device; it must have room. */
void outlet_put_message(struct outlet *, const struct message *);
void outlet_put_record(struct outlet *, const struct closerecord *);

/* A crash will be told there. */
void outlet_take_crash(const struct outlet *);

/* Lines that the device dropped.  Any thread. */
uint64_t outlet_dropped(const struct outlet *, enum logdevice_kind);

/* Opens its file anew, if that is what it is.  True: it failed, and says so. */
bool outlet_reopen(struct outlet *, struct message *);

/* Whether the device got stuck since the last call; then says so. */
bool outlet_got_stuck(struct outlet *, struct message *);

/* Whether 'lost' (all of a kind so far, wherever) is more than was told. */
bool outlet_has_lost(const struct outlet *, const uint64_t *lost);

/* Where it is time to try a stuck device again, or to tell what was lost:
 * writes a line that says what and why.  True: the device took that line, which
 * is returned. */
bool outlet_tells(struct outlet *, const uint64_t *lost, uint64_t now,
    struct message *);

/* The same for one that is left: whether there is something to tell, as if it
 * were told. */
bool outlet_sums_up(struct outlet *, const uint64_t *lost, uint64_t now,
    struct message *);

#endif
