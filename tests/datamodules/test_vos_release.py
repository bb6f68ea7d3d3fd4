"""A folder in DAVIS layout under the protocol ``release``: which objects, and which points."""

import json

import numpy as np
import pytest
from PIL import Image

from robustvos.datasets.adverse.trees import AdverseClip
from robustvos.datasets.adverse.videos import AdverseVideos
from robustvos.datasets.evaluation import EvaluationVideos
from robustvos.datasets.vos.source import locate
from robustvos.datasets.vos.videos import FolderEvaluation, FolderVideos, JoiningEvaluation
from robustvos.errors import UserError
from robustvos.evaluation.protocol import protocol_named
from robustvos.video.palette import davis_palette


def quarters(*object_ids: int) -> np.ndarray:
    """Objects side by side."""
    ids = np.zeros((48, 64), np.uint8)
    for i, object_id in enumerate(object_ids):
        ids[6:40, 12 * i + 2 : 12 * i + 12] = object_id
    return ids


def paint(folder) -> None:
    """Give masks the palette of DAVIS."""
    for file in folder.iterdir():
        image = Image.open(file)
        image.load()
        image.putpalette([level for colour in davis_palette() for level in colour])
        image.save(file)


@pytest.fixture
def four(make_tree):
    """A video that shows no object, then objects 1 to 4, then 5 too, in the colours of DAVIS."""
    made = make_tree("four")
    made.video("crowd", [np.zeros((48, 64), np.uint8), quarters(1, 2, 3, 4), quarters(1, 2, 3, 4, 5)])
    paint(made.root / "Annotations" / "crowd")
    return made


def videos(root, release: bool = True, **settings) -> EvaluationVideos:
    (source,) = locate({"four": root})
    records = [(source.name, record) for record in source.sequences("val")]
    protocol = protocol_named("release" if release else "davis")
    return EvaluationVideos(FolderVideos(records), FolderEvaluation(**settings), protocol)


def test_three_darkest_objects_of_the_first_frame_with_any_are_clicked_as_seed_42_draws(four):
    video = videos(four.root)[0]
    assert video.object_ids == (1, 2, 4)
    grey = np.asarray(Image.open(four.root / "Annotations/crowd/00001.png").convert("L"))
    lumas = sorted(set(grey.ravel().tolist()) - {0})[:3]
    np.random.seed(42)
    for luma, prompt in zip(lumas, video.prompts, strict=True):
        y, x = np.where(grey == luma)
        drawn = np.random.choice(len(x), size=3, replace=False)
        assert prompt.points.tolist() == [[x[i], y[i]] for i in drawn]
        assert (prompt.frame, prompt.labels.tolist()) == (1, [1, 1, 1])


def test_every_condition_has_the_same_objects_and_points(four):
    clean, foggy = videos(four.root, conditions=("clean", "fog"))
    for one, other in zip(clean.prompts, foggy.prompts, strict=True):
        assert (one.object_id, one.points.tolist()) == (other.object_id, other.points.tolist())


def test_real_and_corrupted_videos_share_the_choice(four):
    (source,) = locate({"four": four.root})
    (record,) = source.sequences("val")
    clips = AdverseVideos([AdverseClip(record, "crowd", "any")], "mvseg")
    real = EvaluationVideos(clips, JoiningEvaluation(), protocol_named("release"))[0]
    for one, other in zip(real.prompts, videos(four.root)[0].prompts, strict=True):
        assert (one.object_id, one.points.tolist()) == (other.object_id, other.points.tolist())


def test_number_of_objects_and_prompt_can_be_set(four):
    assert videos(four.root, max_objects=4)[0].object_ids == (1, 2, 3, 4)
    video = videos(four.root, prompt="mask", max_objects=1)[0]
    assert video.object_ids == (4,)
    assert video.prompts[0].mask.sum() == 34 * 10
    plain = videos(four.root, release=False)[0]
    assert plain.object_ids == (1, 2, 3, 4, 5)
    assert all(prompt.mask is not None for prompt in plain.prompts)
    assert videos(four.root, release=False, max_objects=2)[0].object_ids == (1, 2)
    with pytest.raises(UserError, match="max_objects is 0"):
        FolderEvaluation(max_objects=0)


def test_prompt_file_under_release_is_capped_by_colour(four, make_tree, tmp_path):
    made = make_tree("shown")
    made.video("crowd", [quarters(1, 2, 3, 4)] * 2)
    paint(made.root / "Annotations" / "crowd")
    grey = np.asarray(Image.open(made.root / "Annotations/crowd/00000.png").convert("L"))
    at = {str(int(grey[20, 12 * i + 5])): [[12 * i + 5, 20]] * 3 for i in range(4)}
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps({"crowd": at}))
    assert videos(made.root, prompt=str(file))[0].object_ids == (1, 2, 4)
    assert videos(made.root, release=False, prompt=str(file))[0].object_ids == (1, 2, 3, 4)
