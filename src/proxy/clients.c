#include "proxy/clients.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/gcra.h"
#include "base/line.h"
#include "base/slab.h"

#define SHARDS	   64
#define BUCKETS	   4096 /* of a shard: a quarter of a million in all */
#define REMEMBERED 1024 /* of a shard */
#define FORGET	   2	/* whose time is over, at a look: more than come */
#define NS_PER_MS  UINT64_C(1000000)

/* Compared and hashed as it lies in memory. */
struct key {
	uint8_t	 ip[16]; /* zero behind the bits that count */
	uint32_t listener;
	uint32_t family;
};

struct client {
	struct client	   *next;	/* in its bucket */
	TAILQ_ENTRY(client) remembered; /* while it has no session */
	struct key	    key;
	uint32_t	    sessions;
	uint64_t	    full; /* gcra.h */
};
TAILQ_HEAD(client_queue, client);

struct shard {
	alignas(LINE) pthread_mutex_t lock;
	struct slab	    slab;
	size_t		    here;
	size_t		    nremembered;
	struct client_queue remembered; /* who left first comes first */
	struct client	  **buckets; /* in those of all */
};

struct clients {
	uint64_t	secret[4];
	struct client **buckets;
	struct shard	shards[SHARDS];
};

static void
shard_init(struct shard *shard, struct client **buckets)
{
	shard->buckets = buckets;
	pthread_mutex_init(&shard->lock, NULL);
	slab_init(&shard->slab, sizeof(struct client));
	TAILQ_INIT(&shard->remembered);
}

/* Of so many buckets calloc(3) leaves the pages that nobody comes to unmade. */
struct clients *
clients_new(const uint64_t secret[4])
{
	struct clients *c = line_alloc(sizeof(*c));

	if (c == NULL)
		return NULL;
	c->buckets = calloc((size_t)SHARDS * BUCKETS, sizeof(*c->buckets));
	if (c->buckets == NULL) {
		free(c);
		return NULL;
	}
	memcpy(c->secret, secret, sizeof(c->secret));
	for (size_t i = 0; i < SHARDS; i++)
		shard_init(&c->shards[i], c->buckets + i * BUCKETS);
	return c;
}

/* --- where a client is */

static void
key_make(struct key *key, const struct listener_conf *conf,
    const struct peer *peer)
{
	unsigned bits = peer->family == AF_INET6 ?
	    (unsigned)conf->client_ipv6_prefix : 128;

	memset(key, 0, sizeof(*key));
	key->listener = (uint32_t)conf->index;
	key->family = peer->family;
	memcpy(key->ip, peer->ip, bits / 8);
	if (bits % 8 != 0)
		key->ip[bits / 8] = (uint8_t)(peer->ip[bits / 8] &
		    (0xff00u >> bits % 8));
}

/* Both halves of a product: with a secret factor nobody can aim. */
static uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t
key_hash(const struct key *key, const uint64_t secret[4])
{
	uint64_t words[3];

	static_assert(sizeof(words) == sizeof(*key), "a key has no holes");
	memcpy(words, key, sizeof(words));
	return fold(fold(words[0] ^ secret[0], words[1] ^ secret[1]) ^
	    secret[3], words[2] ^ secret[2]);
}

static struct client **
shard_find(struct shard *shard, const struct key *key, uint64_t hash)
{
	struct client **at = &shard->buckets[hash % BUCKETS];

	while (*at != NULL && memcmp(&(*at)->key, key, sizeof(*key)) != 0)
		at = &(*at)->next;
	return at;
}

/* --- coming, leaving, being forgotten */

static void
shard_remove(struct shard *shard, struct client **at)
{
	struct client *client = *at;

	*at = client->next;
	slab_give(&shard->slab, client);
}

static void
shard_forget(struct clients *c, struct shard *shard, struct client *client)
{
	TAILQ_REMOVE(&shard->remembered, client, remembered);
	shard->nremembered--;
	shard_remove(shard, shard_find(shard, &client->key,
	    key_hash(&client->key, c->secret)));
}

/* Whose bucket is full again is like anybody. */
static void
shard_tidy(struct clients *c, struct shard *shard, uint64_t now)
{
	for (int i = 0; i < FORGET; i++) {
		struct client *first = TAILQ_FIRST(&shard->remembered);

		if (first == NULL || first->full > now)
			return;
		shard_forget(c, shard, first);
	}
}

static void
shard_remember(struct clients *c, struct shard *shard, struct client *client)
{
	TAILQ_INSERT_TAIL(&shard->remembered, client, remembered);
	if (++shard->nremembered > REMEMBERED)
		shard_forget(c, shard, TAILQ_FIRST(&shard->remembered));
}

static struct client *
shard_add(struct shard *shard, struct client **at, const struct key *key)
{
	struct client *client = slab_take(&shard->slab);

	if (client == NULL)
		return NULL;
	client->key = *key;
	*at = client;
	return client;
}

static enum clients_answer
client_take(struct shard *shard, struct client *client,
    const struct listener_conf *conf, uint64_t now)
{
	uint64_t most = conf->max_sessions_per_client;
	const struct rate_limit *rate = &conf->session_rate_per_client;
	bool remembered = client->sessions == 0 && client->full != 0;

	if (most != 0 && client->sessions >= most)
		return CLIENTS_MANY;
	if (rate->count != 0) {
		struct gcra gcra = gcra_of(rate->count, rate->per);

		if (!gcra_take(&gcra, &client->full, now))
			return CLIENTS_FAST;
	}
	if (remembered) {
		TAILQ_REMOVE(&shard->remembered, client, remembered);
		shard->nremembered--;
	}
	if (client->sessions++ == 0)
		shard->here++;
	return CLIENTS_TAKEN;
}

static struct shard *
clients_lock(struct clients *c, uint64_t hash)
{
	struct shard *shard = &c->shards[hash >> 58];

	static_assert(SHARDS == 1 << (64 - 58), "the hash's head is the shard");
	pthread_mutex_lock(&shard->lock);
	return shard;
}

enum clients_answer
clients_take(struct clients *c, const struct listener_conf *conf,
    const struct peer *peer, uint64_t now)
{
	enum clients_answer answer = CLIENTS_NO_MEMORY;
	struct client *client, **at;
	struct shard *shard;
	struct key key;
	uint64_t hash;

	now *= NS_PER_MS;
	key_make(&key, conf, peer);
	hash = key_hash(&key, c->secret);
	shard = clients_lock(c, hash);
	shard_tidy(c, shard, now);
	at = shard_find(shard, &key, hash);
	client = *at != NULL ? *at : shard_add(shard, at, &key);
	if (client != NULL)
		answer = client_take(shard, client, conf, now);
	pthread_mutex_unlock(&shard->lock);
	return answer;
}

void
clients_give(struct clients *c, const struct listener_conf *conf,
    const struct peer *peer, uint64_t now)
{
	struct client **at;
	struct shard *shard;
	struct key key;
	uint64_t hash;

	now *= NS_PER_MS;
	key_make(&key, conf, peer);
	hash = key_hash(&key, c->secret);
	shard = clients_lock(c, hash);
	at = shard_find(shard, &key, hash);
	assert(*at != NULL && (*at)->sessions > 0);
	if (--(*at)->sessions == 0) {
		shard->here--;
		if ((*at)->full > now)
			shard_remember(c, shard, *at);
		else
			shard_remove(shard, at);
	}
	pthread_mutex_unlock(&shard->lock);
}

bool
clients_are_limited(const struct listener_conf *conf)
{
	return conf->max_sessions_per_client != 0 ||
	    conf->session_rate_per_client.count != 0;
}

struct clients_count
clients_count(struct clients *c)
{
	struct clients_count count = { 0 };

	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &c->shards[i];

		pthread_mutex_lock(&shard->lock);
		count.here += shard->here;
		count.remembered += shard->nremembered;
		pthread_mutex_unlock(&shard->lock);
	}
	return count;
}

void
clients_free(struct clients *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &c->shards[i];

		assert(shard->here == 0);
		while (!TAILQ_EMPTY(&shard->remembered))
			shard_forget(c, shard,
			    TAILQ_FIRST(&shard->remembered));
		slab_done(&shard->slab);
		pthread_mutex_destroy(&shard->lock);
	}
	free(c->buckets);
	free(c);
}
