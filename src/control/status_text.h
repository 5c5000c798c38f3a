/* The status for people on a terminal: a report of lines. */
#ifndef SLUICE_CONTROL_STATUS_TEXT_H
#define SLUICE_CONTROL_STATUS_TEXT_H

#include "report.h"

extern const struct report_part STATUS_TEXT[];
extern const size_t		STATUS_TEXT_COUNT;

#endif
