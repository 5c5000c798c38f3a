/* The option table: each row makes the parser, the manual's table,
 * --help-config and -T. */
#ifndef SLUICE_CONFIG_OPTION_H
#define SLUICE_CONFIG_OPTION_H

#include <stdio.h>

#include "config/config.h"

/* --help-config: every option, or with 'key' that one (any section) at length.
 * Returns 0, or -ENOENT after saying on 'errors' which name is nearest. */
int option_help(FILE *out, FILE *errors, const char *key);

/* -T: the effective configuration as a proxy.ini that works, each value with
 * its origin behind " ; ".  'workers' is what auto comes to here, 0: not
 * told. */
void config_print(FILE *out, const struct config *, size_t workers);

/* A line for each listener with allow or deny: what holds for who is in none of
 * them. */
void config_print_access(FILE *out, const struct config *);

/* Where a value of [global] came from. */
struct origin config_global_origin(const struct config *, const char *key);

/* Writes "proxy.ini:8" or "command line" and returns 'text' (CONFIG_PLACE
 * bytes): how a message about a value begins. */
#define CONFIG_PLACE 256
const char *config_place(const struct config *, struct origin, char *text);

/* Whether an address is one that a listener of the config accepts on, so that
 * forwarding to it would forward to ourselves; returns that listener or NULL.
 * Wildcard binds match every address of this machine (getifaddrs(3)). */
const struct listener_conf *config_own_listener(const struct config *,
    const struct addr *);

#endif
