"""Synthetic runs, written the way a test run writes them; tiny random models, saved as their authors save theirs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

WriteRun = Callable[..., Path]


def summary(values: list[float | None]) -> dict:
    """An aggregate with a plain mean and a made-up interval of 0.05 either side."""
    known = [value for value in values if value is not None]
    if not known:
        return {"mean": None, "low": None, "high": None, "std": None, "clips": 0, "objects": 0}
    mean = statistics.fmean(known)
    counts = {"clips": len(known), "objects": len(known)}
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05, "std": 0.1, **counts}


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """``write_run(system, scores)``: ``scores`` maps (clip, tags as ``a=b``) to one score, or to one per metric.

    ``boat#2`` is object 2 of the clip, ``boat`` object 1.
    """

    def write(system: str, scores: dict, *, folder: str = "", metrics: tuple[str, ...] = ("J",), **fields) -> Path:
        objects = []
        for (clip, tag), score in scores.items():
            values = score if isinstance(score, tuple) else (score,)
            tags = dict(part.split("=") for part in tag.split(",") if part)
            of_metric = dict(zip(metrics, values, strict=True))
            name, _, number = clip.partition("#")
            objects.append({"clip": name, "object": int(number or 1), "frames": 4, "tags": tags, "scores": of_metric})

        def table(chosen: list) -> dict:
            return {metric: summary([entry["scores"][metric] for entry in chosen]) for metric in metrics}

        by: dict = {}
        for tag in {tag for entry in objects for tag in entry["tags"]}:
            for value in {entry["tags"].get(tag) for entry in objects} - {None}:
                by.setdefault(tag, {})[value] = table([e for e in objects if e["tags"].get(tag) == value])
        data = {
            "schema": 1,
            "system": system,
            "base": "nano",
            "dataset": "shapes",
            "protocol": "davis",
            "prompt": "mask",
            "seed": 0,
            "created": "2026-01-02T03:04:05",
            "versions": {"robustvos": "0.1.0", "torch": "2.9"},
            "parameters": {"total": 2_000_000, "trainable": 1_094_112},
            "checkpoint": None,
            "metrics": list(metrics),
            "objects": objects,
            "aggregates": {"overall": table(objects), "by": by},
            **fields,
        }
        path = tmp_path / "runs" / (folder or system) / "results.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data), encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_strip() -> Callable[..., None]:
    """``write_strip(results_json, clip, corruption)`` writes one finished strip beside a run's results."""

    def write(results: Path, clip: str, corruption: str) -> None:
        folder = results.parent / "figures" / "strips" / clip
        folder.mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 255, (32, 96, 3), dtype=np.uint8)
        for name in ("truth", "prediction"):
            Image.fromarray(pixels).save(folder / f"{name}.png")
        facts = {"corruption": corruption, "frames": [0, 3], "object_ids": [1]}
        (folder / "strip.json").write_text(json.dumps(facts), encoding="utf-8")

    return write


def stirred(model, std: float = 0.15):
    """Larger random weights than a fresh network's, so that its answer depends on what it sees."""
    rng = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(std=std, generator=rng)
    return model


@pytest.fixture(scope="session")
def depth_folder(tmp_path_factory) -> Path:
    return save_depth(tmp_path_factory.mktemp("depth") / "Depth-Anything-V2-Small-hf")


@pytest.fixture(scope="session")
def metric_folder(tmp_path_factory) -> Path:
    return save_depth(tmp_path_factory.mktemp("metric") / "metric", "metric", max_depth=20)


def save_depth(folder: Path, kind: str = "relative", max_depth: int = 1) -> Path:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.DepthAnythingConfig(
        backbone_config=transformers.Dinov2Config(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=28,
            patch_size=14,
            out_features=["stage1", "stage2"],
            reshape_hidden_states=False,
            apply_layernorm=True,
        ),
        reassemble_hidden_size=16,
        reassemble_factors=[2, 1],
        neck_hidden_sizes=[8, 8],
        fusion_hidden_size=8,
        head_hidden_size=4,
        depth_estimation_type=kind,
        max_depth=max_depth,
    )
    stirred(transformers.DepthAnythingForDepthEstimation(config)).save_pretrained(folder)
    transformers.DPTImageProcessor(
        size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def vitmatte_folder(tmp_path_factory) -> Path:
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("matte") / "vitmatte-small-composition-1k"
    torch.manual_seed(0)
    config = transformers.VitMatteConfig(
        backbone_config=transformers.VitDetConfig(
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=32,
            pretrain_image_size=32,
            patch_size=16,
            num_channels=4,
            out_features=["stage2"],
        ),
        hidden_size=8,
        convstream_hidden_sizes=[4, 4, 4],
        fusion_hidden_sizes=[8, 8, 4, 4],
    )
    stirred(transformers.VitMatteForImageMatting(config), std=2.0).save_pretrained(folder)
    transformers.VitMatteImageProcessor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def dino_folder(tmp_path_factory) -> Path:
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("dino") / "grounding-dino-base"
    folder.mkdir()
    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", "person", "car", "shopping", "cart", "dog"]
    vocabulary = {word: index for index, word in enumerate(words)}
    config = transformers.GroundingDinoConfig(
        backbone_config=transformers.SwinConfig(
            embed_dim=8,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 2, 2],
            window_size=2,
            image_size=64,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=transformers.BertConfig(
            vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
        ),
        num_queries=12,
        encoder_layers=1,
        decoder_layers=2,  # fewer cannot share their box heads
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_n_points=2,
        decoder_n_points=2,
        d_model=32,
    )
    stirred(transformers.GroundingDinoForObjectDetection(config)).save_pretrained(folder)
    tokenizer = transformers.BertTokenizer(vocab=vocabulary)
    transformers.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
