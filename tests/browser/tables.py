"""The table of a socket's connections: filtered and put in order by its address, with and without script."""

from harness import FIGURES, PHONE, THEMES, WIDE, Tab, picture

MASTER = "/socket?path=/run/haproxy/ma.sock"
ROWS = "table.connections tbody tr"


def ages(tab):
    return [int(it.get_attribute("data-value")) for it in tab.page.locator(f"{ROWS} [data-api$='/age_ns']").all()]


def tables(checks, browser, address, folder):
    for script in (True, False):
        with Tab(browser, address, viewport=WIDE, java_script_enabled=script) as tab:
            with checks.check(f"the table is filtered and put in order, {'with' if script else 'without'} script"):
                tab.go(MASTER)
                whole = ages(tab)
                assert len(whole) > 3 and whole == sorted(whole, reverse=True), whole
                tab.page.locator("table.connections th a", has_text="Age").click()
                tab.page.wait_for_url("**sort=age**")
                assert ages(tab) == sorted(whole) or script, ages(tab)
                assert tab.page.locator("th[aria-sort=ascending]").inner_text().startswith("Age")
                field = tab.page.locator(".filter input[type=search]")
                field.fill("DEPLOY")
                field.press("Enter")
                tab.page.wait_for_url("**contains=DEPLOY**")
                assert "sort=age" in tab.page.url and tab.page.url.endswith("#not-closed"), tab.page.url
                rows = tab.page.locator(ROWS)
                assert 0 < rows.count() < len(whole)
                assert all("deploy" in row for row in rows.all_inner_texts()), rows.all_inner_texts()
                assert tab.page.locator(".filter input[type=search]").input_value() == "DEPLOY"
                if script:
                    count, wrong = tab.page.evaluate(FIGURES)
                    assert count >= 10 and not wrong, "; ".join(wrong[:5])
                    tab.check()
                tab.page.locator("a", has_text="Show all").click()
                tab.page.wait_for_function("document.querySelectorAll('table.connections tbody tr').length > 3") if script else tab.page.wait_for_load_state()
                assert tab.page.locator(ROWS).count() == len(whole)
    for theme in THEMES:
        for size, width in (("wide", WIDE), ("phone", PHONE)):
            with Tab(browser, address, color_scheme=theme, viewport=width) as tab, checks.check(f"a filtered table, {theme}, {size}"):
                tab.go(f"{MASTER}&contains=renew&sort=pid")
                picture(tab, folder, f"table-{theme}-{size}")
                tab.check()
                tab.fits()
                tab.axe()
