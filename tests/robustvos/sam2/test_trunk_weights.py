"""A base that is to be trained begins with the trunk weights it is given, whatever their names; or says why it cannot."""

from __future__ import annotations

import pytest
import torch

from robustvos.errors import CheckpointMismatch, CheckpointNotFound, UserError
from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.timm_trunk import TimmTrunk

SIZE = 64


def small(**settings) -> Sam2Config:
    return Sam2Config("small", "random", SIZE, **settings)


@pytest.fixture(scope="module")
def trained() -> dict[str, torch.Tensor]:
    """Weights of another MobileNetV2."""
    torch.manual_seed(5)
    return TimmTrunk("mobilenetv2_100", SIZE).body.state_dict()


def test_weights_are_matched_by_name_or_in_order(tmp_path, trained):
    renamed = {f"features.{i}": value for i, value in enumerate(trained.values())}
    for number, state in enumerate((trained, {**renamed, "classifier.weight": torch.ones(10, 320)})):
        path = tmp_path / f"{number}.pt"
        torch.save(state, path)
        found = build_sam2(small(trunk_weights=str(path))).image_encoder.trunk.body.state_dict()
        assert all(torch.equal(found[name], value) for name, value in trained.items())


def test_weights_of_another_network_are_refused(tmp_path, trained):
    path = tmp_path / "other.pt"
    torch.save({f"x{i}": value for i, value in enumerate(reversed(trained.values()))}, path)
    with pytest.raises(CheckpointMismatch, match="another network: where 'conv_stem.weight'"):
        build_sam2(small(trunk_weights=str(path)))
    torch.save(dict(list(trained.items())[:9]), path)
    with pytest.raises(CheckpointMismatch, match="another network: where .* it ends"):
        build_sam2(small(trunk_weights=str(path)))
    with pytest.raises(CheckpointNotFound, match="no trunk weights at 'nowhere.pt'; give a file, or 'timm'"):
        build_sam2(small(trunk_weights="nowhere.pt"))


def test_weights_are_for_training_alone(tmp_path):
    with pytest.raises(UserError, match="trunk_weights are for training a base with a timm trunk"):
        build_sam2(Sam2Config("nano", "random", trunk_weights="timm"))


def test_missing_network_says_to_give_a_file(monkeypatch):
    import timm

    def refuse(*_, **settings):
        if settings.get("pretrained"):
            raise OSError("no route to host")
        return create(*_, **settings)

    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(CheckpointNotFound, match="no route to host.*give a file with --sam2.trunk_weights"):
        build_sam2(small(trunk_weights="timm"))


def test_fixed_norms_keep_their_statistics_in_training():
    def statistics(trunk: TimmTrunk) -> list[torch.Tensor]:
        return [value.clone() for name, value in trunk.state_dict().items() if "running" in name]

    image = torch.randn(2, 3, SIZE, SIZE) + 3
    for fixed in (True, False):
        trunk = TimmTrunk("mobilenetv2_100", SIZE, fixed_norms=fixed).train()
        before = statistics(trunk)
        trunk(image)
        assert all(torch.equal(a, b) for a, b in zip(before, statistics(trunk), strict=True)) == fixed


def test_frozen_trunk_gives_features_of_the_images_type():
    trunk = TimmTrunk("mobilenetv2_100", SIZE, fixed_norms=True).requires_grad_(False)
    image = torch.randn(2, 3, SIZE, SIZE)
    exact, rounded = trunk.eval()(image), trunk.train()(image)
    for a, b in zip(exact, rounded, strict=True):
        assert b.dtype == a.dtype == torch.float32
        assert (a - b).abs().mean() <= 0.05 * a.abs().mean()
