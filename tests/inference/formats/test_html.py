"""The page: what lies in it, and, in headless Chromium, that it opens, plays and turns."""

import base64
import dataclasses
import json
import re
import shutil

import numpy as np
import pytest

from capf_jax.inference.formats import html
from tests.inference.formats.moving import Y_UP, moving, with_gap

CHROMIUM = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), ''
)
IMAGES = [np.full((120, 160, 3), 40 + 15 * n, np.uint8) for n in range(12)]


def data_of(path):
    """The JSON in the page."""
    text = re.search(r'type="application/json">(.*?)</script>', path.read_text(), re.DOTALL)
    assert text is not None
    return json.loads(text[1])


def test_the_page_holds_the_joints(tmp_path):
    one = with_gap(moving(), 5, 7)
    html.write(tmp_path / 'a.html', one, lambda: IMAGES)
    data = data_of(tmp_path / 'a.html')
    joints = np.frombuffer(base64.b64decode(data['joints']), '<f4').reshape(1, 12, 17, 3)
    np.testing.assert_allclose(joints, one.joints3d * Y_UP, atol=1e-5)
    assert data['times'] == pytest.approx(one.times)
    assert (data['film']['kind'], data['film']['frames']) == ('video', 12)


def test_the_page_loads_nothing_from_elsewhere(tmp_path):
    html.write(tmp_path / 'a.html', moving(), lambda: IMAGES)
    page = (tmp_path / 'a.html').read_text()
    assert not re.findall(r'<(?:script|link|img|video)[^>]*(?:src|href)=', page)
    assert {*re.findall(r'https?://[\w./-]+', page)} <= {
        'http://www.w3.org/1999/xhtml', 'https://threejs.org',
    }  # fmt: skip


def test_names_of_files_are_text_and_not_markup(tmp_path):
    html.write(tmp_path / 'a.html', moving(source='</script><b>{{data}}.mp4'), None)
    page = (tmp_path / 'a.html').read_text()
    assert page.count('</script>') == 3
    assert '&lt;/script&gt;&lt;b&gt;{{data}}.mp4' in page


def test_a_photograph_is_shown_as_a_picture(tmp_path):
    html.write(tmp_path / 'a.html', moving(length=1), lambda: IMAGES[:1])
    assert data_of(tmp_path / 'a.html')['film']['kind'] == 'image'


def test_a_video_that_is_too_large_is_cut_and_the_page_says_so(tmp_path):
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (160, 160, 3), np.uint8) for _ in range(120)]
    one = moving(length=120)
    html.write(tmp_path / 'a.html', one, lambda: noise, largest_film=20_000)
    data = data_of(tmp_path / 'a.html')
    assert 0 < data['film']['frames'] < 120
    assert 'The video is shown for its first' in data['note']


def test_nobody_is_a_page_that_says_so(tmp_path):
    html.write(tmp_path / 'a.html', moving().select(people=[]), lambda: IMAGES)
    data = data_of(tmp_path / 'a.html')
    assert data['people'] == []
    assert data['note'] == 'Nobody with a pose was seen in walk.mp4.'


@pytest.fixture(scope='module')
def browser():
    """A headless Chromium without a network."""
    if not CHROMIUM:
        pytest.skip('there is no Chromium: apt-get install chromium')
    playwright = pytest.importorskip('playwright.sync_api')
    flags = ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader']
    with (
        playwright.sync_playwright() as library,
        library.chromium.launch(executable_path=CHROMIUM, args=flags) as chromium,
    ):
        context = chromium.new_context(offline=True, viewport={'width': 520, 'height': 480})
        context.set_default_timeout(120_000)  # milliseconds; CI's machine may be busy
        yield context


def test_chromium_opens_plays_scrubs_and_turns_the_page(browser, tmp_path):
    # A busy machine must not reach the end of the video between two clicks.
    slow = dataclasses.replace(with_gap(moving(number=2), 5, 6), fps=0.5, times=2 * np.arange(12))
    html.write(tmp_path / 'a.html', slow, lambda: IMAGES)
    page, faults = browser.new_page(), []
    page.on('pageerror', lambda error: faults.append(str(error)))
    page.on('console', lambda message: faults.append(message.text))
    page.goto((tmp_path / 'a.html').as_uri())
    page.wait_for_selector('body[data-ready]')
    assert page.evaluate('document.body.dataset.webgl') is None  # which tells that it is missing
    assert page.evaluate('document.body.dataset.frame') == '0'

    page.select_option('#speed', '2')
    page.click('#play')
    page.wait_for_function('Number(document.body.dataset.frame) >= 1')
    page.click('#play')
    assert page.get_attribute('#play', 'aria-label') == 'Play'
    # The video is where the people are.
    frame, seconds = page.evaluate(
        '[Number(document.body.dataset.frame), document.querySelector("video").currentTime]'
    )
    assert 2 * frame - 0.1 < seconds < 2 * frame + 2.1

    page.fill('#scrub', '8')
    page.wait_for_function('document.querySelector("video").currentTime > 16')
    assert page.evaluate('document.body.dataset.frame') == '8'
    assert page.inner_text('#clock') == '16.00 s, frame 8'

    page.wait_for_timeout(300)
    before = page.locator('#stage').screenshot()
    stage = page.locator('#stage').bounding_box()
    page.mouse.move(stage['x'] + 150, stage['y'] + 100)
    page.mouse.down()
    page.mouse.move(stage['x'] + 230, stage['y'] + 110)
    page.mouse.up()
    page.wait_for_timeout(300)
    assert page.locator('#stage').screenshot() != before
    assert not faults
