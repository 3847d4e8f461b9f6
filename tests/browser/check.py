"""Looks at the page and at a report in Chromium, as people with eyes, a keyboard, or neither script nor colours would.

check.py CHROMIUM SERVE-SCENE SOCKLEAK REPORT.html LEAK.db DEMO.db PICTURES
"""

import sys
from pathlib import Path
from urllib.parse import quote

from charts import charts, dragged, recorded_times, sparks
from controls import outage, played, zone
from harness import (
    FIGURES, PHONE, THEMES, TOKEN, WIDE, Checks, Tab, api, chromium, next_line, picture, replaying, serving,
)
from tables import tables

# What can be reached by the keyboard.
REACHABLE = """
() => {
  const all = [...document.querySelectorAll("a[href], button, summary, input:not([type=hidden]), select, [tabindex='0']")];
  window.reachable = all.filter((it) => it.checkVisibility());
  return reachable.length;
}
"""
FOCUSED = """
() => {
  const it = document.activeElement;
  if (it === document.body || it === document.documentElement) return null;
  const style = getComputedStyle(it);
  const bar = it.querySelector(".bar");
  const shown = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1
    || (bar && getComputedStyle(bar).strokeWidth === "3px");
  return [window.reachable.indexOf(it), Boolean(shown), it.outerHTML.slice(0, 90)];
}
"""


def views(tab):
    """Every view, with a name for its picture."""
    snapshot = api(tab, "/api/v1/snapshot")
    sockets = [socket["path"] for socket in snapshot["sockets"]]
    closed = api(tab, "/api/v1/connections?state=closed&limit=1")["connections"]
    master = next(path for path in sockets if path.endswith("ma.sock"))
    other = next(path for path in sockets if path != master)
    given_up = api(tab, f"/api/v1/connections?state=client-closed&socket={quote(master)}")["connections"]
    held = api(tab, f"/api/v1/connections?state=open&socket={quote(master)}")["connections"]
    return [
        ("overview", "/"),
        ("socket", f"/socket?path={quote(master)}"),
        ("socket-of-a-hostile-program", f"/socket?path={quote(other)}&range=15m"),
        ("connection", f"/connection/{held[-1]['connection']}"),
        ("connection-given-up", f"/connection/{given_up[0]['connection']}"),
        ("connection-closed", f"/connection/{closed[0]['connection']}"),
        ("explain", "/explain/client-leak"),
    ]


def look(checks, browser, address, folder):
    """Both themes, both widths, every view."""
    for theme in THEMES:
        for size, width in (("wide", WIDE), ("phone", PHONE)):
            with Tab(browser, address, color_scheme=theme, viewport=width) as tab:
                for name, path in views(tab):
                    with checks.check(f"{name}, {theme}, {size}"):
                        assert tab.go(path).status == 200
                        picture(tab, folder, f"{name}-{theme}-{size}")
                        tab.check()
                        tab.fits()
                        tab.axe()
            with Tab(browser, address, color_scheme=theme, viewport=width) as tab, checks.check(f"nothing there, {theme}, {size}"):
                assert tab.go("/connection/999999").status == 404
                # Browsers tell of the status in their console.
                tab.complaints.clear()
                tab.fits()
                tab.axe()


def figures(checks, browser, address):
    for script in (True, False):
        with Tab(browser, address, viewport=WIDE, java_script_enabled=script) as tab:
            for name, path in views(tab):
                with checks.check(f"figures of {name}, {'with' if script else 'without'} script"):
                    tab.go(path)
                    if script:
                        count, wrong = tab.page.evaluate(FIGURES)
                        assert not wrong, "; ".join(wrong[:5])
                    else:
                        # It is whole as it comes.
                        count = tab.page.locator("[data-api]").count()
                        assert tab.page.locator("#pause").is_hidden()
                    # What a verdict means is prose.
                    assert (count == 0) if name == "explain" else (count >= 10), f"{count} figures"


def keyboard(checks, browser, address):
    with Tab(browser, address, viewport=WIDE) as tab:
        for name, path in views(tab):
            with checks.check(f"{name} by keyboard"):
                tab.go(path)
                tab.page.keyboard.press("Tab")
                assert tab.page.evaluate("document.activeElement.className") == "skip", "the first stop is no skip link"
                tab.page.keyboard.press("Enter")
                assert tab.page.evaluate("document.activeElement.id") == "main", "it does not skip"
                tab.go(path)
                # What is renewed meanwhile would be counted twice.
                tab.page.evaluate("document.getElementById('pause').click()")
                wanted = tab.page.evaluate(REACHABLE)
                reached = set()
                for _ in range(wanted + 5):
                    tab.page.keyboard.press("Tab")
                    focused = tab.page.evaluate(FOCUSED)
                    if focused is None:
                        break
                    place, shown, what = focused
                    assert shown, f"no focus is seen on {what}"
                    reached.add(place)
                assert reached == set(range(wanted)), f"{len(reached)} of {wanted} are reached"


def motion(checks, browser, address):
    with Tab(browser, address, viewport=WIDE, reduced_motion="reduce") as tab, checks.check("nothing moves by itself"):
        tab.go("/")
        assert tab.page.evaluate("document.getAnimations().length") == 0


def password(checks, browser, address):
    who = {"username": "anybody", "password": TOKEN}
    secret = "/etc/ssl/private"
    with Tab(browser, address, http_credentials=who) as tab, checks.check("command lines with the token"):
        tab.go("/login")
        assert tab.page.url == f"{address}/", tab.page.url
        for name, path in views(tab)[3:4]:
            tab.go(path)
            assert secret in tab.page.content(), name
        tab.complaints.clear()
    with Tab(browser, address) as tab, checks.check("no command lines without it"):
        for name, path in views(tab):
            tab.go(path)
            assert secret not in tab.page.content(), name


def live(checks, browser, address):
    with Tab(browser, address, viewport=WIDE) as tab:
        with checks.check("events are shown as they happen"):
            tab.go("/socket?path=/run/service/control.sock&range=15m")
            opened = tab.page.locator("[data-api$='programs/*/opened']").first
            before = int(opened.get_attribute("data-value"))
            link = tab.page.locator("table.connections a").first
            link.focus()
            tab.page.evaluate("document.activeElement.mark = 'kept'")
            tab.page.wait_for_selector("#event-list li:nth-child(12)", timeout=15000)
            for what in ("connects", "accepts", "client end released (close)", "server end released (close)"):
                tab.page.wait_for_selector(f"#event-list li:has-text('{what}')", timeout=15000)
            assert tab.page.locator("#event-list li").count() == 12
        with checks.check("figures and lanes follow, and the focus stays"):
            tab.page.wait_for_function(
                "(old) => Number(document.querySelector(\"[data-api$='programs/*/opened']\").dataset.value) > old",
                arg=before, timeout=20000,
            )
            tab.page.wait_for_selector("#lanes text:has-text('○')", state="attached", timeout=15000)
            assert tab.page.evaluate("document.activeElement.mark") == "kept"
            assert tab.page.locator("#live").inner_text() == "live"
        with checks.check("paused, nothing changes"):
            tab.page.locator("#pause").click()
            tab.page.wait_for_timeout(300)
            still = tab.page.locator("main").inner_html()
            tab.page.wait_for_timeout(6000)
            assert tab.page.locator("main").inner_html() == still
            assert tab.page.locator("#pause").get_attribute("aria-pressed") == "true"
        with checks.check("what was live had nothing to complain of"):
            tab.page.locator("#pause").click()
            tab.page.wait_for_timeout(1500)
            tab.check()
            tab.axe()


def any_views(tab):
    """The overview, each socket, and a connection in each state that there is."""
    sockets = [socket["path"] for socket in api(tab, "/api/v1/snapshot")["sockets"]]
    connections = api(tab, "/api/v1/connections?limit=1000")["connections"]
    connections += api(tab, "/api/v1/connections?state=closed&limit=1")["connections"]
    of_each = {connection["state"]: connection["connection"] for connection in connections}
    assert sockets and of_each, "nothing was replayed"
    return (
        [("overview", "/")]
        + [(f"socket {path}", f"/socket?path={quote(path)}") for path in sockets]
        + [(f"{state} connection", f"/connection/{number}") for state, number in sorted(of_each.items())]
    )


def replayed(checks, browser, sockleak, trace, folder):
    """A recording, at the end of which nothing changes any more."""
    name = Path(trace).stem
    with replaying(sockleak, trace, "max") as (address, replay):
        assert "the end is reached" in next_line(replay, replay.stderr)
        for theme in THEMES:
            for size, width in (("wide", WIDE), ("phone", PHONE)):
                with Tab(browser, address, color_scheme=theme, viewport=width) as tab:
                    for view, path in any_views(tab):
                        with checks.check(f"{name} replayed: {view}, {theme}, {size}"):
                            assert tab.go(path).status == 200
                            picture(tab, folder, f"{name}-{view.split('/')[-1].replace(' ', '-')}-{theme}-{size}")
                            count, wrong = tab.page.evaluate(FIGURES)
                            assert not wrong, "; ".join(wrong[:5])
                            assert count >= 10, f"{count} figures"
                            tab.check()
                            tab.fits()
                            tab.axe()


def demo_live(checks, browser, sockleak, trace):
    """What really happened, as if it happened now."""
    # Slowly: the last of what happens is not to be over before the page is there.
    with replaying(sockleak, trace, "0.5") as (address, replay), Tab(browser, address, viewport=WIDE) as tab:
        with checks.check("the demo as it happens: events, lanes, figures"):
            tab.page.goto(f"{address}/", wait_until="load")
            link = tab.page.locator("a[href*='ma.sock']").first
            link.wait_for(timeout=30000)
            link.click()
            for what in ("connects", "accepts"):
                tab.page.wait_for_selector(f"#event-list li:has-text('{what}')", timeout=60000)
            assert "the end is reached" in next_line(replay, replay.stderr)
            held = api(tab, "/api/v1/connections")["total"]
            assert held == 4, f"{held} connections are held"
            # What is shown comes up with what is known.
            tab.page.wait_for_function(f"async () => !(await ({FIGURES})())[1].length", timeout=15000)
            tab.check()


def report(checks, browser, file, folder):
    address = Path(file).resolve().as_uri()
    for theme in THEMES:
        for size, width in (("wide", WIDE), ("phone", PHONE)):
            with Tab(browser, address, color_scheme=theme, viewport=width) as tab, checks.check(f"report, {theme}, {size}"):
                tab.go(None)
                picture(tab, folder, f"report-{theme}-{size}")
                tab.check()
                tab.fits()
                tab.axe()


def demo(browser, address, folder):
    """Pictures of what might be, for the documentation."""
    for theme in THEMES:
        for size, width in (("wide", WIDE), ("phone", PHONE)):
            with Tab(browser, address, color_scheme=theme, viewport=width) as tab:
                master = "/run/haproxy/ma.sock"
                held = api(tab, f"/api/v1/connections?state=open&socket={quote(master)}")["connections"]
                for name, path in (
                    ("overview", "/"),
                    ("socket", f"/socket?path={quote(master)}"),
                    ("connection", f"/connection/{held[0]['connection']}"),
                ):
                    tab.go(path)
                    picture(tab, folder, f"demo-{name}-{theme}-{size}")


def main():
    executable, serve, sockleak, file, leak, recorded, pictures = sys.argv[1:]
    folder = Path(pictures)
    folder.mkdir(parents=True, exist_ok=True)
    checks = Checks()
    with chromium(executable) as browser:
        report(checks, browser, file, folder)
        with serving(serve, sockleak) as address:
            look(checks, browser, address, folder)
            figures(checks, browser, address)
            keyboard(checks, browser, address)
            motion(checks, browser, address)
            password(checks, browser, address)
            outage(checks, browser, address, folder)
            zone(checks, browser, address)
            charts(checks, browser, address, folder)
            dragged(checks, browser, address, folder)
            sparks(checks, browser, address, folder)
            tables(checks, browser, address, folder)
        with serving(serve, sockleak, "9", "40") as address:
            live(checks, browser, address)
        for trace in (leak, recorded):
            replayed(checks, browser, sockleak, trace, folder)
        played(checks, browser, sockleak, leak, folder)
        recorded_times(checks, browser, sockleak, leak)
        demo_live(checks, browser, sockleak, recorded)
        with serving(serve, sockleak, "demo") as address:
            demo(browser, address, folder)
    print(f"browser: {checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
