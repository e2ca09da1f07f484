# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser for tests: Chromium without a window, driven through chromedriver's own protocol (W3C WebDriver)."""

import base64
import contextlib
import json
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.request

FLAGS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
)
KEYS = {'Enter': '\ue007', 'Escape': '\ue00c', 'ArrowDown': '\ue015', 'ArrowRight': '\ue014', 'Tab': '\ue004'}
PATIENCE = 20  # seconds


@contextlib.contextmanager
def browser(width=1280, height=900):
    """Start Chromium, and end it."""
    directory = tempfile.mkdtemp()
    driver = subprocess.Popen(
        ['chromedriver', '--port=0'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield Browser(port_of(driver), directory, width, height)
    finally:
        driver.terminate()
        driver.wait(PATIENCE)
        shutil.rmtree(directory, ignore_errors=True)


def port_of(driver):
    for line in driver.stdout:
        if 'successfully on port ' in line:
            return int(line.rpartition('on port ')[2].strip(' .\n'))
    raise RuntimeError('chromedriver did not start')


class Browser:
    def __init__(self, port, directory, width, height):
        self.root = f'http://127.0.0.1:{port}/session'
        arguments = [*FLAGS, f'--user-data-dir={directory}', f'--window-size={width},{height}']
        options = {'args': arguments}
        capabilities = {'browserName': 'chrome', 'goog:chromeOptions': options, 'goog:loggingPrefs': {'browser': 'ALL'}}
        session = self.call('', {'capabilities': {'alwaysMatch': capabilities}})
        self.root += '/' + session['sessionId']

    def call(self, path, content=None, method='POST'):
        request = urllib.request.Request(
            self.root + path,
            data=None if content is None else json.dumps(content).encode(),
            headers={'Content-Type': 'application/json'},
            method=method,
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=120) as answer:
            return json.load(answer)['value']

    def quit(self):
        self.call('', method='DELETE')

    def open(self, path, fragment=''):
        self.call('/url', {'url': 'about:blank'})
        self.call('/url', {'url': pathlib.Path(path).resolve().as_uri() + fragment})
        self.wait_for('document.documentElement.dataset.ready')

    def run(self, expression):
        """Return the value of a JavaScript expression."""
        return self.call('/execute/sync', {'script': 'return ' + expression, 'args': []})

    def wait_for(self, expression):
        deadline = time.monotonic() + PATIENCE
        while not self.run(expression):
            if time.monotonic() > deadline:
                raise AssertionError(f'never true in the browser: {expression}')
            time.sleep(0.02)

    def press(self, *keys):
        """Press keys: names of KEYS, or text that is typed."""
        actions = [
            {'type': kind, 'value': value}
            for key in keys
            for value in ([KEYS[key]] if key in KEYS else key)
            for kind in ('keyDown', 'keyUp')
        ]
        self.call('/actions', {'actions': [{'type': 'key', 'id': 'keys', 'actions': actions}]})

    def text(self, selector):
        return self.run(f'document.querySelector({json.dumps(selector)}).innerText')

    def count(self, selector):
        """Return how many elements of a selector are seen."""
        elements = f'[...document.querySelectorAll({json.dumps(selector)})]'
        return self.run(f'{elements}.filter((each) => each.offsetParent !== null).length')

    def devtools(self, command, **parameters):
        return self.call('/goog/cdp/execute', {'cmd': command, 'params': parameters})

    def prefer(self, scheme):
        """Have the reader prefer 'dark' or 'light'."""
        features = [{'name': 'prefers-color-scheme', 'value': scheme}]
        self.devtools('Emulation.setEmulatedMedia', features=features)

    def complaints(self):
        """Return what the browser's console says since it was last asked."""
        return [entry['message'] for entry in self.call('/se/log', {'type': 'browser'})]

    def picture(self, path, whole=False):
        """Take a picture of the window, or of the whole page."""
        shot = self.devtools('Page.captureScreenshot', captureBeyondViewport=whole, **self.clip(whole))
        pathlib.Path(path).write_bytes(base64.b64decode(shot['data']))

    def clip(self, whole):
        if not whole:
            return {}
        height = self.run('document.documentElement.scrollHeight')
        width = self.run('document.documentElement.clientWidth')
        return {'clip': {'x': 0, 'y': 0, 'width': width, 'height': height, 'scale': 1}}

    def paper(self, path):
        """Print the page as a PDF."""
        pathlib.Path(path).write_bytes(base64.b64decode(self.call('/print', {'background': False})))
