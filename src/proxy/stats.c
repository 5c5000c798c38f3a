#include "proxy/stats.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/rows.h"

static_assert(sizeof(struct listener_stats) % LINE == 0 &&
    sizeof(struct upstream_stats) % LINE == 0, "rows share a line");

bool
stats_init(struct worker_stats *stats, size_t nlisteners, size_t nupstreams)
{
	stats->listeners = rows_new(sizeof(*stats->listeners), nlisteners);
	stats->upstreams = rows_new(sizeof(*stats->upstreams), nupstreams);
	if (stats->listeners != NULL && stats->upstreams != NULL)
		return true;
	stats_done(stats);
	return false;
}

void
stats_done(struct worker_stats *stats)
{
	rows_free(stats->listeners, sizeof(*stats->listeners));
	rows_free(stats->upstreams, sizeof(*stats->upstreams));
	memset(stats, 0, sizeof(*stats));
}

int
stats_grow(struct worker_stats *stats, size_t nlisteners, size_t nupstreams)
{
	int error = rows_grow(stats->listeners, sizeof(*stats->listeners),
	    nlisteners);

	return error < 0 ? error : rows_grow(stats->upstreams,
	    sizeof(*stats->upstreams), nupstreams);
}

static void
stats_sum(void *sum, const void *row, size_t size)
{
	struct counter *to = sum;
	const struct counter *from = row;

	for (size_t i = 0; i < size / sizeof(*to); i++)
		counter_add(&to[i], counter_get(&from[i]));
}

void
listener_stats_sum(struct listener_stats *sum,
    const struct listener_stats *row)
{
	stats_sum(sum, row, sizeof(*sum));
}

void
upstream_stats_sum(struct upstream_stats *sum,
    const struct upstream_stats *row)
{
	stats_sum(sum, row, sizeof(*sum));
}

uint64_t
listener_stats_ended(const struct listener_stats *row)
{
	uint64_t sum = 0;

	for (size_t by = 0; by < CLOSED_BYS; by++)
		for (size_t how = 0; how < CLOSE_HOWS; how++)
			sum += counter_get(&row->ended[by][how]);
	return sum;
}

uint64_t
upstream_stats_failures(const struct upstream_stats *row)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < CONNECT_FAILURES; i++)
		sum += counter_get(&row->failures[i]);
	return sum;
}

enum connect_failure
connect_failure(int error)
{
	switch (-error) {
	case ECONNREFUSED:
		return CONNECT_REFUSED;
	case ETIMEDOUT:
		return CONNECT_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
		return CONNECT_UNREACHABLE;
	}
	return CONNECT_OTHER;
}

const char *
connect_failure_text(enum connect_failure kind)
{
	switch (kind) {
	case CONNECT_REFUSED:
		return "refused";
	case CONNECT_TIMEOUT:
		return "timeout";
	case CONNECT_UNREACHABLE:
		return "unreachable";
	case CONNECT_OTHER:
		break;
	}
	return "other";
}
