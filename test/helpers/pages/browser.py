"""A page in a headless browser, spoken to over the DevTools protocol: only what the tests need."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from websockets.sync.client import connect

BROWSER = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'chrome'))), None)

TIMEOUT = 30.0


class Page:
    """
    One page; used as a context, its browser ends with it.

    :ivar said: what the console said, and what went wrong in a script.
    :ivar requests: addresses that it asked for.
    :ivar errors: what the console said as a warning or an error.
    """

    def __init__(
        self,
        page: Path,
        folder: Path,
        width: int = 1000,
        height: int = 1400,
        *,
        dark: bool = False,
    ) -> None:
        self.said: list[str] = []
        self.errors: list[str] = []
        self._dark = dark
        self._size = (width, height)
        self.requests: list[str] = []
        self._number = 0
        self._stack = contextlib.ExitStack()
        self._browser = subprocess.Popen(
            [
                BROWSER, '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
                '--remote-debugging-port=0', '--remote-allow-origins=*',
                f'--window-size={width},{height}', f'--user-data-dir={folder / "profile"}',
                'about:blank',
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self._open(folder / 'profile' / 'DevToolsActivePort', page)
        except BaseException:
            self._browser.kill()
            self._browser.wait(40)
            raise

    def _open(self, port_file: Path, page: Path) -> None:
        deadline = time.monotonic() + TIMEOUT
        while not port_file.is_file() or len(port_file.read_text().split()) < 2:
            assert time.monotonic() < deadline, 'the browser did not start'
            time.sleep(0.05)
        port, path = port_file.read_text().split()
        address = f'ws://127.0.0.1:{port}{path}'
        self._socket = self._stack.enter_context(connect(address, max_size=None))
        self._session: str | None = None
        target = self.send('Target.createTarget', url='about:blank')['targetId']
        attached = self.send('Target.attachToTarget', targetId=target, flatten=True)
        self._session = attached['sessionId']
        for domain in ('Runtime', 'Log', 'Network', 'Page'):
            self.send(f'{domain}.enable')
        scheme = {'name': 'prefers-color-scheme', 'value': 'dark' if self._dark else 'light'}
        self.send('Emulation.setEmulatedMedia', features=[scheme])
        width, height = self._size
        self.send(
            'Emulation.setDeviceMetricsOverride',
            width=width, height=height, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        self.send('Page.navigate', url=f'file://{page}')
        self.wait_for("document.readyState === 'complete' && document.body.dataset.plots")

    def __enter__(self) -> Page:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        self._browser.terminate()
        try:
            self._browser.wait(40)
        except subprocess.TimeoutExpired:
            self._browser.kill()
            self._browser.wait(40)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; :return: its result."""
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': parameters}
        if self._session:
            message['sessionId'] = self._session
        self._socket.send(json.dumps(message))
        while True:
            found = json.loads(self._socket.recv(timeout=TIMEOUT))
            if found.get('id') == self._number:
                assert 'error' not in found, found
                return found['result']
            self._note(found.get('method'), found.get('params', {}))

    def _note(self, method: str | None, parameters: dict[str, Any]) -> None:
        if method in ('Runtime.consoleAPICalled', 'Runtime.exceptionThrown', 'Log.entryAdded'):
            self.said.append(json.dumps(parameters))
            entry = parameters.get('entry', parameters)
            if entry.get('type', entry.get('level', 'error')) in ('error', 'warning', 'assert'):
                self.errors.append(self.said[-1])
            if method == 'Runtime.exceptionThrown':
                self.errors.append(self.said[-1])
        elif method == 'Network.requestWillBeSent':
            self.requests.append(parameters['request']['url'])

    def value(self, expression: str) -> Any:
        """Value of an expression in the page."""
        found = self.send('Runtime.evaluate', expression=expression, returnByValue=True)
        return found['result'].get('value')

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true, bounded."""
        deadline = time.monotonic() + TIMEOUT
        while not self.value(expression):
            assert time.monotonic() < deadline, f'{expression} did not come true'
            time.sleep(0.05)

    def pdf(self) -> bytes:
        """Print the page."""
        return base64.b64decode(self.send('Page.printToPDF', printBackground=True)['data'])

    def press(self, key: str) -> None:
        """Press a key."""
        self.send('Input.dispatchKeyEvent', type='keyDown', key=key)
        self.send('Input.dispatchKeyEvent', type='keyUp', key=key)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Move, press or release the left button: mouseMoved, mousePressed, mouseReleased."""
        self.send(
            'Input.dispatchMouseEvent', type=kind, x=x, y=y, button='left', clickCount=1,
            buttons=int(kind != 'mouseReleased'),
        )  # fmt: skip
