"""How soon the page is there, and what keeping it up to date takes.

bench.py CHROMIUM SERVE-SCENE SOCKLEAK OPEN RATE SECONDS
"""

import statistics
import sys
from pathlib import Path

from harness import WIDE, Tab, chromium, serving

SOCKET = "/socket?path=/run/service/control.sock"
RUNS = 5

PAINT = """
() => {
  const [navigation] = performance.getEntriesByType("navigation");
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return [navigation.responseStart, paint ? paint.startTime : NaN, navigation.encodedBodySize];
}
"""
# How long the page could not answer to whoever uses it, at a time.
BUSY = """
() => {
  window.busy = [];
  new PerformanceObserver((list) => list.getEntries().forEach((it) => busy.push(it.duration))).observe({type: "longtask"});
}
"""
RENEWED = """
() => ["main", "lanes"].map((id) => performance.getEntriesByName(`renew ${id}`).map((it) => it.duration))
"""


def shown(name, values, unit):
    values = sorted(values)
    if not values:
        return print(f"{name}: none")
    middle, most = statistics.median(values), values[-1]
    return print(f"{name}: {middle:.0f} {unit} (most {most:.0f}, of {len(values)})")


def memory(address):
    """Resident KiB of the process that listens there."""
    port = int(address.rsplit(":", 1)[1])
    inodes = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[1].endswith(f":{port:04X}")}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            if b"web" not in arguments[1:2]:
                continue
            links = {str(link.readlink()) for link in (process / "fd").iterdir()}
        except OSError:
            continue
        if any(f"socket:[{inode}]" in links for inode in inodes):
            line = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS"))
            return int(line.split()[1])
    return 0


def main():
    executable, serve, sockleak, opened, rate, seconds = sys.argv[1:]
    with chromium(executable) as browser, serving(serve, sockleak, opened, rate) as address:
        print(f"{opened} open connections, {rate} events a second")
        for name, path in (("overview", "/"), ("socket", SOCKET)):
            first, paints, size = [], [], 0
            for _ in range(RUNS):
                with Tab(browser, address, viewport=WIDE) as tab:
                    tab.go(path)
                    begin, paint, size = tab.page.evaluate(PAINT)
                    first.append(begin)
                    paints.append(paint)
            shown(f"{name}: first byte", first, "ms")
            shown(f"{name}: first paint", paints, "ms")
            print(f"{name}: {size / 1024:.0f} KiB")
        with Tab(browser, address, viewport=WIDE) as tab:
            tab.go(SOCKET)
            tab.page.evaluate(BUSY)
            session = tab.context.new_cdp_session(tab.page)
            session.send("Performance.enable")
            session.send("HeapProfiler.collectGarbage")

            def metrics():
                return {it["name"]: it["value"] for it in session.send("Performance.getMetrics")["metrics"]}

            before = metrics()
            tab.page.wait_for_timeout(int(seconds) * 1000)
            session.send("HeapProfiler.collectGarbage")
            after = metrics()
            main_updates, lane_updates = tab.page.evaluate(RENEWED)
            shown("the whole page renewed", main_updates, "ms")
            shown("the lanes renewed", lane_updates, "ms")
            shown("pauses longer than 50 ms", tab.page.evaluate("busy"), "ms")
            spent = after["TaskDuration"] - before["TaskDuration"]
            print(f"the page's thread: {spent / int(seconds) * 100:.1f} % of a processor")
            print(f"script's memory: {before['JSHeapUsedSize'] / 2**20:.1f} MiB before, {after['JSHeapUsedSize'] / 2**20:.1f} MiB after {seconds} s")
            print(f"nodes: {before['Nodes']:.0f} before, {after['Nodes']:.0f} after")
            print(tab.page.locator("#event-count").inner_text())
        print(f"the process that answers HTTP: {memory(address) / 1024:.0f} MiB resident")


if __name__ == "__main__":
    main()
