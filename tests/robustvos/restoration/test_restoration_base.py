"""Whatever a restorer does, frames keep their form; weights that do not fit are refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from robustvos.errors import BadVideo, CheckpointMismatch, CheckpointNotFound
from robustvos.restoration import Restorer
from robustvos.restoration.weights import find_weights, load_exactly, read_weights

pytestmark = pytest.mark.fast


class Brighten(Restorer):
    """Scales; keeps what its network was given."""

    multiple, smallest = 4, 8

    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.factor = nn.Parameter(torch.tensor(factor))
        self.loads = 0

    def load(self) -> None:
        self.loads += 1

    def enhance(self, images: Tensor) -> Tensor:
        self.given = images
        return self.factor * images


def frame(height: int, width: int) -> Tensor:
    drawn = torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(0))
    return drawn.to(torch.uint8)


@pytest.mark.parametrize(
    ("size", "padded"), [((8, 12), (8, 12)), ((9, 11), (12, 12)), ((1, 1), (8, 8)), ((3, 20), (8, 20))]
)
def test_network_gets_its_sides_and_the_frame_keeps_its_own(size, padded):
    restorer, given = Brighten(), frame(*size)
    restored = restorer.restore(given)
    assert restorer.given.shape == (1, 3, *padded)
    assert torch.equal(restorer.given[0, :, size[0] - 1, size[1] - 1], restorer.given[0, :, -1, -1])
    assert torch.equal(restored, (2 * given.int()).clamp(max=255).to(torch.uint8))


def test_every_level_survives_the_way_there_and_back():
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).expand(3, -1, -1)
    assert torch.equal(Brighten(1.0).restore(levels), levels)


def test_negative_results_are_black():
    assert not Brighten(-1.0).restore(frame(8, 8)).any()


def test_frame_is_left_alone_and_the_result_may_be_changed():
    given = frame(8, 8)
    before = given.clone()
    restored = Brighten().restore(given)
    restored += 1
    assert torch.equal(given, before)
    assert not restored.is_inference()


def test_precision_is_not_lowered_by_autocast():
    restorer = Brighten()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        restorer.restore(frame(8, 8))
    assert restorer.given.dtype == torch.float32


def test_it_is_loaded_once_frozen_and_stays_in_eval_mode():
    restorer = Brighten()
    host = nn.ModuleDict({"restorer": restorer.prepare()})
    host.train()
    restorer(frame(8, 8))
    assert restorer.loads == 1
    assert not any(module.training for module in restorer.modules())
    assert not any(p.requires_grad for p in restorer.parameters())


@pytest.mark.parametrize(
    "bad",
    [
        torch.zeros(3, 8, 8),
        torch.zeros(1, 8, 8, dtype=torch.uint8),
        torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
        torch.zeros(3, 0, 8, dtype=torch.uint8),
    ],
)
def test_anything_but_a_frame_is_refused(bad):
    with pytest.raises(BadVideo, match="uint8"):
        Brighten().restore(bad)


# Weights


def test_weights_are_found_by_path_by_variable_and_in_checkpoints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBUSTVOS_WEIGHTS", str(tmp_path / "shared"))
    for place in ("checkpoints", "shared", "."):  # each counts more than the one before
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / "w.pth").touch()
        assert find_weights("w.pth", "X", "fetch it").resolve() == (tmp_path / place / "w.pth").resolve()
    assert find_weights(str(tmp_path / "shared" / "w.pth"), "X", "fetch it") == tmp_path / "shared" / "w.pth"


def test_missing_weights_say_where_they_were_looked_for_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBUSTVOS_WEIGHTS", "/shared")
    with pytest.raises(CheckpointNotFound) as caught:
        find_weights("w.pth", "X", "fetch w.pth from there")
    for words in ("X", "checkpoints/w.pth", "/shared/w.pth", "fetch w.pth from there"):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


class Harmful:
    """Would print when it is unpickled."""

    def __reduce__(self):
        return print, ("unpickled",)


def test_no_code_of_a_file_is_run(tmp_path, capsys):
    torch.save({"weight": Harmful()}, tmp_path / "w.pth")
    with pytest.raises(CheckpointMismatch, match="not a readable checkpoint"):
        read_weights(tmp_path / "w.pth")
    assert "unpickled" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_truncated_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x08\x00")
    with pytest.raises(CheckpointMismatch, match="fetch it again"):
        read_weights(tmp_path / name)


def test_list_is_no_state_dict(tmp_path):
    torch.save([torch.zeros(1)], tmp_path / "w.pth")
    with pytest.raises(CheckpointMismatch, match="no state dict"):
        read_weights(tmp_path / "w.pth")


def test_everything_that_differs_is_listed_and_nothing_is_loaded():
    layer = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    state = {
        "0.weight": torch.zeros(3, 2),
        "0.bias": torch.zeros(2),
        "1.weight": torch.full((2, 2), torch.nan),
        "extra": torch.zeros(1),
    }
    with pytest.raises(CheckpointMismatch) as caught:
        load_exactly(layer, state, "w.pth")
    for words in (
        "1 missing (1.bias)",
        "1 unexpected (extra)",
        "0.weight (3, 2) instead of (2, 2)",
        "not finite (1.weight)",
    ):
        assert words in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
