"""What a viewer does with the page, and what it says when the service does not answer."""

import re

from harness import FIGURES, PHONE, THEMES, WIDE, Tab, api, picture, replaying

# Moves the bar of a replay, in one go: while time goes on, the page moves it too.
SEEK = """
(at) => {
  const bar = document.getElementById("seek");
  bar.value = String(at);
  for (const kind of ["input", "change"]) bar.dispatchEvent(new Event(kind));
}
"""


def outage(checks, browser, address, folder):
    """The service does not answer for a while."""
    for theme in THEMES:
        for size, width in (("wide", WIDE), ("phone", PHONE)):
            with Tab(browser, address, color_scheme=theme, viewport=width) as tab:
                with checks.check(f"it is said that the service does not answer, {theme}, {size}"):
                    tab.go("/")
                    banner = tab.page.locator("#outage")
                    assert banner.is_hidden()
                    tab.page.route("**/*", lambda route: route.abort())
                    tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
                    tab.page.wait_for_selector("#outage:visible", timeout=10000)
                    said = banner.inner_text()
                    assert re.match(r"✗ The service does not answer since \d\d:\d\d:\d\d\. What is shown is from \d\d:", said), said
                    assert tab.page.title().startswith("✗"), tab.page.title()
                    picture(tab, folder, f"outage-{theme}-{size}")
                    tab.axe()
                    tab.fits()
                    tab.page.unroute("**/*")
                    tab.page.wait_for_selector("#outage", state="hidden", timeout=10000)
                    assert "answers again; no answer from" in tab.page.locator("#live").inner_text()
                    assert "✗" not in tab.page.title()
    with Tab(browser, address, viewport=WIDE) as tab, checks.check("it is said what a service that is in trouble answers"):
        tab.go("/")
        tab.page.route("**/*", lambda route: route.fulfill(status=503, body="busy"))
        tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        tab.page.wait_for_selector("#outage:has-text('answers 503 since')", timeout=10000)


def zone(checks, browser, address):
    """Times in the reader's zone, also when the page is opened again."""
    with Tab(browser, address, viewport=WIDE, timezone_id="Asia/Kolkata") as tab, checks.check("local time, and it is remembered"):
        tab.go("/")
        time = tab.page.locator("main time").first
        written = time.inner_text()
        assert written.endswith(" UTC"), written
        tab.page.locator("#zone").click()
        local = time.inner_text()
        assert local.endswith(" UTC+05:30"), local
        tab.page.wait_for_timeout(6000)
        assert time.inner_text().endswith(" UTC+05:30"), "it was renewed in UTC"
        tab.go("/")
        assert time.inner_text().endswith(" UTC+05:30"), "it was forgotten"
        tab.page.locator("#zone").click()
        assert time.inner_text().endswith(" UTC"), "it does not go back"
        tab.check()


def played(checks, browser, sockleak, trace, folder):
    """A recording, stopped and sought."""
    with replaying(sockleak, trace, "1") as (address, _):
        for theme in THEMES:
            for size, width in (("wide", WIDE), ("phone", PHONE)):
                with Tab(browser, address, color_scheme=theme, viewport=width) as tab:
                    with checks.check(f"a replay says that it is one, and obeys, {theme}, {size}"):
                        tab.go("/")
                        assert "nothing here happens now" in tab.page.locator("#replay").inner_text()
                        assert tab.page.locator("#pause").is_hidden(), "there are two buttons to pause"
                        state = lambda: api(tab, "/api/v1/replay")
                        if state()["state"] == "paused":
                            tab.page.locator("#play").click()
                        tab.page.wait_for_selector("#play:has-text('Pause')")
                        tab.page.locator("#play").click()
                        tab.page.wait_for_selector("#play:has-text('Play')")
                        assert state()["state"] == "paused", state()
                        # Half an hour later than the beginning, after a moment that is later still.
                        begin = state()["begin_ms"]
                        for minutes in (50, 30):
                            tab.page.evaluate(SEEK, begin + minutes * 60_000)
                            tab.page.wait_for_function(
                                "async (at) => (await (await fetch('/api/v1/replay')).json()).at_ms === at",
                                arg=begin + minutes * 60_000, timeout=20000,
                            )
                            tab.page.wait_for_function(
                                "(at) => Number(document.querySelector(\"time[data-api='/at_ms']\").dataset.value) === at",
                                arg=begin + minutes * 60_000, timeout=20000,
                            )
                        tab.page.wait_for_selector("#moment:has-text('03:50:45')", timeout=10000)
                        tab.page.locator("#speed").select_option("60")
                        tab.page.wait_for_function(
                            "async () => (await (await fetch('/api/v1/replay')).json()).speed === 60", timeout=20000
                        )
                        assert state()["state"] == "paused", state()
                        count, wrong = tab.page.evaluate(FIGURES)
                        assert count >= 10 and not wrong, "; ".join(wrong[:5])
                        picture(tab, folder, f"replay-{theme}-{size}")
                        tab.check()
                        tab.fits()
                        tab.axe()
    with replaying(sockleak, trace, "1") as (address, _):
        with Tab(browser, address, java_script_enabled=False) as tab, checks.check("a replay says that it is one without script"):
            tab.go("/")
            assert "nothing here happens now" in tab.page.locator("#replay").inner_text()
            assert tab.page.locator("#controls").is_hidden()
