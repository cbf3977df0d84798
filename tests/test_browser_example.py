"""examples/browser: in headless Chromium the page gives the pose of the proof, and draws it."""

import base64
import functools
import http.server
import pathlib
import shutil
import threading

import numpy as np
import pytest

from capf_jax import export
from capf_jax.exporting.onnx_types import TYPES
from examples import render_two_people

EXAMPLES = pathlib.Path(render_two_people.__file__).parent
BROWSER = EXAMPLES / 'browser'
WEIGHTS = EXAMPLES.parent / 'pretrained' / 'photographs.safetensors'
CHROMIUM = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), ''
)
FLAGS = (
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
)  # fmt: skip
RUN = """async ([type, text]) => {
  const { load, run } = await import('./pose.js');
  const model = await load('./exported/', { type });
  return run(model, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
}"""
INK = """(name) => {
  const canvas = document.getElementById(name);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const isInk = (at) => Math.abs(data[at] - 42) + Math.abs(data[at + 1] - 111) < 8;
  return Array.from({ length: data.length / 4 }, (_, pixel) => isInk(4 * pixel)).filter(Boolean)
    .length;
}"""


def test_the_page_names_no_host():
    for path in BROWSER.glob('*.*'):
        if path.suffix in ('.html', '.js', '.json'):
            assert '://' not in path.read_text(), path


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the examples, with the export of a test in the place of the user's."""

    exported = None

    def translate_path(self, path):
        folder, _, name = path.rpartition('/')
        if folder == '/browser/exported':
            return str(self.exported / name)
        return super().translate_path(path)

    def log_message(self, *_):
        """The server is silent."""


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    pytest.importorskip('jax2onnx', reason='needs requirements-export.txt')
    path = tmp_path_factory.mktemp('browser') / 'exported'
    arguments = ['--format=onnx', f'--onnx_types={",".join(TYPES)}', f'--out={path}']
    assert export.main(['export', str(WEIGHTS), *arguments]) == 0
    return path


@pytest.fixture
def page(exported):
    """The page after its first pose, in a Chromium that may load from this server alone."""
    if not CHROMIUM:
        pytest.skip('there is no Chromium: apt-get install chromium')
    if not (BROWSER / 'node_modules' / 'onnxruntime-web').is_dir():
        pytest.skip('there is no onnxruntime-web: npm install --prefix examples/browser')
    playwright = pytest.importorskip('playwright.sync_api')
    handler = type('HandlerOfExport', (Handler,), {'exported': exported})
    with (
        http.server.ThreadingHTTPServer(
            ('127.0.0.1', 0), functools.partial(handler, directory=str(EXAMPLES))
        ) as server,
        playwright.sync_playwright() as library,
        library.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as chromium,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        own = f'http://127.0.0.1:{server.server_port}/'
        one, faults = chromium.new_page(), []
        one.set_default_timeout(240_000)  # milliseconds; the machine may be busy
        one.on('pageerror', lambda error: faults.append(str(error)))
        one.on('request', lambda request: request.url.startswith(own) or faults.append(request.url))
        one.goto(f'{own}browser/')
        one.wait_for_function('document.body.dataset.ready || document.body.dataset.error')
        yield one
        assert not faults
        server.shutdown()


@pytest.mark.slow
def test_chromium_gives_the_pose_of_the_proof_and_draws_it(page, exported):
    assert page.evaluate('document.body.dataset.error') is None
    for canvas in ('crop', 'skeleton'):
        assert page.evaluate(INK, canvas) > 200  # pixels of the colour of the left side
    with np.load(exported / 'all.parity.npz') as file:
        proof = dict(file)
    text = base64.b64encode(proof['inputs/crops'].tobytes()).decode()
    for name, number_type in TYPES.items():
        pose = np.array(page.evaluate(RUN, [name, text])['pose'])
        off = np.abs(pose.reshape(proof['outputs/pose'].shape) - proof['outputs/pose'])
        if number_type.budget is None:
            assert off.max() < 1e-4  # metres
        else:
            assert off.mean() < number_type.budget['metres']
    page.select_option('#choice', '../balancing.jpg')
    page.wait_for_function('document.body.dataset.ready === "2"')
