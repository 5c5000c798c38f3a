/* The lines of a configuration by section, before they are values: what the
 * file, -L and --set agree on. */
#ifndef SLUICE_CONFIG_DOCUMENT_H
#define SLUICE_CONFIG_DOCUMENT_H

#include "report.h"

enum section_kind {
	SECTION_GLOBAL,
	SECTION_DEFAULTS,
	SECTION_LISTENER,
	SECTION_UPSTREAM,
};
#define SECTION_KINDS 4
#define SECTION_NAME  32 /* bytes of a listener's or upstream's name */

struct entry {
	struct entry *next;
	const char   *key; /* the option table's */
	const char   *value;
	struct origin origin;
	bool	      bad; /* reported; not to be tried again */
};

struct section {
	struct section	 *next;
	enum section_kind kind;
	const char	 *name; /* "" for global and defaults */
	struct origin	  origin; /* of the last of its headers */
	bool		  again;  /* a second one of its name: only checked */
	bool		  unsure; /* a line of it was not understood */
	void		 *owner;  /* the listener_conf, ...; not ours */
	struct entry	 *entries, **last;
};

struct document {
	struct arena   *arena;	/* not ours */
	struct report  *report; /* not ours */
	struct section *sections, **last;
	bool		unsure; /* a section's header was not understood */
	bool		alone;	/* a text in memory, which names no files */
	const char     *sought; /* the key of [global] that alone matters, and */
	bool		lost;	/* what was not understood may have been it;
				   or NULL */
};

void document_init(struct document *, struct arena *, struct report *);

/* "global", "defaults", "listener", "upstream". */
const char *section_word(enum section_kind);

/* "[listener pg]" or "[global]", as a person writes it. */
#define SECTION_TEXT 64
const char *section_text(const struct section *, char *text);

/* Whether 'word' is the name of a kind of section; if not, that is reported
 * with the nearest one. */
bool section_kind_parse(struct document *, struct origin, const char *word,
    enum section_kind *);

/* Whether it is made of a name's bytes, and not too long. */
bool section_name_valid(const char *name);

/* Whether a section of that kind may have the name ("" is none given); if not,
 * that is reported. */
bool section_name_check(struct document *, struct origin, enum section_kind,
    const char *name);

/* A line of a section, or of an unknown one (NULL), was not understood: is it the
 * key that is sought?  'key' is NULL where it is not known either. */
void document_miss(struct document *, const struct section *, const char *key);

/* Whether the key that is sought stands there once and its value could be read,
 * or does not stand there for sure. */
bool document_knows(const struct document *);

/* The section of that name, or NULL; "" means "default" where there are names.
 */
struct section *document_find(const struct document *, enum section_kind,
    const char *name);

/* Adds a section, reporting one that exists already; [global] and [defaults]
 * may stand in every file once, and are one.  NULL without memory. */
struct section *document_section(struct document *, enum section_kind,
    const char *name, struct origin);

/* Adds a line.  An unknown key, one of another section and a second one where
 * one is allowed are reported. */
void document_add(struct document *, struct section *, const char *key,
    const char *value, struct origin);

/* As document_add, but what the file says for the key is dropped. */
void document_replace(struct document *, struct section *, const char *key,
    const char *value, struct origin);

/* The lines of --set and -L; see config.h. */
void arguments_add_forwards(struct document *, const char *const *forwards);
void arguments_add_sets(struct document *, const char *const *sets);

/* Reads a file into the document; inih is behind this call only. */
struct reader;
void document_parse(struct document *, struct reader *);

#endif
