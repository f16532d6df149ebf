"""Makes the README's pictures again: the report's first screen, and the page with one reading.

    python -m bench.pictures --run runs/demo --output docs/pictures

The film on the page is generated, so that no picture shows anybody. Chromium is spoken to by the
DevTools protocol, which needs no chromedriver.
"""

import argparse
import base64
import contextlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from PIL import Image
from websocket import WebSocket, create_connection  # selenium brings it

from bench.serving import server
from components.shared.errors import InputError
from components.shared.run_folder import REPORT_FILE, RunFolder
from pipeline.demo import draw_film

REPORT_PICTURE, PAGE_PICTURE = "report.png", "page.png"
_WIDTH, _HEIGHT = 1280, 800
_SEED = 7
_SECONDS = 60.0
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-port=0"
)
# The film is read; it is open, with a heat map; that lies over what the net saw.
_READ = "document.querySelector('#progress').textContent.startsWith('1 of 1 done')"
_OPEN = "document.querySelector('#rows button').click()"
_OPENED = "!document.querySelector('#heat').disabled"
_HEAT = "document.querySelector('#heat').click()"
_SHOWN = "document.querySelector('#seen').checked"


class Browser:
    """One page of a headless Chromium."""

    def __init__(self, socket: WebSocket) -> None:
        """Takes the page's DevTools socket."""
        self._socket, self._asked = socket, 0
        size = {"width": _WIDTH, "height": _HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        light = [{"name": "prefers-color-scheme", "value": "light"}]
        self.ask("Emulation.setEmulatedMedia", features=light)

    def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """Returns what a method of the protocol gives; events in between are dropped."""
        self._asked += 1
        self._socket.send(json.dumps({"id": self._asked, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._asked:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def run(self, script: str) -> Any:
        """Returns the value of a script."""
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        return result["result"].get("value")

    def until(self, script: str) -> None:
        """Waits until a script's value is true.

        Raises:
            TimeoutError: it never was.
        """
        ends = time.monotonic() + _SECONDS
        while not self.run(script):
            if time.monotonic() > ends:
                raise TimeoutError(f"The page did not come to {script.strip()}")
            time.sleep(0.1)

    def open(self, url: str) -> None:
        """Goes to a page and waits until it is loaded."""
        self.ask("Page.navigate", url=url)
        self.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def choose(self, selector: str, file: Path) -> None:
        """Puts a file into a file input."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def picture(self, path: Path) -> None:
        """Writes what is on the screen as a PNG of 256 colours at the most, which is small."""
        data = base64.b64decode(self.ask("Page.captureScreenshot")["data"])
        with Image.open(io.BytesIO(data)) as image:
            image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Runs Chromium.

    Raises:
        InputError: it is not installed.
    """
    program = shutil.which("chromium")
    if program is None:
        raise InputError("There is no chromium on the PATH: install it to make pictures.")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *_FLAGS.split(), f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        socket = None
        try:
            socket = create_connection(
                _page_of(Path(profile)), suppress_origin=True, timeout=_SECONDS
            )
            yield Browser(socket)
        finally:
            if socket:
                socket.close()
            process.terminate()
            process.wait()


def _page_of(profile: Path) -> str:
    """Returns the address of the first page's DevTools socket, once Chromium has said its port."""
    ends = time.monotonic() + _SECONDS
    while time.monotonic() < ends:
        with contextlib.suppress(OSError, IndexError, ValueError):
            port = int((profile / "DevToolsActivePort").read_text().split()[0])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [one for one in json.load(answer) if one["type"] == "page"]
            return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise TimeoutError("Chromium did not start.")


def picture_report(page: Browser, folder: RunFolder, path: Path) -> None:
    """Writes a picture of the report's first screen."""
    page.open((folder.report / REPORT_FILE).as_uri())
    page.picture(path)


def picture_page(page: Browser, model: Path, path: Path) -> None:
    """Writes a picture of the server's page with a generated film, read by a model."""
    with tempfile.TemporaryDirectory() as scratch, server(model) as (_, port):
        film = Path(scratch, "generated-film.png")
        cv2.imwrite(str(film), draw_film(np.random.default_rng(_SEED), "bacteria"))
        page.open(f"http://127.0.0.1:{port}/")
        page.until("!document.querySelector('#files').disabled")
        page.choose("#files", film)
        page.until(_READ)
        page.run(_OPEN)
        page.until(_OPENED)
        page.run(_HEAT)
        page.until(_SHOWN)
        page.picture(path)


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="of a run that pushed a model")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    folder = RunFolder(options.run.resolve())
    if not (folder.report / REPORT_FILE).is_file():
        parser.error(f"--run {folder.root} has no report: give a finished run.")
    name = yaml.safe_load(folder.config.read_text("utf-8"))["pusher"]["model_name"]
    if not folder.versions(name):
        parser.error(f"--run {folder.root} has pushed no model to read a film by.")
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        with browser() as page:
            picture_report(page, folder, options.output / REPORT_PICTURE)
            picture_page(page, folder.serving_model(name), options.output / PAGE_PICTURE)
    except InputError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
