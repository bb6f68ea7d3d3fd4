"""Precisions that a CPU can only imitate are named."""

from __future__ import annotations

import lightning as L
import pytest
import torch

from lightning_modules.precision import slow_precision


@pytest.mark.parametrize("supported", [True, False])
def test_bfloat16_is_advised_against_where_the_cpu_lacks_it(monkeypatch, supported):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: supported)
    rounded, exact = (L.Trainer(accelerator="cpu", precision=p, logger=False) for p in ("bf16-mixed", "32-true"))
    assert slow_precision(exact) == ""
    assert ("--trainer.precision 32-true" in slow_precision(rounded)) is not supported


def test_the_question_is_one_that_torch_answers():
    assert torch.ops.mkldnn._is_mkldnn_bf16_supported() in (True, False)
