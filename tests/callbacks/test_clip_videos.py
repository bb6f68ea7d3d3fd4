"""Videos of tested clips: which are kept, what they show, and that a clip that fails leaves none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from callbacks.clip_videos import ClipVideos
from robustvos.errors import BadVideo, UserError
from robustvos.video.frames import open_frames


def test_the_first_clips_of_each_condition_are_kept_with_every_frame(run, moga_system, make_video):
    videos = [make_video(name, frames=9, corruption=c) for c in ("clean", "fog") for name in ("a", "bb", "ccc")]
    folder, _ = run("test", moga_system, videos, [ClipVideos(per_condition=2)])
    found = {path.name: path for path in (folder / "figures" / "videos").iterdir()}
    assert set(found) == {"a.mp4", "bb.mp4", "a@fog.mp4", "bb@fog.mp4"}
    frames = open_frames(found["bb@fog.mp4"])
    assert (len(frames), frames.size) == (9, (4 * 48, 4 * 64))  # four times 48 is the first to reach 180
    assert found["a.mp4"].stat().st_size < 200_000


def test_the_truth_is_dashed_where_nothing_was_found(run, moga_system, make_video):
    grey = [torch.full((3, 200, 300), 120, dtype=torch.uint8)] * 3
    video = replace(make_video(frames=3, objects=(1,), size=(200, 300)), frames=grey)
    folder, _ = run("test", moga_system, [video], [ClipVideos()])
    frame = open_frames(folder / "figures" / "videos" / "clip.mp4")[2].float()
    edge = frame[:, 6:22, 6]  # the left side of the square on the third frame
    assert edge.max() > 180 and edge.min() < 90


def test_only_tests_leave_videos_and_each_counts_anew(run, moga_system, make_video):
    writer = ClipVideos(per_condition=1)
    for stage, expected in (("test", 1), ("test", 1), ("validate", 0), ("predict", 0)):
        folder, _ = run(stage, moga_system, [make_video(frames=2)], [writer])
        assert len(list(folder.rglob("*.mp4"))) == expected


def test_a_clip_that_fails_leaves_none_and_the_others_theirs(run, moga_system, make_video):
    class Torn(list):
        def __getitem__(self, index):
            if index == 1:
                raise BadVideo("torn.mp4: frame 1 cannot be decoded")
            return super().__getitem__(index)

    whole = make_video("whole", frames=3)
    torn = replace(make_video("torn", frames=3), frames=Torn(whole.frames))
    folder, _ = run("test", moga_system, [torn, whole], [ClipVideos()])
    assert [path.name for path in (folder / "figures" / "videos").iterdir()] == ["whole.mp4"]


def test_a_negative_number_is_refused():
    with pytest.raises(UserError, match="per_condition is -1"):
        ClipVideos(per_condition=-1)


def test_clips_that_were_filmed_before_a_test_was_stopped_count(run, moga_system, make_video):
    writer = ClipVideos(per_condition=2)

    class Known(ClipVideos):
        """As a test that goes on after its first video."""

        def on_video_start(self, trainer, module, video):
            if video.name == "a":
                self.on_known_video(trainer, module, video, None)
            else:
                super().on_video_start(trainer, module, video)

    videos = [make_video(name, frames=2) for name in ("a", "bb", "ccc")]
    found = [
        {path.stem for path in run("test", moga_system, videos, [one])[0].rglob("*.mp4")}
        for one in (writer, Known(per_condition=2))
    ]
    assert found == [{"a", "bb"}, {"bb"}]
