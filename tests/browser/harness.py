"""A browser, a server that it looks at, and what is wrong with what it shows."""

import contextlib
import json
import re
import subprocess
import threading
import traceback
from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import sync_playwright

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]
THEMES = ["light", "dark"]
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
TOKEN = "correct horse battery staple"

# Each figure on the page, and the field of the API's answer that it is.
FIGURES = """
async () => {
  const answers = new Map();
  const wrong = [];
  const pointed = (value, parts) => {
    if (!parts.length || value === undefined) return value;
    const [part, ...rest] = parts;
    if (part === "*") return Object.values(value).reduce((sum, it) => sum + pointed(it, rest), 0);
    return pointed(value[part.replaceAll("~1", "/").replaceAll("~0", "~")], rest);
  };
  const figures = [...document.querySelectorAll("[data-api]")];
  for (const figure of figures) {
    // Others may have taken its place while an answer was waited for.
    if (!figure.isConnected) continue;
    const source = figure.closest("[data-source]").dataset.source;
    if (!answers.has(source)) answers.set(source, await (await fetch(source)).json());
    const there = pointed(answers.get(source), figure.dataset.api.split("/").slice(1));
    if (String(there) !== figure.dataset.value) wrong.push(`${source} ${figure.dataset.api}: ${there}, not ${figure.dataset.value}`);
    if (!figure.textContent.trim()) wrong.push(`${figure.dataset.api} shows nothing`);
  }
  return [figures.length, wrong];
}
"""

# Violations of the policy are told to the page alone.
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (it) => violations.push(`${it.violatedDirective} ${it.blockedURI}`));
"""


def next_line(process, stream, seconds=120):
    """The next line that a process says; it is killed if that takes too long."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        return stream.readline()
    finally:
        timer.cancel()


@contextlib.contextmanager
def chromium(executable):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def serving(program, sockleak, *load):
    """The address of a page that is served as the service does."""
    server = subprocess.Popen(
        [program, sockleak, TOKEN, *load], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        address = next_line(server, server.stdout).strip().rstrip("/")
        if not address.startswith("http://127.0.0.1:"):
            raise RuntimeError(f"{program} does not serve")
        yield address
    finally:
        server.stdin.close()
        server.wait(timeout=30)


@contextlib.contextmanager
def replaying(sockleak, trace, speed):
    """The address of a recording's page, and its process."""
    arguments = ["replay", trace, "--speed", speed, "--listen", "127.0.0.1:0"]
    replay = subprocess.Popen([sockleak, *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        said = next_line(replay, replay.stderr)
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        if found is None:
            raise RuntimeError(f"it does not replay: {said}")
        yield found[0], replay
    finally:
        replay.terminate()
        replay.wait(timeout=30)


class Tab:
    """A page in the browser, and everything that it complains of or asks others for."""

    def __init__(self, browser, origin, **context):
        self.origin = origin
        self.complaints = []
        self.context = browser.new_context(**context)
        self.context.add_init_script(WATCH)
        self.context.route("**/*", self._pass)
        self.page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("requestfailed", self._failed)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def _pass(self, route):
        if route.request.url == self.origin or route.request.url.startswith(f"{self.origin}/"):
            return route.continue_()
        self.complaints.append(f"asks elsewhere: {route.request.url}")
        return route.abort()

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _failed(self, request):
        # What is asked for when a page is left ends with it.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"not loaded: {request.url} ({request.failure})")

    def go(self, path):
        url = self.origin if path is None else f"{self.origin}{path}"
        answer = self.page.goto(url, wait_until="load")
        self.page.wait_for_timeout(150)
        return answer

    def check(self):
        """Fails if the page complained."""
        violations = self.page.evaluate("window.violations || []")
        complaints = self.complaints + [f"policy: {it}" for it in violations]
        self.complaints = []
        assert not complaints, "; ".join(complaints)

    def axe(self):
        """Fails if somebody could not use it."""
        self.page.evaluate(AXE_SCRIPT)
        found = self.page.evaluate("axe.run(document, {preload: false, resultTypes: ['violations']})")
        told = [
            f"{it['id']} ({it['help']}): " + ", ".join(node["target"][0] for node in it["nodes"][:3])
            for it in found["violations"]
        ]
        assert found["passes"], "axe looked at nothing"
        assert not told, "; ".join(map(str, told))

    def fits(self):
        """Fails if the page is wider than its window."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"it is {wide} px too wide"


class Checks:
    """Named checks, told one by one and counted."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    @contextlib.contextmanager
    def check(self, name):
        try:
            yield
        except Exception as error:  # pylint: disable=broad-except
            self.failed += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(f"FAIL {name}: {error} ({Path(where.filename).name}:{where.lineno})", flush=True)
        else:
            self.passed += 1
            print(f"ok   {name}", flush=True)


def api(tab, path):
    """What the API answers now."""
    answer = tab.context.request.get(f"{tab.origin}{path}")
    assert answer.ok, f"{path} is answered {answer.status}"
    return json.loads(answer.text())


def picture(tab, folder, name):
    tab.page.screenshot(path=str(folder / f"{name}.png"), full_page=True)
