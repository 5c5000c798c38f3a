#include "logqueue.h"

#include <string.h>

#include "base/clock.h"

void
logqueue_put(struct logqueue *q, enum log_level level, const char *text,
    size_t len)
{
	struct message *m;

	pthread_mutex_lock(&q->mutex);
	if (repeats_hold(&q->repeats, level, text, len, clock_ms())) {
		/* told when it is due */
	} else if (q->count == LOGQUEUE_ROWS) {
		counter_add(&q->dropped, 1);
	} else {
		m = &q->rows[(q->first + q->count++) % LOGQUEUE_ROWS];
		m->time = clock_wall();
		m->level = level;
		m->len = len;
		memcpy(m->text, text, len);
	}
	pthread_mutex_unlock(&q->mutex);
}

void
logqueue_forget(struct logqueue *q)
{
	pthread_mutex_lock(&q->mutex);
	repeats_forget(&q->repeats);
	pthread_mutex_unlock(&q->mutex);
}

uint64_t
logqueue_oldest(struct logqueue *q)
{
	uint64_t time;

	pthread_mutex_lock(&q->mutex);
	time = q->count > 0 ? q->rows[q->first].time : UINT64_MAX;
	pthread_mutex_unlock(&q->mutex);
	return time;
}

static bool
logqueue_take_row(struct logqueue *q, struct message *m)
{
	const struct message *row = &q->rows[q->first];

	if (q->count == 0)
		return false;
	m->time = row->time;
	m->level = row->level;
	m->len = row->len;
	memcpy(m->text, row->text, row->len);
	q->first = (q->first + 1) % LOGQUEUE_ROWS;
	q->count--;
	return true;
}

bool
logqueue_take(struct logqueue *q, struct message *m)
{
	bool found;

	pthread_mutex_lock(&q->mutex);
	found = logqueue_take_row(q, m);
	pthread_mutex_unlock(&q->mutex);
	return found;
}

bool
logqueue_take_count(struct logqueue *q, struct message *m, uint64_t now)
{
	pthread_mutex_lock(&q->mutex);
	m->len = repeats_take(&q->repeats, now, &m->level, m->text);
	m->time = clock_wall();
	pthread_mutex_unlock(&q->mutex);
	return m->len > 0;
}

uint64_t
logqueue_due(struct logqueue *q)
{
	uint64_t due;

	pthread_mutex_lock(&q->mutex);
	due = repeats_due(&q->repeats);
	pthread_mutex_unlock(&q->mutex);
	return due;
}
