#include "names.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/option.h"
#include "name_text.h"

struct entry {
	TAILQ_ENTRY(entry) link;
	struct names	  *names;
	struct name	   name;
	char		  *host;     /* owned */
	struct addr	  *addrs;    /* owned, as are the services */
	struct dns_service *services;
	struct event	   timer;
	struct dns_query  *query;    /* that runs; or NULL */
	struct origin	   origin;   /* of the line that leads here */
	bool		   wanted;   /* by a line or an SRV record */
	bool		   owed;     /* an answer, to who waits for it */
};
TAILQ_HEAD(entry_list, entry);

struct names {
	struct event_base	   *base;
	struct dns		   *dns;
	const struct config	   *config;
	const struct upstream_conf *conf;
	bool			    quiet;
	names_changed		   *changed;
	void			   *arg;
	struct entry_list	    list;
};

bool
upstream_has_names(const struct upstream_conf *conf)
{
	for (size_t i = 0; i < conf->nservers; i++)
		if (conf->servers[i].host != NULL)
			return true;
	return false;
}

static enum dns_kind
server_kind(const struct server_conf *server)
{
	return server->srv ? DNS_SERVICES : DNS_ADDRESSES;
}

/* --- what becomes of a question */

static void
entry_forget(struct entry *e)
{
	free(e->addrs);
	free(e->services);
	e->addrs = NULL;
	e->services = NULL;
	e->name.addrs = NULL;
	e->name.services = NULL;
	e->name.naddrs = 0;
	e->name.nservices = 0;
}

static void
entry_bad(struct entry *e, const char *why)
{
	struct names *names = e->names;

	if (!names->quiet)
		name_log_bad(&e->name, names->config, e->origin, names->conf,
		    why);
	e->name.why = why;
	if (freshness_bad(&e->name.fresh, clock_ms()) ||
	    e->name.naddrs + e->name.nservices == 0)
		return;
	log_warn(0, "upstream %s: '%s' has not resolved for an hour: what it "
	    "gave is no longer used", names->conf->name, e->host);
	entry_forget(e);
}

static void
entry_say_half(const struct entry *e, const struct dns_reply *reply)
{
	const struct names *names = e->names;

	if (!names->quiet)
		name_log_half(&e->name, names->config, e->origin, names->conf,
		    reply);
}

static void
entry_fresh(struct entry *e, struct dns_reply *reply)
{
	struct freshness *fresh = &e->name.fresh;
	uint64_t now = clock_ms();

	if (reply->lost == 0) {
		freshness_good(fresh, now, reply->has_ttl, reply->ttl);
		return;
	}
	if (reply->lost_why != NULL)
		entry_say_half(e, reply);
	if (freshness_half(fresh, now, reply->has_ttl, reply->ttl))
		dns_reply_keep(reply, e->addrs, e->name.naddrs);
}

static void
entry_good(struct entry *e, struct dns_reply *reply)
{
	struct names *names = e->names;
	bool failed = e->name.why != NULL;

	entry_forget(e);
	e->name.addrs = e->addrs = reply->addrs;
	e->name.naddrs = reply->naddrs;
	e->name.services = e->services = reply->services;
	e->name.nservices = reply->nservices;
	e->name.why = reply->lost_why;
	*reply = (struct dns_reply){ 0 };
	if (failed && !names->quiet && names_failing(names) == 0)
		log_info("upstream %s: resolves again", names->conf->name);
}

/* Those that failed spread: a name server that comes back has many to answer.
 */
static void
entry_wait(struct entry *e)
{
	uint64_t ms = freshness_left(&e->name.fresh, clock_ms());
	struct timeval tv;

	if (e->name.why != NULL)
		ms += (uint64_t)random() % 500;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	if (event_add(&e->timer, &tv) < 0)
		log_error(-ENOMEM, "upstream %s: '%s' is not looked up again",
		    e->names->conf->name, e->host);
}

static bool names_follow(struct names *);

static void
entry_answered(void *arg, struct dns_reply *reply)
{
	struct entry *e = arg;
	struct names *names = e->names;

	e->query = NULL;
	e->owed = false;
	if (reply->why != NULL) {
		entry_bad(e, reply->why);
	} else {
		entry_fresh(e, reply);
		entry_good(e, reply);
		if (e->name.kind == DNS_SERVICES && !names_follow(names))
			entry_bad(e, "out of memory");
	}
	dns_reply_done(reply);
	entry_wait(e);
	names->changed(names->arg);
}

static void
entry_ask(struct entry *e)
{
	if (e->query != NULL)
		return;
	freshness_ask(&e->name.fresh, clock_ms());
	e->query = dns_ask(e->names->dns, e->name.kind, e->host,
	    dns_families(e->addrs, e->name.naddrs), entry_answered, e);
	if (e->query != NULL)
		return;
	e->owed = false;
	entry_bad(e, "out of memory");
	entry_wait(e);
}

static void
entry_timer_event(evutil_socket_t fd, short what, void *arg)
{
	struct entry *e = arg;

	(void)fd, (void)what;
	entry_ask(e);
	if (e->query == NULL)
		e->names->changed(e->names->arg);
}

/* --- which names there are */

static struct entry *
entry_find(const struct names *names, enum dns_kind kind, const char *host)
{
	struct entry *e;

	TAILQ_FOREACH(e, &names->list, link)
		if (e->name.kind == kind && strcasecmp(e->host, host) == 0)
			return e;
	return NULL;
}

static void
entry_free(struct entry *e)
{
	if (e->query != NULL)
		dns_cancel(e->query);
	event_del(&e->timer);
	entry_forget(e);
	free(e->host);
	free(e);
}

/* libevent keeps the memory that a timer took when it was first added. */
static int
entry_init(struct entry *e)
{
	const struct timeval tv = { .tv_sec = 1 };

	event_assign(&e->timer, e->names->base, -1, 0, entry_timer_event, e);
	if (e->host == NULL || event_add(&e->timer, &tv) < 0)
		return -ENOMEM;
	return event_del(&e->timer);
}

static struct entry *
entry_new(struct names *names, enum dns_kind kind, const char *host)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->names = names;
	e->host = strdup(host);
	e->name.host = e->host;
	e->name.kind = kind;
	if (entry_init(e) == 0)
		return e;
	entry_free(e);
	return NULL;
}

static struct entry *
names_want(struct names *names, enum dns_kind kind, const char *host,
    struct origin origin)
{
	struct entry *e = entry_find(names, kind, host);

	if (e == NULL) {
		e = entry_new(names, kind, host);
		if (e == NULL)
			return NULL;
		TAILQ_INSERT_TAIL(&names->list, e, link);
	}
	e->origin = origin;
	e->name.fresh.ttl_min = names->conf->dns_ttl_min;
	e->name.fresh.ttl_max = names->conf->dns_ttl_max;
	e->wanted = true;
	return e;
}

/* The line's own name, and the targets that it is known to have. */
static bool
names_want_line(struct names *names, const struct server_conf *server)
{
	const struct entry *e = names_want(names, server_kind(server),
	    server->host, server->origin);
	bool all = e != NULL;

	for (size_t i = 0; e != NULL && i < e->name.nservices; i++)
		all &= names_want(names, DNS_ADDRESSES,
		    e->services[i].target, server->origin) != NULL;
	return all;
}

static void
names_sweep(struct names *names)
{
	struct entry *e = TAILQ_FIRST(&names->list), *next;

	for (; e != NULL; e = next) {
		next = TAILQ_NEXT(e, link);
		if (!e->wanted) {
			TAILQ_REMOVE(&names->list, e, link);
			entry_free(e);
		}
	}
}

/* Asks for what is new, and forgets what nothing leads to any more. */
static bool
names_follow(struct names *names)
{
	bool all = true;
	struct entry *e;

	TAILQ_FOREACH(e, &names->list, link)
		e->wanted = false;
	for (size_t i = 0; i < names->conf->nservers; i++)
		if (names->conf->servers[i].host != NULL)
			all &= names_want_line(names, &names->conf->servers[i]);
	names_sweep(names);
	TAILQ_FOREACH(e, &names->list, link)
		if (e->name.fresh.asked_at == 0)
			entry_ask(e);
	return all;
}

struct names *
names_new(struct event_base *base, struct dns *dns,
    const struct config *config, const struct upstream_conf *conf, bool quiet,
    names_changed *changed, void *arg)
{
	struct names *names = malloc(sizeof(*names));

	if (names == NULL)
		return NULL;
	*names = (struct names){ .base = base, .dns = dns, .config = config,
		.conf = conf, .quiet = quiet, .changed = changed, .arg = arg };
	TAILQ_INIT(&names->list);
	if (names_follow(names))
		return names;
	names_free(names);
	return NULL;
}

bool
names_obey(struct names *names, const struct config *config,
    const struct upstream_conf *conf)
{
	names->config = config;
	names->conf = conf;
	return names_follow(names);
}

void
names_free(struct names *names)
{
	struct entry *e;

	if (names == NULL)
		return;
	while ((e = TAILQ_FIRST(&names->list)) != NULL) {
		TAILQ_REMOVE(&names->list, e, link);
		entry_free(e);
	}
	free(names);
}

/* --- what is known of them */

const struct name *
names_find(const struct names *names, enum dns_kind kind, const char *host)
{
	const struct entry *e = entry_find(names, kind, host);

	return e == NULL ? NULL : &e->name;
}

bool
names_are_settled(const struct names *names)
{
	const struct entry *e;

	if (names == NULL)
		return true;
	TAILQ_FOREACH(e, &names->list, link)
		if (!freshness_is_settled(&e->name.fresh))
			return false;
	return true;
}

const struct name *
names_at(const struct names *names, size_t n)
{
	const struct entry *e;

	if (names == NULL)
		return NULL;
	TAILQ_FOREACH(e, &names->list, link)
		if (n-- == 0)
			return &e->name;
	return NULL;
}

/* 'addr' has no port. */
static bool
entry_gave(const struct entry *e, const struct addr *addr)
{
	const struct entry *target;

	for (size_t i = 0; i < e->name.naddrs; i++)
		if (addr_equal(&e->addrs[i], addr))
			return true;
	for (size_t i = 0; i < e->name.nservices; i++) {
		target = entry_find(e->names, DNS_ADDRESSES,
		    e->services[i].target);
		if (target != NULL && entry_gave(target, addr))
			return true;
	}
	return false;
}

static void
entry_hurry(struct entry *e)
{
	if (freshness_hurry(&e->name.fresh, clock_ms()))
		entry_wait(e);
}

void
names_hurry(struct names *names, const struct addr *addr)
{
	struct addr host = *addr;
	struct entry *e;

	addr_set_port(&host, 0);
	TAILQ_FOREACH(e, &names->list, link)
		if (e->query == NULL && entry_gave(e, &host))
			entry_hurry(e);
}

void
names_owe(struct names *names)
{
	struct entry *e;

	TAILQ_FOREACH(e, &names->list, link) {
		e->owed = true;
		if (e->query == NULL)
			entry_hurry(e);
	}
}

bool
names_are_owed(const struct names *names)
{
	const struct entry *e;

	if (names == NULL)
		return false;
	TAILQ_FOREACH(e, &names->list, link)
		if (e->owed)
			return true;
	return false;
}

/* Those that are asked may have nobody to hear them any more. */
void
names_renew(struct names *names)
{
	struct entry *e;

	TAILQ_FOREACH(e, &names->list, link) {
		if (e->query != NULL) {
			dns_cancel(e->query);
			e->query = NULL;
			freshness_forget(&e->name.fresh);
		}
		entry_hurry(e);
	}
}
