# SPDX-License-Identifier: GPL-2.0-or-later
"""A headless Chromium, by its own protocol over a pair of pipes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--force-color-profile=srgb", "--disable-dev-shm-usage",
    "--allow-file-access-from-files=false",
)  # fmt: skip
# The browser reads from descriptor 3 and writes to 4.
_EXEC = "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(os.dup(w), 9); os.dup2(r, 3);\
 os.dup2(9, 4); os.execv(sys.argv[3], sys.argv[3:])"


def program() -> str | None:
    """Return the path of the browser; None when there is none."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


@dataclass
class Browser:
    """A browser that runs.

    Attributes:
        child: Its process.
        to, back: The pipes.
        number: Of the last request.
        seen: Events that came, oldest first.
    """

    child: subprocess.Popen[bytes]
    to: int
    back: int
    number: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)
    _rest: bytes = b""

    def call(self, method: str, session: str | None = None, **values: Any) -> dict[str, Any]:
        """Ask for something and return the answer.

        Raises:
            RuntimeError: The browser refuses, or has ended.
        """
        self.number += 1
        asked = {"id": self.number, "method": method, "params": values}
        if session is not None:
            asked["sessionId"] = session
        data = json.dumps(asked).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data) :]
        while True:
            told = self._next()
            if told.get("id") == self.number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']['message']}")
                result: dict[str, Any] = told["result"]
                return result
            self.seen.append(told)

    def wait_for(self, method: str, session: str) -> dict[str, Any]:
        """Return the next event of that name, which may have come already."""
        while True:
            for event in self.seen:
                if event.get("method") == method and event.get("sessionId") == session:
                    self.seen.remove(event)
                    return event
            self.seen.append(self._next())

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data = os.read(self.back, 1 << 16)
            if not data:
                raise RuntimeError(f"the browser has ended with status {self.child.wait()}")
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(text)
        return told

    @contextmanager
    def page(
        self,
        path: Path,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        script: bool = True,
        media: str = "screen",
    ) -> Iterator[Page]:
        """Open a file in a tab of that size, and close it after the block."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(browser=self, session=session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        page.call("Emulation.setScriptExecutionDisabled", value=not script)
        page.call("Page.navigate", url=path.absolute().as_uri())
        self.wait_for("Page.loadEventFired", session)
        try:
            yield page
        finally:
            self.call("Target.closeTarget", targetId=target)


@dataclass
class Page:
    """A tab."""

    browser: Browser
    session: str

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        """Ask the tab for something."""
        return self.browser.call(method, self.session, **values)

    def value(self, expression: str) -> Any:
        """Return what an expression of JavaScript is worth.

        Raises:
            RuntimeError: It throws.
        """
        told = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in told:
            raise RuntimeError(str(told["exceptionDetails"]))
        return told["result"].get("value")

    def complaints(self) -> list[str]:
        """Return what the browser's console has said, exceptions, and what it refused to load."""
        self.value("1")
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [
            json.dumps(event["params"])
            for event in self.browser.seen
            if event.get("sessionId") == self.session and event["method"] in kinds
        ]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for."""
        self.value("1")
        return [
            event["params"]["request"]["url"]
            for event in self.browser.seen
            if event.get("sessionId") == self.session
            and event["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self, to: Path, *, whole: bool = False) -> None:
        """Write a picture of what is seen, or of the whole page, as PNG."""
        values: dict[str, Any] = {"format": "png"}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            values |= {"captureBeyondViewport": True, "clip": {**size, "x": 0, "y": 0, "scale": 1}}
        to.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", **values)["data"]))


@contextmanager
def browser(path: str) -> Iterator[Browser]:
    """Start the browser at ``path``; it is gone after the block, with its files."""
    read_there, write_here = os.pipe()
    read_here, write_there = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        # Its sandbox does not work for root, and our page is no stranger's.
        argv = [path, *_OPTIONS, "--no-sandbox", f"--user-data-dir={home}", "about:blank"]
        with subprocess.Popen(
            [sys.executable, "-c", _EXEC, str(read_there), str(write_there), *argv],
            pass_fds=(read_there, write_there),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": home},
            start_new_session=True,
        ) as child:
            os.close(read_there)
            os.close(write_there)
            try:
                yield Browser(child=child, to=write_here, back=read_here)
            finally:
                os.close(write_here)
                os.close(read_here)
                child.kill()
