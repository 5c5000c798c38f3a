/* Which addresses came and which went, in words that are not too many. */
#include "moves.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* 10.0.0.FIRST and those behind it. */
static struct endpoint_set *
a_set(size_t first, size_t count, const struct endpoint_set *before)
{
	struct endpoint_set *set = endpoint_set_new(0, count);

	assert_non_null(set);
	for (size_t i = 0; i < count; i++) {
		struct sockaddr_in in = { .sin_family = AF_INET,
			.sin_port = htons(80), .sin_addr.s_addr =
			htonl(0x0a000000 + (uint32_t)(first + i)) };
		struct addr addr;

		addr_from_sockaddr(&addr, (struct sockaddr *)&in, sizeof(in));
		for (size_t k = 0; before != NULL && k < before->count; k++)
			if (addr_equal(&before->endpoints[k].server->addr,
			    &addr))
				set->endpoints[i].server = server_state_ref(
				    before->endpoints[k].server);
		if (set->endpoints[i].server == NULL)
			set->endpoints[i].server = server_state_new(&addr);
		assert_non_null(set->endpoints[i].server);
	}
	return set;
}

static void
assert_moves(size_t first, size_t count, size_t then, size_t many,
    const char *words)
{
	struct endpoint_set *before = a_set(first, count, NULL);
	struct endpoint_set *after = a_set(then, many, before);
	char text[MOVES_TEXT];

	assert_string_equal(moves_text(before, after, text), words);
	endpoint_set_unref(before);
	endpoint_set_unref(after);
}

static void
those_that_came_and_went_are_named(void **state)
{
	(void)state;
	assert_moves(1, 2, 1, 2, "");
	assert_moves(1, 2, 1, 3, "; came 10.0.0.3:80");
	assert_moves(1, 3, 2, 2, "; went 10.0.0.1:80");
	assert_moves(1, 1, 2, 2, "; came 10.0.0.2:80, 10.0.0.3:80; went "
	    "10.0.0.1:80");
}

static void
four_at_most_are(void **state)
{
	(void)state;
	assert_moves(1, 1, 1, 5, "; came 10.0.0.2:80, 10.0.0.3:80, "
	    "10.0.0.4:80, 10.0.0.5:80");
	assert_moves(1, 9, 9, 1, "; went 10.0.0.1:80, 10.0.0.2:80, "
	    "10.0.0.3:80, 10.0.0.4:80 and 4 more");
}

/* Two names gave it. */
static void
an_address_is_named_once(void **state)
{
	struct endpoint_set *before = a_set(1, 1, NULL);
	struct endpoint_set *after = a_set(2, 2, NULL);
	char text[MOVES_TEXT];

	(void)state;
	server_state_unref(after->endpoints[1].server);
	after->endpoints[1].server = server_state_ref(
	    after->endpoints[0].server);
	assert_string_equal(moves_text(before, after, text),
	    "; came 10.0.0.2:80; went 10.0.0.1:80");
	endpoint_set_unref(before);
	endpoint_set_unref(after);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_that_came_and_went_are_named),
		cmocka_unit_test(four_at_most_are),
		cmocka_unit_test(an_address_is_named_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
