/* How one line of the log looks, by the device that it is for. */
#ifndef SLUICE_CONTROL_LOGLINE_H
#define SLUICE_CONTROL_LOGLINE_H

#include "logdevice.h"
#include "logqueue.h"
#include "proxy/closerecord.h"

/* Each writes a line without newline into LOGDEVICE_LINE bytes and returns its
 * length, which leaves room for the newline. */
size_t logline_message(enum logdevice_style, enum log_format,
    const struct message *, char *line);
size_t logline_record(enum logdevice_style, enum log_format,
    const struct closerecord *, char *line);

#endif
