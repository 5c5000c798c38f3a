#include "base/human.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE UINT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static void
durations(void **state)
{
	static const struct {
		uint64_t    ms;
		const char *text;
	} rows[] = {
		{ 0, "0ms" }, { 999, "999ms" }, { 1000, "1.0s" },
		{ 5250, "5.2s" }, { MINUTE - 1, "59.9s" }, { MINUTE, "1m00s" },
		{ 12 * MINUTE + 5999, "12m05s" }, { HOUR - 1, "59m59s" },
		{ HOUR, "1h00m" }, { 3 * HOUR + 7 * MINUTE, "3h07m" },
		{ DAY - 1, "23h59m" }, { 4 * DAY + 3 * HOUR, "4d03h" },
		{ 100 * DAY, "100d" }, { UINT64_MAX, "213503982334d" },
	};
	char text[HUMAN_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(human_duration(rows[i].ms, text),
		    rows[i].text);
}

static void
bytes(void **state)
{
	static const struct {
		uint64_t    bytes;
		const char *text;
	} rows[] = {
		{ 0, "0" }, { 999, "999" }, { 1000, "1.0k" }, { 1024, "1.0k" },
		{ 1536, "1.5k" }, { 1023948, "999.9k" }, { 1023949, "1.0M" },
		{ 1023 * 1024, "1.0M" }, { 1 << 20, "1.0M" },
		{ UINT64_C(45) << 30, "45.0G" }, { UINT64_MAX, "16.0E" },
	};
	char text[HUMAN_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(human_bytes(rows[i].bytes, text),
		    rows[i].text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(bytes),
	};

	return cmocka_run_group_tests_name("human", tests, NULL, NULL);
}
