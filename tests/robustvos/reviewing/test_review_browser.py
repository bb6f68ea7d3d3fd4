"""The review page in a real browser: a clip is failed by key; the page reloads and all is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from robustvos.reviewing.order import blind_order
from robustvos.reviewing.verdicts import VerdictFile

ROOT = Path(__file__).resolve().parents[3]
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def served(draw, tmp_path_factory):
    """The command in a process of its own: its address, the run, and how to kill it."""
    pytest.importorskip("nicegui", reason="needs the extra 'web'")
    run = draw(tmp_path_factory.mktemp("review") / "run")
    words = ["review", str(run), "--reviewer", "anna", "--controls", "1", "--port", "0", "--open", "false"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), *words], stdout=subprocess.PIPE, text=True, env=environment
    )
    url = re.search(r"http://\S+", process.stdout.readline())
    assert url, "the command ended"
    yield url[0], run, process
    process.kill()
    process.wait()


def test_routes_tell_no_control_from_a_clip_and_refuse_what_is_none(served):
    import json
    import urllib.error
    import urllib.request

    url, *_ = served

    def ask(path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    status, content = ask("api/review")
    assert status == 200 and b"control" not in content and b"street." not in content
    token = json.loads(content)["clips"][0]["token"]
    assert ask(f"clips/{token}/0.jpg")[1][:2] == b"\xff\xd8"
    assert ask(f"clips/{token}/99.jpg")[0] == 404 and ask("clips/..%2f..%2fetc/0.jpg")[0] == 404
    assert ask("api/verdict", {"token": token, "decision": "fail", "reason": "ugly"})[0] == 400
    assert ask("api/verdict", {"token": token, "decision": "pass", "seconds": -1})[0] == 400
    assert ask("api/keys", {"pass": "X"})[0] == 400  # the page does not tell capitals apart
    assert ask("api/keys", {"pass": "x"})[0] == 400 and ask("api/keys", {"explode": "e"})[0] == 400
    assert json.loads(ask("api/review")[1])["clips"][0]["verdict"] is None


def test_a_clip_is_failed_by_key_and_a_reload_shows_it(served):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    url, run, process = served
    first, second, third, *_ = blind_order(run, "anna", seed=0, controls=1)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1100, "height": 720})
        asked, broken = [], []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("pageerror", lambda error: broken.append(str(error)))

        def judged(token):
            tab.wait_for_selector(f"#review[data-judged='{token}']")

        tab.goto(url)
        tab.wait_for_selector("#review[data-ready=yes]")
        tab.wait_for_function("Number(document.getElementById('review').dataset.frame) > 2")  # it plays
        tab.keyboard.press("n")
        tab.keyboard.type("the mask lags 2 frames")  # letters and digits of a note are no keys
        tab.keyboard.press("Enter")
        tab.keyboard.press("7")
        judged(first.token)
        tab.keyboard.press("p")
        judged(second.token)
        tab.click("#setkeys")
        tab.click("[data-action=flag]")
        tab.keyboard.press("g")
        tab.wait_for_selector("[data-action=flag] kbd:text('G')")
        tab.click("#setkeys")
        tab.keyboard.press("g")
        judged(third.token)

        assert tab.inner_text("#count") == "3 of 4 judged"

        held = VerdictFile(run, "anna").read()
        assert {key: v.decision for key, v in held.items()} == {
            first.key: "fail",
            second.key: "pass",
            third.key: "flag",
        }
        assert held[first.key].reason == "truth not to be trusted" and held[first.key].note == "the mask lags 2 frames"
        assert 0 < held[first.key].seconds < 60

        tab.reload()
        tab.wait_for_selector("#review[data-ready=yes]")
        assert tab.inner_text("#count") == "3 of 4 judged"
        assert tab.inner_text("#place") == "Clip 4 of 4"  # the one to be judged
        tab.select_option("#filter", "fail")
        assert tab.inner_text("#place") == "Clip 1 of 1" and tab.input_value("#note") == "the mask lags 2 frames"
        assert tab.get_attribute("[data-action='truth not to be trusted']", "class").endswith("on")
        assert tab.inner_text("[data-action=flag] kbd") == "G"
        browser.close()
    process.kill()  # SIGKILL: what was said is on disk
    process.wait()
    assert VerdictFile(run, "anna").read() == held
    assert not broken and all(address.startswith((url, "data:", "blob:")) for address in asked)
