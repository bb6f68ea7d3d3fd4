"""Object scores against what the truth shows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from callbacks.base import VideoCallback
from callbacks.presence_scores import FILE, PresenceScores, presence_figures
from robustvos.errors import BadVideo


class Scores(VideoCallback):
    """What the tracker said of each object, frame by frame."""

    def __init__(self):
        self.of = {}

    def on_tracked_frame(self, trainer, module, video, frame, tracked):
        for number, score in zip(tracked.object_ids, tracked.presence.tolist(), strict=True):
            self.of[video.name, number, tracked.index] = score


def test_auc_is_the_share_of_pairs_in_the_right_order(run, moga_system, make_video, capsys):
    videos = [make_video(name, prompted=(0, 2), frames=6) for name in ("a", "bb")]
    for video in videos:
        video.masks[4][0] = False
        video.masks[5][:] = False
    scores = Scores()
    folder, _ = run("test", moga_system, videos, [PresenceScores(), scores])
    counted = {key: s for key, s in scores.of.items() if key[2] > {1: 0, 2: 2}[key[1]]}
    gone = {("a", 1, 4), ("a", 1, 5), ("a", 2, 5), ("bb", 1, 4), ("bb", 1, 5), ("bb", 2, 5)}
    seen = [s for key, s in counted.items() if key not in gone]
    not_seen = [counted[key] for key in gone]
    right = [1.0 if a > b else 0.5 if a == b else 0.0 for a in seen for b in not_seen]
    found = json.loads((folder / FILE).read_text())
    assert found == {"auc": pytest.approx(sum(right) / len(right)), "seen": len(seen), "not_seen": 6}
    assert len(seen) + 6 == 2 * (5 + 3)
    assert "presence: AUC" in capsys.readouterr().out


def test_frames_without_truth_do_not_count(run, moga_system, make_video):
    video = make_video(objects=(1,), frames=5)
    video.masks[2] = None
    folder, _ = run("test", moga_system, [video], [PresenceScores()])
    assert json.loads((folder / FILE).read_text()) == {"auc": None, "seen": 3, "not_seen": 0}


def test_very_sure_scores_keep_their_order():
    assert presence_figures([(float(v), v > 20) for v in torch.arange(18, 24)])["auc"] == 1.0


def test_a_video_that_fails_is_in_no_figure(run, moga_system, make_video):
    class Torn(list):
        def __getitem__(self, index):
            if index == 3:
                raise BadVideo("torn.mp4: frame 3 cannot be decoded")
            return super().__getitem__(index)

    torn, whole = (make_video(name, objects=(1,), frames=5) for name in ("torn", "whole"))
    torn = replace(torn, frames=Torn(torn.frames))
    folder, _ = run("test", moga_system, [torn, whole], [PresenceScores()])
    assert json.loads((folder / FILE).read_text())["seen"] == 4
