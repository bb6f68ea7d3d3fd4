"""Precisions that a CPU can only imitate are named."""

from __future__ import annotations

import lightning as L
import pytest
import torch

from lightning_modules import precision
from lightning_modules.precision import slow_precision
from robustvos.sam2.cpu import computes_in_bfloat16


@pytest.mark.parametrize("supported", [True, False])
def test_bfloat16_is_advised_against_where_the_cpu_lacks_it(monkeypatch, supported):
    monkeypatch.setattr(precision, "computes_in_bfloat16", lambda: supported)
    rounded, exact = (L.Trainer(accelerator="cpu", precision=p, logger=False) for p in ("bf16-mixed", "32-true"))
    assert slow_precision(exact) == ""
    assert ("--trainer.precision 32-true" in slow_precision(rounded)) is not supported


def test_the_question_is_one_that_torch_answers(monkeypatch):
    assert computes_in_bfloat16() in (True, False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert computes_in_bfloat16()
