/* The option table, as its readers inside this layer see it. */
#ifndef SLUICE_CONFIG_ROWS_H
#define SLUICE_CONFIG_ROWS_H

#include "config/option.h"
#include "document.h"

struct option;

/* One value on its way from text to a field. */
struct setting {
	struct arena	    *arena;
	struct report	    *report;
	const struct option *option;
	void		    *owner; /* a global_conf, listener_conf, ... */
	const char	    *text;  /* not empty */
	struct origin	     origin;
};

/* One value on its way back. */
#define ITEM_TEXT 384
struct item {
	char	      text[ITEM_TEXT];
	struct origin origin;
	const char   *key; /* NULL: the option's own */
};

struct option_type {
	/* Returns false after saying what is wrong. */
	bool (*set)(const struct setting *);
	/* The nth value (0 alone but for lists), or false: there is none.
	 * Sets origin and key only where an item has some of its own. */
	bool (*get)(const struct option *, const void *owner, size_t n,
	    struct item *);
	/* What may be written, for messages and --help-config. */
	const char *(*form)(const struct option *, char *text);
};
#define FORM_TEXT 128

struct option {
	enum section_kind	  kind;
	const char		 *key;
	const struct option_type *type;
	size_t			  offset;   /* of the field in its owner */
	const char		 *standard; /* default text; NULL: unset, and ... */
	const char		 *example;  /* ... this shows a value instead */
	uint64_t		  min, max; /* of a number or a duration */
	const char		 *zero;	    /* a word that means 0 */
	const char *const	 *words;    /* of TYPE_WORD, NULL-ended */
	bool			  list;
	const char		 *beside; /* the other key of its list, so that
					     the order of both is kept */
	bool			  shared; /* may stand in [defaults] */
	bool			  restart; /* a reload does not change it */
	const char		 *doc;
};

extern const struct option OPTIONS[];
extern const size_t	   OPTION_COUNT;

/* "[listener NAME]", and what such a section is for. */
const char *section_title(enum section_kind);
const char *section_purpose(enum section_kind);

/* The row of a key in a section; in [defaults] that of a listener or upstream.
 */
const struct option *option_find(enum section_kind, const char *key);

/* Whether lines with the key go into the option's list. */
bool option_takes(const struct option *, const char *key);

/* Whether a line with the option may stand in such a section. */
bool option_belongs(const struct option *, enum section_kind);

static inline size_t
option_index(const struct option *option)
{
	return (size_t)(option - OPTIONS);
}

static inline void *
setting_field(const struct setting *setting)
{
	return (char *)setting->owner + setting->option->offset;
}

static inline const void *
option_field(const struct option *option, const void *owner)
{
	return (const char *)owner + option->offset;
}

/* Writes a text in lines of 79 columns, each behind 'indent'. */
void option_wrap(FILE *out, const char *indent, const char *text);

/* Reports the key and the text right behind it; returns false for the setter to
 * return. */
bool setting_wrong(const struct setting *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "on", "yes", "true" and their opposites; false for anything else. */
bool bool_parse(const char *text, bool *value);

/* types_plain.c */
extern const struct option_type TYPE_BOOL;
extern const struct option_type TYPE_NUMBER;
extern const struct option_type TYPE_SIZE;
extern const struct option_type TYPE_DURATION;
extern const struct option_type TYPE_SECONDS; /* a duration without ms */
extern const struct option_type TYPE_WORD;    /* one of option.words */
extern const struct option_type TYPE_NAME;    /* of an upstream */

/* types_path.c */
extern const struct option_type TYPE_PATH;  /* absolute, off, or option.zero */
extern const struct option_type TYPE_INCLUDE; /* read before there are values */
extern const struct option_type TYPE_LOG;   /* stderr, syslog, file:PATH */
extern const struct option_type TYPE_ACCESS; /* that, on or off */
extern const struct option_type TYPE_ACCOUNT; /* a user or group of the system */

/* types_bytes.c */
extern const struct option_type TYPE_BYTES; /* text with escapes, or hex:... */

/* type_absence.c */
extern const struct option_type TYPE_ABSENCE; /* an absence_conf */

/* types_rate.c */
extern const struct option_type TYPE_RATE; /* off, or so many in a time */

/* types_access.c */
extern const struct option_type TYPE_RULE; /* of allow and deny */

/* types_proxy.c */
extern const struct option_type TYPE_PROXIES; /* ranges of accept_proxy_from */

/* types_listen.c */
extern const struct option_type TYPE_MODE;  /* octal */
extern const struct option_type TYPE_OWNER; /* an owner_conf */
extern const struct option_type TYPE_INTERFACE;

/* types_dns.c */
extern const struct option_type TYPE_DNS_SERVER; /* ADDR or ADDR:PORT */

/* types_addr.c, type_server.c and type_route.c */
extern const struct option_type TYPE_HOST;
extern const struct option_type TYPE_ADMIN;
extern const struct option_type TYPE_BIND;
extern const struct option_type TYPE_SERVER;
extern const struct option_type TYPE_ROUTE;
extern const struct option_type TYPE_SOURCE;

#endif
