/* A phase looks, tries, and answers.  It closes and frees nothing: one that
 * fails sets s->ending and answers PHASE_END. */
#ifndef SLUICE_PROXY_PHASE_H
#define SLUICE_PROXY_PHASE_H

#include <stdint.h>

struct session;

enum phase_answer { PHASE_NEXT, PHASE_WAIT, PHASE_END };

struct phase {
	const char *name; /* as close records have it */

	enum phase_answer (*run)(struct session *);

	/* When to look again if nothing happens (ms; UINT64_MAX: never), and
	 * what to do then.  NULL: the phase never waits. */
	uint64_t (*deadline)(const struct session *);
	enum phase_answer (*expire)(struct session *);
};

enum phase_answer phase_greeting(struct session *);
enum phase_answer phase_admit(struct session *);
enum phase_answer phase_peek(struct session *);
enum phase_answer phase_route(struct session *);
enum phase_answer phase_connect(struct session *);
enum phase_answer phase_introduce(struct session *);
enum phase_answer phase_relay(struct session *);
enum phase_answer phase_flush(struct session *);

uint64_t phase_greeting_deadline(const struct session *);
uint64_t phase_admit_deadline(const struct session *);
uint64_t phase_peek_deadline(const struct session *);
uint64_t phase_route_deadline(const struct session *);
uint64_t phase_connect_deadline(const struct session *);
uint64_t phase_introduce_deadline(const struct session *);
uint64_t phase_relay_deadline(const struct session *);
uint64_t phase_flush_deadline(const struct session *);

enum phase_answer phase_greeting_expire(struct session *);
enum phase_answer phase_admit_expire(struct session *);
enum phase_answer phase_peek_expire(struct session *);
enum phase_answer phase_route_expire(struct session *);
enum phase_answer phase_connect_expire(struct session *);
enum phase_answer phase_introduce_expire(struct session *);
enum phase_answer phase_relay_expire(struct session *);
enum phase_answer phase_flush_expire(struct session *);

/* Gives back what ADMIT took; nothing is fine. */
void phase_admit_leave(struct session *);

#endif
