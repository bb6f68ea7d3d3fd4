"""Peak memory, of this process and of the training that made a checkpoint."""

import json

import numpy as np
import pytest

from robustvos.evaluation.memory import memory_of_training, peak_memory

pytestmark = pytest.mark.fast


def test_peak_grows_with_what_is_held_and_never_shrinks():
    before = peak_memory()["host"]
    held = np.ones(60 * 2**17)  # 60 MiB
    during = peak_memory()["host"]
    del held
    assert before > 1 and during >= before
    assert peak_memory()["host"] >= during


def test_training_is_read_beside_its_checkpoint(tmp_path):
    checkpoint = tmp_path / "checkpoints/last.ckpt"
    assert memory_of_training(str(checkpoint)) == memory_of_training(None) == {}
    (tmp_path / "trained.json").write_text(json.dumps({"memory_mib": {"host": 512.5}}))
    assert memory_of_training(str(checkpoint)) == {"fit_host": 512.5}
    (tmp_path / "trained.json").write_text("{")
    assert memory_of_training(str(checkpoint)) == {}
