/* The head of the status page: what is at a glance. */
#include "page.h"
#include "reload.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/human.h"
#include "control/version.h"
#include "status.h"

#define REFRESH_S	5
#define REFRESH_FIRST_S 2 /* until there are rates */

#define SPARK_WIDTH  180
#define SPARK_HEIGHT 32

/* Amber and red are for what somebody should look at. */
static const char STYLE[] =
	":root{color-scheme:light dark;--ink:#1c2430;--dim:#5d6b7c;"
	"--page:#f4f6f8;--card:#fff;--line:#dfe4ea;--good:#16794c;"
	"--goodbg:#dcf3e6;--warn:#8a5a00;--warnbg:#fdeecb;--bad:#b3261e;"
	"--blue:#2563c9;--bluebg:#2563c922}"
	"@media(prefers-color-scheme:dark){:root{--ink:#e4e9ef;--dim:#93a1b2;"
	"--page:#11161c;--card:#1a212a;--line:#2c3642;--good:#6fd6a1;"
	"--goodbg:#143524;--warn:#f0c060;--warnbg:#3b2f10;--bad:#ff8d85;"
	"--blue:#7db1ff;--bluebg:#7db1ff22}}"
	"*{box-sizing:border-box}"
	"body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);"
	"background:var(--page);max-width:72rem;margin:0 auto;"
	"padding:1.5rem 1rem 2rem}"
	"h1{font-size:1.6rem;line-height:1.2;margin:0;display:inline-block;"
	"vertical-align:middle;margin-right:.6rem}"
	"h2{font-size:1.05rem;margin:2rem 0 .5rem}"
	"p{margin:.4rem 0 0;color:var(--dim);overflow-wrap:anywhere}"
	"a{color:var(--blue)}"
	".pill{font-size:.85rem;font-weight:600;padding:.1rem .7rem;"
	"border-radius:1rem;vertical-align:middle;color:var(--good);"
	"background:var(--goodbg)}"
	".pill.w{color:var(--warn);background:var(--warnbg)}"
	".tiles{display:grid;gap:.75rem;margin-top:1.25rem;"
	"grid-template-columns:repeat(auto-fit,minmax(13rem,1fr))}"
	".tile,.box{background:var(--card);border:1px solid var(--line);"
	"border-radius:.6rem}"
	".tile{padding:.8rem 1rem .6rem}"
	".tile b{display:block;font-size:1.7rem;line-height:1.25;"
	"font-weight:650;font-variant-numeric:tabular-nums}"
	".tile small,.tile span{color:var(--dim);font-size:.85rem}"
	".tile b small{font-weight:400}"
	"svg{display:block;width:100%;height:2rem;margin-top:.35rem}"
	"polyline{fill:none;stroke:var(--blue);stroke-width:1.5;"
	"vector-effect:non-scaling-stroke}"
	"polygon{fill:var(--bluebg)}"
	".box{overflow-x:auto}"
	"table{border-collapse:collapse;width:100%}"
	"th,td{text-align:left;padding:.4rem .9rem;vertical-align:top;"
	"border-top:1px solid var(--line)}"
	"tr:first-child th{border-top:0;color:var(--dim);font-size:.85rem;"
	"font-weight:500;white-space:nowrap}"
	"td{overflow-wrap:anywhere}"
	"td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;"
	"white-space:nowrap}"
	"td i,.dim{color:var(--dim);font-style:normal}"
	".bad{color:var(--bad)}"
	"footer{margin-top:2rem;color:var(--dim);font-size:.9rem}"
	"footer a{margin-right:1rem}"
	"@media(max-width:44rem){"
	".tiles{grid-template-columns:1fr 1fr}.tile{padding:.6rem .75rem}"
	".tile b{font-size:1.35rem}"
	"table,tbody{display:block}"
	"tr{display:grid;gap:.2rem .6rem;"
	"grid-template-columns:repeat(auto-fill,minmax(4.9rem,1fr));"
	"padding:.6rem .75rem;border-top:1px solid var(--line)}"
	"tr:first-child,td:empty{display:none}"
	"tr:nth-child(2){border-top:0}"
	"td,td.n{border:0;padding:0;text-align:left;white-space:normal}"
	"td.h{grid-column:1/-1}td.h:first-child{font-weight:600}"
	"td[data-l]::before{content:attr(data-l);display:block;"
	"color:var(--dim);font-size:.8rem}}";

void
page_text(struct evbuffer *out, const char *text)
{
	size_t plain;

	for (; *text != '\0'; text += plain) {
		plain = strcspn(text, "<>&\"'");
		evbuffer_add(out, text, plain);
		if (plain > 0)
			continue;
		evbuffer_add_printf(out, "&#%d;", *text);
		plain = 1;
	}
}

void
page_number(struct evbuffer *out, uint64_t value)
{
	if (value >= 1000) {
		page_number(out, value / 1000);
		evbuffer_add_printf(out, ",%03u", (unsigned)(value % 1000));
	} else {
		evbuffer_add_printf(out, "%u", (unsigned)value);
	}
}

/* --- a minute as a line */

static double
spark_value(const struct rate *rate, size_t offset)
{
	double value;

	memcpy(&value, (const char *)rate + offset, sizeof(value));
	return value;
}

static double
spark_peak(const struct rates *rates, size_t offset)
{
	double peak = 0, value;
	struct rate rate;

	for (unsigned ago = 0; rates_second(rates, ago, &rate); ago++)
		if ((value = spark_value(&rate, offset)) > peak)
			peak = value;
	return peak;
}

static void
spark_points(struct evbuffer *out, const struct rates *rates, size_t offset,
    double peak)
{
	struct rate rate;

	for (unsigned ago = 0; rates_second(rates, ago, &rate); ago++)
		evbuffer_add_printf(out, "%.1f,%.1f ", SPARK_WIDTH -
		    (double)ago * SPARK_WIDTH / (RATES_SECONDS - 1),
		    SPARK_HEIGHT - 1 - spark_value(&rate, offset) / peak *
		    (SPARK_HEIGHT - 3));
}

static void
spark(struct evbuffer *out, const struct rates *rates, size_t offset)
{
	double peak = spark_peak(rates, offset);
	struct rate rate;
	unsigned seconds = 0;

	while (rates_second(rates, seconds, &rate))
		seconds++;
	evbuffer_add_printf(out, "<svg viewBox=\"0 0 %d %d\" "
	    "preserveAspectRatio=none role=img aria-label=\"the last "
	    "minute\">", SPARK_WIDTH, SPARK_HEIGHT);
	if (seconds > 1) {
		peak = peak > 0 ? peak : 1;
		evbuffer_add_printf(out, "<polygon points=\"%d,%d ",
		    SPARK_WIDTH, SPARK_HEIGHT);
		spark_points(out, rates, offset, peak);
		evbuffer_add_printf(out, "%.1f,%d\"/><polyline points=\"",
		    SPARK_WIDTH - (double)(seconds - 1) * SPARK_WIDTH /
		    (RATES_SECONDS - 1), SPARK_HEIGHT);
		spark_points(out, rates, offset, peak);
		evbuffer_add_printf(out, "\"/>");
	}
	evbuffer_add_printf(out, "</svg>");
}

/* --- tiles */

static void
rate_text(struct evbuffer *out, double value, bool bytes)
{
	char text[HUMAN_TEXT];

	if (bytes)
		evbuffer_add_printf(out, "%s",
		    human_bytes((uint64_t)(value + 0.5), text));
	else
		evbuffer_add_printf(out, value > 0 && value < 10 ? "%.1f" :
		    "%.0f", value);
}

static void
rate_tile(struct report *r, const char *title, size_t offset, bool bytes)
{
	static const unsigned spans[] = { 1, 10, 60 };
	const struct rates *rates = r->view->rates;
	struct rate rate;

	evbuffer_add_printf(r->out, "<div class=tile><span>%s</span>", title);
	for (size_t i = 0; i < 3; i++) {
		bool known = rates_get(rates, RATES_TOTAL, spans[i], &rate);

		evbuffer_add_printf(r->out, i == 0 ? "<b>" : i == 1 ?
		    "<small>%us: " : " &middot; %us: ", spans[i]);
		if (known)
			rate_text(r->out, spark_value(&rate, offset), bytes);
		else
			evbuffer_add_printf(r->out, "&ndash;");
		if (i == 0)
			evbuffer_add_printf(r->out, " <small>%s/s</small></b>",
			    bytes ? "B" : "");
	}
	evbuffer_add_printf(r->out, "</small>");
	spark(r->out, rates, offset);
	evbuffer_add_printf(r->out, "</div>");
}

static void
sessions_tile(struct report *r, const struct status *status)
{
	evbuffer_add_printf(r->out, "<div class=tile><span>Sessions now</span>"
	    "<b>");
	page_number(r->out, status->sessions);
	evbuffer_add_printf(r->out, "</b><small>of ");
	page_number(r->out, status->max_sessions);
	evbuffer_add_printf(r->out, " &middot; ");
	page_number(r->out, status->begun);
	evbuffer_add_printf(r->out, " begun</small>");
	spark(r->out, r->view->rates, offsetof(struct rate, now));
	evbuffer_add_printf(r->out, "</div>");
}

static void
head_tiles(struct report *r, const struct status *status)
{
	evbuffer_add_printf(r->out, "<div class=tiles>");
	sessions_tile(r, status);
	rate_tile(r, "New sessions", offsetof(struct rate, sessions), false);
	rate_tile(r, "To upstreams", offsetof(struct rate, to_upstream), true);
	rate_tile(r, "To clients", offsetof(struct rate, to_client), true);
	evbuffer_add_printf(r->out, "</div>\n");
}

/* --- the head */

static void
head_open(struct report *r, const char *host)
{
	struct rate rate;
	bool known = rates_get(r->view->rates, RATES_TOTAL, 1, &rate);

	evbuffer_add_printf(r->out, "<!doctype html>\n<html lang=en><head>"
	    "<meta charset=utf-8><meta name=viewport "
	    "content=\"width=device-width\"><meta http-equiv=refresh "
	    "content=%d><title>Sluice on ", known ? REFRESH_S :
	    REFRESH_FIRST_S);
	page_text(r->out, host);
	evbuffer_add_printf(r->out, "</title><style>%s</style></head><body>\n",
	    STYLE);
}

static void
head_title(struct report *r, const char *host)
{
	const struct admin_view *view = r->view;
	char age[HUMAN_TEXT];

	evbuffer_add_printf(r->out, "<h1>Sluice</h1><span class=\"pill%s\">%s"
	    "</span><p>Running for %s on ", status_ready(view) ? "" : " w",
	    status_word(view),
	    status_age(view, age));
	page_text(r->out, host);
	evbuffer_add_printf(r->out, " as process %d, with ", (int)getpid());
	if (view->path != NULL)
		page_text(r->out, view->path);
	else
		evbuffer_add_printf(r->out, "what the command line says");
	evbuffer_add_printf(r->out, "</p>\n");
	if (!view->reload->last_failed)
		return;
	evbuffer_add_printf(r->out, "<p><b>What the file says by now is not in "
	    "use</b>: ");
	page_text(r->out, view->reload->why);
	evbuffer_add_printf(r->out, "</p>\n");
}

void
page_head(struct report *r)
{
	struct utsname host = { .nodename = "" };
	struct status status;

	uname(&host);
	rates_look(r->view->rates);
	status_sum(r->view, &status);
	head_open(r, host.nodename);
	head_title(r, host.nodename);
	head_tiles(r, &status);
}
