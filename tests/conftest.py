"""The door, as a person uses it, on tiny data: a random SAM 2 of 64 px, clips of two or three frames."""

from __future__ import annotations

import importlib.util
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

TINY_DATA: dict[str, Any] = {
    "class_path": "Shapes",
    "init_args": {
        "size": 64,
        "train": {"frames": 2, "frames_per_batch": 4, "batches": 2, "max_objects": 2},
        "val": {"limit": 1, "frames": 3, "objects": 1},
        "test": {"limit": 2, "frames": 3, "objects": 2, "conditions": ["clean", "fog"]},
    },
}


def pytest_configure() -> None:
    """Ctrl-C ends what tests start, also where they run in the background of a shell, which lets it be ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


OUTSIDE = ("browser", "slurm", "wheel", "notebooks")  # marks of tests that wait for programs of other people's


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that waits for other programs on a busy machine has a second try, which the summary counts."""
    if config.pluginmanager.hasplugin("rerunfailures"):
        for item in items:
            if any(item.get_closest_marker(mark) for mark in OUTSIDE):
                item.add_marker(pytest.mark.flaky(reruns=1))


@dataclass(frozen=True)
class Answer:
    """What the door said."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of an error that a person can mend; anything else fails the test."""
        assert self.code == 2, f"exit code {self.code}: {self.out}{self.err}"
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        return lines[0]


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """``door("fit", "--config", path, ...)`` runs the real ``cli.main`` in an empty folder."""
    import cli

    monkeypatch.chdir(tmp_path)

    def run(*argv: object) -> Answer:
        capfd.readouterr()
        code = cli.main([str(token) for token in argv])
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return run


@pytest.fixture(scope="session")
def forked() -> Iterator[Callable[[Path, Callable[[], object]], tuple[int, str]]]:
    """``forked(folder, work)`` gives exit code (minus the signal) and output of work in a process of its own."""
    spec = importlib.util.spec_from_file_location("fork_server", Path(__file__).with_name("fork_server.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.ForkServer()

    def run(folder: Path, work: Callable[[], object]) -> tuple[int, str]:
        folder.mkdir(exist_ok=True)
        return server.run(work, folder)

    yield run
    server.close()


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A YAML for ``--sam2``: nano at 64 px with random weights that are the same all through the session."""
    import torch
    from safetensors.torch import save_file

    from robustvos.sam2.build import build_sam2
    from robustvos.sam2.config import Sam2Config

    folder = tmp_path_factory.mktemp("base")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_sam2(Sam2Config("nano", checkpoint="random", image_size=64))
    weights = folder / "base.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, weights)
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({"variant": "nano", "checkpoint": str(weights), "image_size": 64}))
    return path


@pytest.fixture(scope="session")
def tiny_config(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``--config`` of a run of two epochs of two steps."""
    content = {
        "seed_everything": 0,
        "run": "tiny",
        "sam2": str(tiny_base),
        "recipe": {"optimisation": {"learning_rate": 0.01}},
        "model": {
            "class_path": "PromptableVOS",
            "init_args": {"adapter": {"class_path": "MoGA", "init_args": {"rank": 4}}},
        },
        "data": TINY_DATA,
        "trainer": {
            "max_epochs": 2,
            "accelerator": "cpu",
            "devices": 1,
            "log_every_n_steps": 1,
            "enable_progress_bar": False,
        },
    }
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="session")
def trained(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of ``tiny_config``."""
    import cli

    folder = tmp_path_factory.mktemp("trained")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert cli.main(["fit", "--config", str(tiny_config)]) == 0
    finally:
        os.chdir(before)
    return folder / "runs" / "tiny" / "version_0"


@dataclass(frozen=True)
class Graphs:
    """What ``export --onnx --model moga`` left, and said."""

    folder: Path
    said: str


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    """The ONNX files of the MoGA that is shipped for nano."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    import cli

    folder, said = tmp_path_factory.mktemp("onnx"), io.StringIO()
    with redirect_stdout(said):
        assert cli.main(["export", "--onnx", "--model", "moga", "--out", str(folder)]) == 0
    return Graphs(folder, said.getvalue())
