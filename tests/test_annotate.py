"""``annotate`` at the door: what cannot be opened is one line, and leaves nothing."""

from __future__ import annotations

import socket

import cv2
import numpy as np
import pytest

from robustvos import optional


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "frames").mkdir()
    for t in range(2):
        cv2.imwrite(str(tmp_path / "frames" / f"{t}.png"), np.zeros((16, 20, 3), np.uint8))
    return tmp_path / "frames"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["nowhere.mp4"], "nowhere.mp4"),
        (["frames", "--masks", "nowhere"], "nowhere"),
        (["frames", "--classes"], "--masks DIR"),
        (["frames", "--least_area", "0"], "at least 1"),
        (["frames", "--port", "70000"], "--port 70000"),
        (["frames", "--host", "0.0.0.0", "--token", "x y"], "--token"),
        (["frames", "--sam2", "smal"], "did you mean 'small'"),
        (["frames", "--out", "frames"], "what is read"),
    ],
)
def test_what_cannot_be_opened_is_one_line(door, folder, tmp_path, argv, said):
    pytest.importorskip("nicegui", reason="needs the extra 'web'")
    before = sorted(tmp_path.rglob("*"))
    assert said in door("annotate", *argv, "--open", "false").error
    assert sorted(tmp_path.rglob("*")) == before


def test_port_that_is_taken_is_one_line(door, folder, tiny_base, tmp_path):
    pytest.importorskip("nicegui", reason="needs the extra 'web'")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert "choose another --port" in door("annotate", folder, "--sam2", tiny_base, "--port", port).error
    assert not (tmp_path / "annotations").exists()


def test_missing_extra_is_named(door, folder, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    monkeypatch.setattr(optional, "import_module", missing)
    assert "pip install 'robustvos[web]'" in door("annotate", folder).error
