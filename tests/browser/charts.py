"""What can be read from the chart of a socket, by mouse, touch and keyboard, on a wide screen and on a phone."""

import re
from urllib.parse import quote

from harness import PHONE, THEMES, WIDE, Tab, api, picture, replaying

MASTER = "/socket?path=/run/haproxy/ma.sock"

# Letters of the chart that are shown, in pixels.
SIZES = """
() => [...document.querySelectorAll("#chart svg text")].filter((it) => it.checkVisibility()).map((it) => {
  const svg = it.ownerSVGElement;
  return parseFloat(getComputedStyle(it).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
})
"""


def plot_box(tab):
    tab.page.locator("#chart .plot").scroll_into_view_if_needed()
    return tab.page.locator("#chart .plot").bounding_box()


def read(tab):
    """The moment that is read, and what the legend says then."""
    return tab.page.locator("#probed").inner_text(), tab.page.locator("#chart .reading").all_inner_texts()


def charts(checks, browser, address, folder):
    for theme in THEMES:
        for size, width in (("wide", WIDE), ("phone", PHONE)):
            touch = {"has_touch": True} if size == "phone" else {}
            with Tab(browser, address, color_scheme=theme, viewport=width, **touch) as tab:
                with checks.check(f"a chart is read, {theme}, {size}"):
                    tab.go(MASTER)
                    assert read(tab)[0] == "none"
                    # Nothing is renewed while it is looked at.
                    tab.page.locator("#pause").click()
                    box = plot_box(tab)
                    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
                    tab.page.mouse.move(x, y) if size == "wide" else tab.page.touchscreen.tap(x, y)
                    tab.page.wait_for_selector("#chart .crosshair:visible")
                    moment, values = read(tab)
                    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", moment), moment
                    line = tab.page.locator(".crosshair").bounding_box()
                    assert abs(line["x"] - x) < box["width"] / 30, f"the line is at {line}, not at {x}"
                    # The table has the same.
                    row = tab.page.locator("#chart tbody tr", has=tab.page.locator(f"time:text-is('{moment}')"))
                    assert row.locator("td").first.text_content() == values[-1], values
                    sizes = tab.page.evaluate(SIZES)
                    assert len(sizes) > 4 and min(sizes) >= 10, f"letters of {min(sizes)} px"
                    picture(tab, folder, f"chart-{theme}-{size}")
                    tab.check()
                    tab.fits()
                    tab.axe()
    with Tab(browser, address, viewport=WIDE) as tab:
        with checks.check("a chart is read by keyboard, and stays where it is"):
            tab.go(MASTER)
            tab.page.locator("#probe input").focus()
            tab.page.keyboard.press("End")
            last = read(tab)[0]
            tab.page.keyboard.press("ArrowLeft")
            before, values = read(tab)
            assert before < last and all(values), (before, last, values)
            told = tab.page.locator("#probe input").get_attribute("aria-valuetext")
            assert told.startswith(before) and "most slots in use" in told, told
            tab.page.wait_for_timeout(6000)
            assert read(tab)[0] == before, "it moved with a renewal"
            tab.check()
        with checks.check("the mouse leaves nothing behind"):
            box = plot_box(tab)
            tab.page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 50)
            assert read(tab)[0] != before
            tab.page.mouse.move(2, 2)
            assert read(tab)[0] == "none"
    with Tab(browser, address, java_script_enabled=False) as tab, checks.check("without script there is a chart, and nothing to read it with"):
        tab.go(MASTER)
        assert tab.page.locator("#chart svg").first.is_visible() and tab.page.locator("#probe").is_hidden()


def dragged(checks, browser, address, folder):
    """A time is chosen by dragging; it is in the address, and the browser's history leads back."""
    for size, width in (("wide", WIDE), ("phone", PHONE)):
        with Tab(browser, address, viewport=width) as tab, checks.check(f"a time is chosen by dragging, {size}"):
            tab.go(MASTER)
            tab.page.locator("#pause").click()
            before, box = tab.page.url, plot_box(tab)
            left, right, y = box["x"] + box["width"] * 0.4, box["x"] + box["width"] * 0.7, box["y"] + 60
            tab.page.mouse.move(left, y)
            tab.page.mouse.down()
            tab.page.mouse.move((left + right) / 2, y)
            tab.page.mouse.move(right, y)
            selection = tab.page.locator("#chart .selection").bounding_box()
            assert abs(selection["x"] - left) < 2 and abs(selection["width"] - (right - left)) < 2, selection
            picture(tab, folder, f"chart-dragged-{size}")
            tab.page.keyboard.press("Escape")
            assert tab.page.locator("#chart .selection").is_hidden()
            tab.page.mouse.up()
            assert tab.page.url == before, "it was given up"
            tab.page.mouse.move(right, y)
            tab.page.mouse.down()
            tab.page.mouse.move(left, y)
            tab.page.mouse.up()
            tab.page.wait_for_url(re.compile(r"from=\d+&to=\d+"))
            tab.page.wait_for_selector("#chart svg:visible")
            begin = int(tab.page.locator("#chart").get_attribute("data-begin"))
            length = int(tab.page.locator("#chart .plot").get_attribute("data-length"))
            from_ms, to_ms = map(int, re.search(r"from=(\d+)&to=(\d+)", tab.page.url).groups())
            assert begin <= from_ms < to_ms <= begin + length, (begin, from_ms, to_ms, length)
            assert length < 40 * 60000, f"{length} ms of the hour are shown"
            assert tab.page.locator(".ranges a[aria-current]").inner_text() == "chosen"
            picture(tab, folder, f"chart-chosen-{size}")
            tab.check()
            tab.fits()
            tab.axe()
            tab.page.go_back()
            tab.page.wait_for_url(before)
            tab.page.wait_for_selector("#chart svg:visible")
    with Tab(browser, address, java_script_enabled=False) as tab, checks.check("without script a time is chosen by links"):
        tab.go(MASTER)
        tab.page.locator(".ranges .beside", has_text="closer").click()
        assert "from=" in tab.page.url and tab.page.locator("#chart svg").first.is_visible()


def sparks(checks, browser, address, folder):
    """The overview draws the last hour of each socket, with the counts of the API."""
    for theme in THEMES:
        for size, width in (("wide", WIDE), ("phone", PHONE)):
            with Tab(browser, address, color_scheme=theme, viewport=width) as tab, checks.check(f"the last hour is drawn, {theme}, {size}"):
                tab.go("/")
                tab.page.wait_for_selector("svg.spark")
                cells = tab.page.locator("[data-spark]")
                tab.page.wait_for_function("[...document.querySelectorAll('[data-spark]')].every((it) => it.firstChild)")
                now = int(tab.page.locator("[data-now]").get_attribute("data-now")) // 60000 * 60000
                for cell in cells.all():
                    path = quote(cell.get_attribute("data-spark"))
                    points = api(tab, f"/api/v1/series?socket={path}&from={now - 3600000}&to={now}&points=60")["points"]
                    counts = [point["open_last"] for point in points]
                    words = cell.locator("svg").get_attribute("aria-label") if counts else cell.inner_text()
                    expected = f"{counts[0]} open at first, {counts[-1]} at last, at most {max(counts)}" if counts else "–"
                    assert words == expected, (path, words, expected)
                before = cells.first.inner_html()
                tab.page.wait_for_timeout(6000)
                assert cells.first.inner_html() == before, "a renewal took it away"
                picture(tab, folder, f"sparks-{theme}-{size}")
                tab.check()
                tab.fits()
                tab.axe()


def recorded_times(checks, browser, sockleak, trace):
    """A recording's axes say when it was, in the zone that is asked for."""
    with replaying(sockleak, trace, "max") as (address, _):
        with Tab(browser, address, viewport=WIDE, timezone_id="Asia/Kolkata") as tab, checks.check("axes of a recording have moments"):
            tab.go("/")
            for socket in api(tab, "/api/v1/snapshot")["sockets"]:
                tab.go(f"/socket?path={quote(socket['path'])}")
                ticks = tab.page.locator("#lanes svg text[data-at]")
                if ticks.count():
                    break
            assert ticks.count() >= 2, "no axis has a moment"
            assert tab.page.locator("svg text:text-is('now')").count() == 0
            written = ticks.first.text_content()
            assert re.fullmatch(r"\d\d:\d\d", written), written
            tab.page.locator("#zone").click()
            hours, minutes = map(int, written.split(":"))
            there = (hours * 60 + minutes + 330) % 1440
            assert ticks.first.text_content() == f"{there // 60:02}:{there % 60:02}", ticks.first.text_content()
