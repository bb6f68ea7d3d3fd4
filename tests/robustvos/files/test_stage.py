"""What the runner promises, shown with a stage that draws files."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from robustvos.errors import BadVideo, DataNotFound, UserError
from robustvos.files.stage import Item, Record, Rejection, StageResults, open_results
from robustvos.files.stage_runner import Shard, run_stage


@dataclass(frozen=True)
class DrawSettings:
    length: int = 50
    seconds: float = 0.0


@dataclass
class Draw:
    """Writes a file of numbers for each item; every third is rejected, the fifth cannot be read."""

    settings: DrawSettings = field(default_factory=DrawSettings)
    count: int = 12
    salt: str = ""
    broken: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    name = "draw"
    version = 1
    unit = "file"

    def items(self, inputs):
        # in an order of no meaning
        return [
            Item(f"item{n:02d}", {"n": n, "salt": self.salt}) for n in sorted(range(self.count), key=lambda n: n % 5)
        ]

    def run(self, item, work):
        n = item.inputs["n"]
        if item.key in self.broken:
            raise ZeroDivisionError("a fault")
        if item.key in self.absent:
            raise DataNotFound("video a.mp4 does not exist; check the path")
        if n == 4:
            raise BadVideo("cannot be read")
        if n % 3 == 2:
            return [Rejection("third", {"n": n}, key=f"{item.key}.a"), Record({"n": n}, key=f"{item.key}.b")]
        for part in range(5):
            values = np.random.default_rng(n * 10 + part).normal(size=self.settings.length)
            (work.folder / f"{part}.txt").write_text(f"{self.salt}{values.tolist()}")
            time.sleep(self.settings.seconds / 5)
            work.advance(0.2)
        return Record({"n": n, "mean": np.float32(n)})


def tree(root: Path) -> dict[str, bytes]:
    """Every visible file; what is hidden must be locks alone."""
    files = {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
    hidden = {name for name in files if any(part.startswith(".") for part in Path(name).parts)}
    assert hidden <= {f"draw/{name}" for name in (".runners", ".stage.json.lock", ".manifest.jsonl.lock")}
    return {name: content for name, content in files.items() if name not in hidden}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    run_stage(Draw(), root, progress=False)
    return tree(root)


def test_results_say_what_became_of_each_item(tmp_path):
    results = run_stage(Draw(), tmp_path, progress=False)
    assert isinstance(results, StageResults) and results.missing == 0
    assert results.settings == {"length": 50, "seconds": 0.0}
    assert [r.key for r in results.rejected] == ["item02.a", "item04", "item05.a", "item08.a", "item11.a"]
    assert results.rejected[1].reason == "unreadable" and "cannot be read" in results.rejected[1].figures["message"]
    by_key = {r.key: r for r in results.kept}
    assert by_key["item03"].figures == {"n": 3, "mean": 3.0}
    assert sorted(p.name for p in by_key["item03"].folder.iterdir()) == [f"{n}.txt" for n in range(5)]
    assert by_key["item02.b"].item == "item02" and not by_key["item02.b"].folder.exists()
    assert open_results(tmp_path, "draw") == results


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_shards_in_any_order_leave_the_same_bytes(tmp_path, whole, order):
    for index in order:
        if index != order[0]:
            with pytest.raises(UserError, match="not finished"):
                open_results(tmp_path, "draw")
        run_stage(Draw(), tmp_path, shard=Shard(index, 3), progress=False)
    assert tree(tmp_path) == whole


def test_workers_leave_the_same_bytes(tmp_path, whole):
    run_stage(Draw(), tmp_path, workers=2, progress=False)
    assert tree(tmp_path) == whole


def test_what_is_done_is_not_done_again(tmp_path):
    run_stage(Draw(), tmp_path, progress=False)
    before = (tmp_path / "draw" / "item00" / "0.txt").stat().st_mtime_ns
    run_stage(Draw(count=13), tmp_path, progress=False)
    assert (tmp_path / "draw" / "item00" / "0.txt").stat().st_mtime_ns == before
    assert (tmp_path / "draw" / "item12" / "0.txt").exists()


@pytest.mark.parametrize("change", [{"settings": DrawSettings(length=3)}, {"salt": "s"}, {"count": 7}])
def test_changed_settings_or_inputs_are_done_anew_and_stale_items_go(tmp_path, change):
    run_stage(Draw(), tmp_path / "a", progress=False)
    run_stage(Draw(**change), tmp_path / "a", progress=False)
    run_stage(Draw(**change), tmp_path / "b", progress=False)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_a_fault_in_one_item_stops_no_other(tmp_path, whole):
    with pytest.raises(UserError, match="item03 and 1 more failed.*a fault"):
        run_stage(Draw(broken=("item03", "item06")), tmp_path, progress=False)
    assert open_results(tmp_path, "draw", complete=False).missing == 2
    run_stage(Draw(), tmp_path, progress=False)
    assert tree(tmp_path) == whole


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_missing_for_a_while_is_not_noted_and_done_when_it_is_back(tmp_path, whole, workers):
    said = "draw: item03 and 1 more failed: video a.mp4 does not exist; check the path. The rest is done; run it again"
    for _ in range(2):
        with pytest.raises(DataNotFound, match=said):
            run_stage(Draw(absent=("item03", "item06")), tmp_path, workers=workers, progress=False)
        assert open_results(tmp_path, "draw", complete=False).missing == 2
    run_stage(Draw(), tmp_path, progress=False)
    assert tree(tmp_path) == whole


def test_an_error_of_the_program_is_told_before_what_is_missing(tmp_path):
    with pytest.raises(UserError, match="item06 and 1 more failed .*a fault.*please report it"):
        run_stage(Draw(absent=("item03",), broken=("item06",)), tmp_path, progress=False)


RUN = """
import sys; sys.path.insert(0, {here!r})
from test_stage import Draw, DrawSettings, Shard, run_stage
run_stage(Draw(DrawSettings(seconds={seconds})), {root!r}, workers={workers}, shard=Shard({index}, {count}), progress=False)
"""


def start(root, seconds=0.02, workers=1, index=0, count=1):
    code = RUN.format(
        here=str(Path(__file__).parent), root=str(root), seconds=seconds, workers=workers, index=index, count=count
    )
    return subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stderr=subprocess.DEVNULL)


def test_killed_at_random_and_run_again_leaves_the_same_bytes(tmp_path):
    run_stage(Draw(DrawSettings(seconds=0.06)), tmp_path / "whole", progress=False)
    rng, done, manifest = random.Random(0), set(), tmp_path / "killed" / "draw" / "manifest.jsonl"
    for _ in range(8):
        process = start(tmp_path / "killed", seconds=0.06)
        content = manifest.read_bytes() if manifest.exists() else b""
        while process.poll() is None and (not manifest.exists() or manifest.read_bytes() == content):
            time.sleep(0.005)
        time.sleep(rng.random() * 0.05)
        process.kill()
        if process.wait() == 0:
            break
        done.add(manifest.read_bytes().count(b"\n"))
    assert len(done) > 2, "killed in several states"
    run_stage(Draw(DrawSettings(seconds=0.06)), tmp_path / "killed", progress=False)
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_two_runs_at_once_share_the_work(tmp_path):
    run_stage(Draw(DrawSettings(seconds=0.1)), tmp_path / "whole", progress=False)
    processes = [start(tmp_path / "shared", seconds=0.1) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert tree(tmp_path / "shared") == tree(tmp_path / "whole")


def test_other_settings_wait_until_a_run_has_ended(tmp_path):
    process = start(tmp_path, seconds=2)
    while not (tmp_path / "draw" / "stage.json").exists():
        time.sleep(0.01)
    with pytest.raises(UserError, match="other settings"):
        run_stage(Draw(), tmp_path, progress=False)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    run_stage(Draw(), tmp_path, progress=False)


def test_stage_that_was_not_run_is_named(tmp_path):
    with pytest.raises(DataNotFound, match="no results of the stage 'draw'"):
        open_results(tmp_path, "draw")


@pytest.mark.parametrize("text", ["3/3", "a/b", "1", "-1/2"])
def test_bad_shards_are_refused(text):
    with pytest.raises(UserError, match="0 <= i < n"):
        Shard.parse(text)


@pytest.mark.parametrize("key", ["", ".a", "a/b", "x" * 300])
def test_keys_are_names_of_folders(key):
    with pytest.raises(ValueError, match="name of a folder"):
        Item(key)
