"""What a report leads to."""

from __future__ import annotations

import pytest

from robustvos.commands.closing import after_reporting
from robustvos.evaluation.results import load_result


@pytest.mark.parametrize(("metrics", "config"), [(("J",), "moga.yaml"), (("mIoU", "mIoU_occ"), "moga_amodal.yaml")])
def test_untrained_systems_lead_to_a_training_of_their_task(write_run, tmp_path, metrics, config):
    run = load_result(write_run("sam2", {("a", ""): (0.5,) * len(metrics)}, metrics=metrics))
    assert after_reporting([run], tmp_path).endswith(f"fit --config configs/{config}")
