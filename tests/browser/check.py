"""Opens a report in headless Chromium, in every size and colour scheme, and checks what a reader would trip over.

Usage: python3 tests/browser/check.py REPORT.html DIRECTORY; screenshots and a PDF go to the directory. Needs nothing but Python
and Chromium: it speaks the DevTools protocol over a pipe.
"""

import base64
import fcntl
import json
import os
import pathlib
import shutil
import sys
import tempfile

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
WIDTHS = [390, 1280]
SCHEMES = ["light", "dark"]
# Chromium draws no larger picture.
TALLEST = 4000

# What the page says about itself.
FACTS = """(async () => {
  const images = [...document.images];
  await Promise.all(images.map(image => image.decode().catch(() => {})));
  const text = node => (node.textContent || '').trim().slice(0, 60);
  return JSON.stringify({
    width: document.documentElement.scrollWidth,
    height: document.documentElement.scrollHeight,
    images: images.length,
    lost: images.filter(image => !image.naturalWidth || !image.naturalHeight).map(image => image.alt),
    mute: images.filter(image => !image.alt.trim()).length,
    headings: [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(node => [Number(node.tagName[1]), text(node)]),
    language: document.documentElement.lang,
    title: document.title,
    viewport: !!document.querySelector('meta[name=viewport]'),
    broken: [...document.querySelectorAll('a[href^="#"]')].map(link => link.getAttribute('href').slice(1))
      .filter(id => !document.getElementById(id)),
    page: getComputedStyle(document.body).backgroundColor,
  });
})()"""


class Browser:
    """A Chromium that is told what to do over file descriptors 3 and 4."""

    def __init__(self, program, home):
        (read_here, write_there), (read_there, write_here) = high_pipe(), high_pipe()
        flags = ["--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", f"--user-data-dir={home}"]
        # Its sandbox does not work for root, as in a container.
        flags += ["--no-sandbox"] if os.geteuid() == 0 else []
        log = os.path.join(home, "stderr.txt")
        actions = [
            (os.POSIX_SPAWN_DUP2, read_there, 3),
            (os.POSIX_SPAWN_DUP2, write_there, 4),
            (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT, 0o600),
        ]
        self.pid = os.posix_spawn(program, [program, *flags], os.environ, file_actions=actions)
        os.close(read_there), os.close(write_there)
        self.input, self.output = os.fdopen(read_here, "rb"), os.fdopen(write_here, "wb")
        self.rest, self.count, self.events, self.session = b"", 0, [], None

    def message(self):
        while b"\0" not in self.rest:
            more = self.input.read1(1 << 20)
            if not more:
                sys.exit("the browser has ended without an answer")
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **parameters):
        """Sends a command and waits for its answer; what else happens is kept."""
        self.count += 1
        command = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        self.output.write(json.dumps(command).encode() + b"\0")
        self.output.flush()
        while True:
            message = self.message()
            if message.get("id") != self.count:
                self.events.append(message)
            elif "error" in message:
                sys.exit(f"{method}: {message['error']}")
            else:
                return message["result"]

    def wait(self, method):
        while all(event.get("method") != method for event in self.events):
            self.events.append(self.message())

    def close(self):
        self.session = None
        self.ask("Browser.close")
        os.waitpid(self.pid, 0)


def high_pipe():
    """A pipe whose ends are not 3 or 4, which are to be replaced."""
    low = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low]
    # A second writing end would keep the browser's death a secret.
    os.close(low[0]), os.close(low[1])
    return high


def look(browser, report, width, scheme, screenshots):
    """Opens the report once, takes pictures, and returns what is wrong."""
    browser.session = None
    target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
    browser.session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    browser.events.clear()
    for domain in ["Page", "Runtime", "Log", "Network"]:
        browser.ask(f"{domain}.enable")
    metrics = {"width": width, "height": 850, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.ask("Emulation.setDeviceMetricsOverride", **metrics)
    browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.ask("Page.navigate", url=report.resolve().as_uri())
    browser.wait("Page.loadEventFired")
    answer = browser.ask("Runtime.evaluate", expression=FACTS, awaitPromise=True, returnByValue=True)
    facts = json.loads(answer["result"]["value"])
    for place, top in enumerate(range(0, facts["height"], TALLEST)):
        clip = {"x": 0, "y": top, "width": width, "height": min(TALLEST, facts["height"] - top), "scale": 1}
        shot = browser.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        (screenshots / f"report-{width}-{scheme}-{place:02}.png").write_bytes(base64.b64decode(shot["data"]))
    if width == max(WIDTHS) and scheme == "light":
        pdf = browser.ask("Page.printToPDF", printBackground=True)
        (screenshots / "report.pdf").write_bytes(base64.b64decode(pdf["data"]))
    wrong = problems(facts, width, scheme) + said(browser.events)
    browser.session = None
    browser.ask("Target.closeTarget", targetId=target)
    return facts, wrong


def problems(facts, width, scheme):
    wrong = []
    # Not of the window as the page sees it: a phone shows more of a page that is too wide.
    if facts["width"] > width:
        wrong.append(f"it is {facts['width']} pixels wide in a window of {width}")
    wrong += [f"a chart was not loaded: {alt}" for alt in facts["lost"]]
    if facts["images"] == 0 or facts["mute"]:
        wrong.append(f"{facts['images']} charts, {facts['mute']} of them without a text")
    levels = [level for level, _ in facts["headings"]]
    if levels.count(1) != 1 or levels[0] != 1:
        wrong.append(f"headings of the first level: {levels.count(1)}; it needs one, at its beginning")
    pairs = zip(facts["headings"], facts["headings"][1:])
    wrong += [f"heading {below!r} skips a level" for (above, _), (level, below) in pairs if level > above + 1]
    wrong += [f"a link leads nowhere: {name}" for name in facts["broken"]]
    wrong += [f"it has no {name}" for name in ["language", "title", "viewport"] if not facts[name]]
    light = sum(int(part) for part in facts["page"].strip("rgba()").split(",")[:3]) > 3 * 128
    if light != (scheme == "light"):
        wrong.append(f"its background is {facts['page']} in the {scheme} scheme")
    return wrong


def said(events):
    """Messages of the console, and requests that leave the file."""
    wrong = []
    for event in events:
        method, parameters = event.get("method"), event.get("params", {})
        if method in ["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"]:
            wrong.append(f"the console says {json.dumps(parameters)[:300]}")
        elif method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith(("file:", "data:")):
                wrong.append(f"it asks for {url}")
    return wrong


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    report, screenshots = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        sys.exit(f"no browser: install Debian's package chromium, or another of {', '.join(NAMES)}")
    screenshots.mkdir(parents=True, exist_ok=True)
    for old in screenshots.glob("report-*.png"):
        old.unlink()
    failed = False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        browser = Browser(program, home)
        for width in WIDTHS:
            for scheme in SCHEMES:
                facts, wrong = look(browser, report, width, scheme, screenshots)
                print(f"{width} pixels, {scheme}: {facts['images']} charts, {len(facts['headings'])} headings, "
                      f"{facts['height']} pixels tall: {'; '.join(wrong) or 'good'}")
                failed |= bool(wrong)
        browser.close()
    print(f"screenshots and a PDF are in {screenshots}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
