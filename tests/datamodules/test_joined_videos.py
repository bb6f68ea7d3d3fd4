"""Long videos of several clips in DAVIS layout: ids are kept, and objects prompted where they first appear."""

import json

import numpy as np
import pytest
import torch

from datamodules.corrupted_vos import CorruptedVOS
from robustvos.datasets.evaluation import EvaluationVideos
from robustvos.datasets.vos.source import locate
from robustvos.datasets.vos.videos import FolderEvaluation, FolderVideos
from robustvos.errors import UserError
from robustvos.evaluation.protocol import protocol_named


def ids(*objects: int) -> np.ndarray:
    made = np.zeros((48, 64), np.uint8)
    for object_id in objects:
        made[4:40, 10 * object_id : 10 * object_id + 9] = object_id
    return made


@pytest.fixture
def parts(make_tree):
    """Three clips of one street: object 3 comes in the second, object 1 in the third; and a clip of another place."""
    made = make_tree("street")
    made.video("KAIST_a.-1", [ids(2), ids(2)])
    made.video("KAIST_a.-2", [ids(2), ids(2, 3)])
    made.video("KAIST_a.-10", [ids(1, 2), ids(1, 2)])
    made.video("INO_b.-1", [ids(1), ids(1)])
    return made


def videos(root, release: bool = False, **settings) -> EvaluationVideos:
    (source,) = locate({"street": root})
    records = [(source.name, record) for record in source.sequences("val")]
    settings = FolderEvaluation(join_frames=6, **settings)
    return EvaluationVideos(
        FolderVideos(records, join_frames=6), settings, protocol_named("release" if release else "davis")
    )


def test_joined_video_prompts_each_object_where_it_first_appears_and_keeps_its_id(parts):
    alone, street = videos(parts.root)
    assert (alone.name, street.name) == ("INO_b.-1", "KAIST_a.-1to2+10")
    assert {p.object_id: p.frame for p in street.prompts} == {2: 0, 3: 3, 1: 4}
    assert len(street.frames) == len(street.frame_names) == 6
    assert torch.equal(street.masks[5][0], torch.from_numpy(ids(1, 2) == 1))
    assert street.masks[5].flatten(1).any(1).tolist() == [True, True, False]


def test_release_adds_the_objects_of_each_clips_first_frame(parts):
    assert {p.object_id: p.frame for p in videos(parts.root, release=True)[1].prompts} == {2: 0, 1: 4}
    assert [p.object_id for p in videos(parts.root, release=True, max_objects=1)[1].prompts] == [2]


def test_prompt_file_is_asked_for_each_clip(parts, tmp_path):
    file = tmp_path / "prompts.json"
    told = {"KAIST_a.-1": {"2": [[22, 10]] * 3}, "KAIST_a.-10": {"1": [[12, 20]] * 3, "2": [[23, 11]] * 3}}
    file.write_text(json.dumps(told))
    (street,) = videos(parts.root, prompt=str(file))
    assert street.name == "KAIST_a.-1+10"
    assert [(p.object_id, p.frame, p.points[0].tolist()) for p in street.prompts] == [
        (2, 0, [22, 10]),
        (1, 2, [12, 20]),
    ]


def test_joined_videos_are_corrupted_as_one_and_limited_as_videos(parts):
    names = [(video.corruption, video.name) for video in videos(parts.root, conditions=("clean", "fog"), limit=1)]
    assert names == [("clean", "INO_b.-1"), ("fog", "INO_b.-1")]
    assert len(videos(parts.root, conditions=("fog",))[1].frames) == 6


def test_what_cannot_be_joined_is_said(tree):
    with pytest.raises(UserError, match="no two of 3 clips are numbered parts of one video"):
        CorruptedVOS(root=tree.root, test=FolderEvaluation(join_frames=9)).test_dataloader()
    with pytest.raises(UserError, match="join_frames is -1"):
        FolderEvaluation(join_frames=-1)
    with pytest.raises(UserError, match="give one of them"):
        FolderEvaluation(join_frames=9, max_frames=3)
    apart = CorruptedVOS(root=tree.root, test=FolderEvaluation(join_frames=0)).test_dataloader()
    assert [video.name for video in apart] == ["bear", "dog", "swan"]
