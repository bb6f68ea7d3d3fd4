"""The annotate page in a real browser: an object is clicked, tracked, corrected; the page reloads and all is there."""

from __future__ import annotations

import shutil
import threading

import cv2
import numpy as np
import pytest
import torch

from robustvos.commands.annotating import open_annotation
from robustvos.systems.loading import load_system
from robustvos.video.frames import open_frames
from robustvos.video.writer import VideoWriter
from robustvos.web.annotate import AnnotatePage
from robustvos.web.frames import FramePictures
from robustvos.web.serve import Address, Page

HEIGHT, WIDTH, LENGTH = 120, 160, 6
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
]


def disc(t):
    return cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (50 + 5 * t, 60), 24, 1, -1).astype(bool)


@pytest.fixture
def served(tmp_path):
    """The page's address, and the annotation behind it; nano, for drawn shapes are what it knows."""
    pytest.importorskip("nicegui", reason="needs the extra 'web'")
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for t in range(LENGTH):
            frame = np.full((HEIGHT, WIDTH, 3), (60, 70, 60), np.uint8)
            frame[disc(t)] = (230, 60, 40)
            writer.add(torch.from_numpy(frame).permute(2, 0, 1))
    frames = open_frames(tmp_path / "clip.mp4")
    annotation, store = open_annotation(frames, tmp_path / "out")
    page = Page("clip", Address(port=0, token="letmeinplease1"))
    AnnotatePage(annotation, load_system("sam2", sam2="nano"), FramePictures(frames), store, "clip").add_to(page)
    ready, urls = threading.Event(), []
    thread = threading.Thread(target=page.run, args=(lambda url: (urls.append(url), ready.set()),), daemon=True)
    thread.start()
    assert ready.wait(30)
    yield urls[0], annotation, store
    page.stop()
    thread.join(20)


@pytest.fixture
def tab(served):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1100, "height": 760})
        tab.asked, tab.broken = [], []
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.on("pageerror", lambda error: tab.broken.append(str(error)))
        yield tab
        browser.close()


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_object_is_clicked_tracked_corrected_and_there_after_a_reload(served, tab):
    url, annotation, store = served

    def opened():
        tab.wait_for_selector("#annotate[data-ready=yes]", timeout=30000)

    def at(x, y):
        box = tab.locator("#canvas").bounding_box()
        return box["x"] + x * box["width"] / WIDTH, box["y"] + y * box["height"] / HEIGHT

    def shown(frame):
        return lambda: tab.locator("#annotate").get_attribute("data-picture") == str(frame)

    def until(what):
        for _ in range(300):
            if what():
                return
            tab.wait_for_timeout(50)
        raise AssertionError(tab.locator("#hint").inner_text())

    assert tab.goto(url.partition("?")[0]).status == 403
    tab.goto(url)
    opened()
    slow = lambda route: (tab.wait_for_timeout(300), route.continue_())  # noqa: E731
    tab.route("**/api/edit/object", slow)
    tab.keyboard.press("p")
    tab.mouse.click(*at(100, 100))  # with the brush, before there is an object: a dab, and no more
    until(lambda: (0, 1) in annotation.state.marks and annotation.ids(0).any())
    dab = annotation.ids(0)
    tab.mouse.move(*at(20, 20), steps=5)  # no button is down
    tab.wait_for_timeout(500)
    assert (annotation.ids(0) == dab).all()
    tab.unroute("**/api/edit/object", slow)
    while tab.locator("#objects li").count():
        tab.keyboard.press("Control+z")
        tab.wait_for_timeout(200)
    tab.keyboard.press("c")
    tab.mouse.click(*at(50, 60))
    until(lambda: (0, 1) in annotation.state.marks)
    assert iou(annotation.ids(0) == 1, disc(0)) > 0.7
    tab.keyboard.press("t")
    until(lambda: len(annotation.state.sureness) == LENGTH)
    until(lambda: tab.locator("#annotate").get_attribute("data-run") == "no")
    assert iou(annotation.ids(LENGTH - 1) == 1, disc(LENGTH - 1)) > 0.6

    tab.keyboard.press("Home")
    tab.keyboard.press("ArrowRight")
    until(shown(1))  # a stroke is of the frame that is shown
    tab.keyboard.press("e")
    tab.mouse.move(*at(20, 60))
    tab.mouse.down()
    tab.mouse.move(*at(90, 60), steps=5)  # the button stays down: the browser goes in mid-stroke
    until(lambda: annotation.state.marks.get((1, 1)) is not None and not annotation.ids(1)[60, 25:85].any())
    corrected = annotation.ids(1)
    tab.reload()
    opened()
    until(lambda: tab.locator("#where").inner_text() == f"frame 1 of {LENGTH - 1}")
    assert tab.locator("#objects li").count() == 1
    assert (annotation.ids(1) == corrected).all()
    assert (store.load().planes[1].array == corrected).all()
    tab.keyboard.press("Control+z")
    until(lambda: (1, 1) not in annotation.state.marks)
    assert iou(annotation.ids(1) == 1, disc(1)) > 0.6
    tab.keyboard.press("n")
    until(lambda: tab.locator("#objects li").count() == 2)

    held = []  # a picture that is on its way: a click there is answered, and marks nothing
    tab.route("**/frames/2.jpg", lambda route: held.append(route))
    tab.keyboard.press("ArrowRight")
    tab.mouse.click(*at(60, 60))
    until(lambda: "on its way" in tab.locator("#hint").inner_text())
    assert not any(frame == 2 for frame, _ in annotation.state.marks)
    held[0].continue_()
    until(shown(2))
    tab.mouse.click(*at(60, 60))
    until(lambda: (2, 2) in annotation.state.marks)
    assert tab.broken == []
    assert all(asked.startswith((url.partition("?")[0], "data:", "blob:")) for asked in tab.asked)
