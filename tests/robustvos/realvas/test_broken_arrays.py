"""Files of masks that a full disk, or a kill of another program, has cut short are named, with what to do."""

from __future__ import annotations

import numpy as np
import pytest

from robustvos.errors import DataNotFound
from robustvos.realvas.native_masks import NativeMask, read_native_masks, write_native_masks
from robustvos.realvas.tracks import Track, read_track, write_track

pytestmark = pytest.mark.fast

SEEN = np.random.default_rng(0).random((3, 40, 48)) > 0.5
WRITTEN = {
    "discover": (
        lambda path: write_track(Track(np.arange(3), SEEN, SEEN, np.zeros(3, bool), np.zeros(3, bool)), path),
        lambda path: read_track(path.parent, path, "a"),
    ),
    "propagate": (
        lambda path: write_native_masks({t: NativeMask((0, 0, 48, 40), SEEN[t], SEEN[t], "") for t in range(3)}, path),
        read_native_masks,
    ),
}


@pytest.mark.parametrize("stage", WRITTEN)
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_file_cut_short_is_named_with_the_stage_to_run_again(tmp_path, stage, kept):
    write, read = WRITTEN[stage]
    path = tmp_path / "masks.npz"
    write(path)
    read(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataNotFound, match=rf"masks.npz cannot be read .*; run the stage '{stage}' again"):
        read(path)


@pytest.mark.parametrize("stage", WRITTEN)
def test_so_is_one_whose_middle_is_lost(tmp_path, stage):
    write, read = WRITTEN[stage]
    path = tmp_path / "masks.npz"
    write(path)
    content = bytearray(path.read_bytes())
    content[100 : len(content) // 2] = bytes(len(content) // 2 - 100)
    path.write_bytes(content)
    with pytest.raises(DataNotFound, match="masks.npz cannot be read"):
        read(path)
