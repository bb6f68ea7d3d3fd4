import warnings
from itertools import islice

import lightning as L
import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.corrupted_vos import CorruptedVOS
from robustvos.corruptions import corrupt_clip
from robustvos.datasets.corruption import Corruption
from robustvos.datasets.geometric import Geometric
from robustvos.datasets.photometric import Photometric
from robustvos.datasets.vos.clips import TrainingClips
from robustvos.errors import BadMask, BadVideo, UserError

PLAIN = {"frames": 3, "frames_per_batch": 6, "size": 32}
EVERYTHING = {**PLAIN, "geometric": Geometric(), "photometric": Photometric(), "corruption": Corruption()}


def clips_of(root, epoch: int = 0, binary: bool = False, **settings):
    """The clips of one epoch, outside of any loader."""
    loader = CorruptedVOS(root=root, train=TrainingClips(**{**PLAIN, **settings}), binary=binary).train_dataloader()
    clips = loader.dataset
    return [clips[epoch * len(clips) + i] for i in range(len(clips))]


def batches_of(root, workers: int):
    data = CorruptedVOS(root=root, train=TrainingClips(**{**EVERYTHING, "repeats": 2}), workers=workers)
    return list(data.train_dataloader())


def test_batches_are_the_same_with_any_number_of_workers(tree):
    alone, shared = batches_of(tree.root, 0), batches_of(tree.root, 2)
    assert len(alone) == len(shared) == 3
    for one, other in zip(alone, shared, strict=True):
        assert (one.names, one.object_ids) == (other.names, other.object_ids)
        for name in ("frames", "masks", "object_to_clip", "annotated"):
            assert torch.equal(getattr(one, name), getattr(other, name))


def test_a_clip_depends_on_its_number_alone_and_not_on_what_was_read_before(tree):
    forward = CorruptedVOS(root=tree.root, train=TrainingClips(**EVERYTHING)).train_dataloader().dataset
    backward = CorruptedVOS(root=tree.root, train=TrainingClips(**EVERYTHING)).train_dataloader().dataset
    ahead = [forward[i] for i in range(3)]
    behind = [backward[i] for i in reversed(range(3))][::-1]
    for one, other in zip(ahead, behind, strict=True):
        assert (one.name, one.corruption) == (other.name, other.corruption)
        assert torch.equal(one.frames, other.frames)
        assert torch.equal(one.masks, other.masks)


def test_the_next_epoch_has_other_clips_and_another_seed_too(tree):
    def frames(seed: int, epoch: int) -> torch.Tensor:
        data = CorruptedVOS(root=tree.root, train=TrainingClips(**EVERYTHING), seed=seed)
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        return next(iter(loader)).frames

    assert torch.equal(frames(0, 1), frames(0, 1))
    assert not torch.equal(frames(0, 0), frames(0, 1))
    assert not torch.equal(frames(0, 0), frames(1, 0))


def test_untouched_clips_are_the_files_squashed_to_a_square(tree):
    for clip in clips_of(tree.root, size=48):
        _, video, start, _ = clip.name.split("/")
        for t in range(3):
            path = tree.root / "JPEGImages" / video / f"{int(start) + t:05d}.jpg"
            expected = np.asarray(Image.open(path).resize((48, 48), Image.Resampling.BICUBIC)).astype(int)
            found = clip.frames[t].permute(1, 2, 0).numpy().astype(int)
            assert np.abs(found - expected).max() <= 1


def test_objects_are_those_of_the_first_frame_at_most_so_many(make_tree):
    many = np.zeros((48, 64), np.uint8)
    for object_id in range(1, 6):
        many[4:40, 10 * object_id : 10 * object_id + 6] = object_id
    many[44:46] = 255  # void
    later = many.copy()
    later[0:4] = 9
    own = make_tree("many")
    own.video("a", [many, later, later])
    chosen = {clips_of(own.root, epoch, max_objects=2)[0].object_ids for epoch in range(12)}
    assert all(len(ids) == 2 and set(ids) <= {1, 2, 3, 4, 5} for ids in chosen)
    assert len(chosen) > 1
    (clip,) = clips_of(own.root, max_objects=9, size=64)
    assert clip.object_ids == (1, 2, 3, 4, 5)
    assert clip.masks.any(-1).any(-1).all()


def test_frames_and_masks_are_augmented_alike(make_tree, moving_boxes):
    own = make_tree("painted")
    own.video("a", [np.where(ids == 1, 1, 0) for ids in moving_boxes()], suffix=".png")
    seen = set()
    for epoch in range(8):
        (clip,) = clips_of(own.root, epoch, size=64, geometric=Geometric())
        bright = clip.frames[:, 0] > 142  # object 160, background at most 90, outside 124
        differing = (bright != clip.masks[:, 0]).float().mean()
        assert clip.masks[:, 0].float().mean() > 0.04
        assert differing < 0.02  # the objects' outlines
        seen.add(tuple(clip.masks[0, 0].any(0).nonzero().flatten().tolist()))
    assert len(seen) == 8


def test_an_object_that_would_be_turned_out_of_the_picture_stays(make_tree):
    corner = np.zeros((48, 64), np.uint8)
    corner[0:3, 0:3] = 1
    own = make_tree("corner")
    own.video("a", [corner] * 3)
    for epoch in range(10):
        (clip,) = clips_of(own.root, epoch, geometric=Geometric(degrees=40))
        assert clip.masks[0].any()


def test_frames_between_annotations_are_read_but_not_annotated(make_tree, moving_boxes):
    maps = moving_boxes()
    own = make_tree("sparse")
    own.video("a", [maps[0], None, None, maps[3], None, None])
    (clip,) = clips_of(own.root, annotated_only=False)
    assert clip.annotated.tolist() == [True, False, False]
    assert clip.masks[0].any() and not clip.masks[1:].any()
    (clip,) = clips_of(own.root, frames=2)
    assert clip.annotated.tolist() == [True, True]
    assert clip.masks.any(-1).any(-1).all()


def start_of(clip) -> int:
    return int(clip.name.split("/")[2])


def test_reversed_clip_is_the_same_files_from_last_to_first(tree):
    for forward, backward in zip(clips_of(tree.root, size=48), clips_of(tree.root, size=48, reverse=1.0), strict=True):
        assert start_of(backward) == start_of(forward) + 2
        assert torch.equal(backward.frames, forward.frames.flip(0))
        video = backward.name.split("/")[1]
        first = np.asarray(Image.open(tree.root / "Annotations" / video / f"{start_of(backward):05d}.png"))
        assert set(backward.object_ids) == set(np.unique(first)) - {0}
        for object_id in set(forward.object_ids) & set(backward.object_ids):
            masks = (c.masks[:, c.object_ids.index(object_id)] for c in (forward, backward))
            assert torch.equal(next(masks).flip(0), next(masks))


def test_objects_of_a_reversed_clip_are_those_of_the_frame_that_it_now_begins_with(make_tree, moving_boxes):
    own = make_tree("own")
    own.video("a", moving_boxes(3))  # object 2 is on the last frame alone
    (forward,), (backward,) = clips_of(own.root), clips_of(own.root, reverse=1.0)
    assert (forward.object_ids, backward.object_ids) == ((1,), (1, 2))
    assert backward.masks[:, 1].flatten(1).any(1).tolist() == [True, False, False]


def test_clips_run_backwards_as_often_as_asked_for_and_never_unless_asked(tree):
    starts = [start_of(clip) for epoch in range(100) for clip in clips_of(tree.root, epoch)]
    drawn = [start_of(clip) for epoch in range(100) for clip in clips_of(tree.root, epoch, reverse=0.25)]
    assert {after - before for before, after in zip(starts, drawn, strict=True)} == {0, 2}
    assert sum(after - before == 2 for before, after in zip(starts, drawn, strict=True)) == pytest.approx(75, abs=25)


@pytest.mark.parametrize("empty", [None, np.zeros((48, 64), np.uint8)])
def test_clip_that_ends_without_an_annotated_object_stays_as_it_is(make_tree, moving_boxes, empty):
    own = make_tree("own")
    own.video("a", [*moving_boxes(2), empty])
    (clip,) = clips_of(own.root, reverse=1.0, annotated_only=False)
    assert start_of(clip) == 0
    assert clip.masks[0].any()


def test_frames_without_annotation_keep_their_place_in_a_reversed_clip(make_tree, moving_boxes):
    maps = moving_boxes(4)
    own = make_tree("own")
    own.video("a", [maps[0], None, maps[2], maps[3]])
    (clip,) = clips_of(own.root, frames=4, reverse=1.0, annotated_only=False)
    assert clip.annotated.tolist() == [True, True, False, True]
    assert clip.masks.flatten(2).any(-1).any(-1).tolist() == [True, True, False, True]


def test_clips_start_where_an_object_is_seen(make_tree, moving_boxes):
    nothing = np.zeros((48, 64), np.uint8)
    own = make_tree("late")
    own.video("a", [nothing, nothing, *moving_boxes(4)])
    assert {clips_of(own.root, epoch, frames=2)[0].name.split("/")[2] for epoch in range(12)} == {
        "00002",
        "00003",
        "00004",
    }


def test_a_video_without_objects_is_passed_over_and_reported(tree):
    tree.video("void", [np.zeros((48, 64), np.uint8)] * 6)
    with pytest.warns(UserWarning, match="'void' shows no object"):
        clips = clips_of(tree.root)
    assert len(clips) == 4
    assert "void" not in {clip.name.split("/")[1] for clip in clips}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("bear", "dog", "swan"):
            for file in (tree.root / "Annotations" / name).iterdir():
                Image.fromarray(np.zeros((48, 64), np.uint8)).save(file)
        with pytest.raises(BadMask, match="none of 4 video"):
            clips_of(tree.root)


def test_clips_of_different_sizes_share_a_batch(tree, moving_boxes):
    tree.video("tall", moving_boxes(size=(80, 56)), size=(80, 56))
    data = CorruptedVOS(root=tree.root, train=TrainingClips(**{**PLAIN, "frames_per_batch": 12}))
    (batch,) = data.train_dataloader()
    assert batch.frames.shape == (4, 3, 3, 32, 32)
    assert batch.masks.shape[1] == len(batch.object_ids) == len(batch.object_to_clip) == batch.annotated.shape[1]
    assert len({name.split("/")[1] for name in batch.names}) == 4


@pytest.mark.parametrize("workers", [0, 1])
def test_a_truncated_frame_is_named(tree, workers):
    for file in (tree.root / "JPEGImages" / "dog").iterdir():
        file.write_bytes(file.read_bytes()[:300])
    data = CorruptedVOS(root=tree.root, train=TrainingClips(**PLAIN), workers=workers)
    with pytest.raises(BadVideo, match=r"dog/0000\d\.jpg: cannot be decoded"):
        list(data.train_dataloader())


def test_a_mask_of_another_size_than_its_frame_is_named(tree):
    for t in range(6):
        tree.mask("dog", t, np.ones((24, 32)))
    with pytest.raises(BadMask, match=r"dog/0000\d\.png is 32x24, but the frames are 64x48"):
        clips_of(tree.root)


def test_black_and_white_masks_are_one_object(make_tree, moving_boxes):
    own = make_tree("davis2016")
    own.video("a", [np.where(ids == 1, 255, 0) for ids in moving_boxes()])
    (clip,) = clips_of(own.root, binary=True)
    assert clip.object_ids == (1,)
    assert clip.masks[0].any()


def test_every_clip_is_corrupted_by_one_of_those_named(tree):
    names = {
        clip.corruption
        for epoch in range(5)
        for clip in clips_of(tree.root, epoch, corruption=Corruption(("fog", "snow")))
    }
    assert names == {"fog", "snow"}


@pytest.mark.parametrize(("processes", "batches"), [(1, 3), (2, 3)])
def test_an_epoch_has_as_many_batches_as_asked_for_in_each_process(tree, processes, batches):
    class World:
        world_size, global_rank, current_epoch = processes, 0, 0

    data = CorruptedVOS(root=tree.root, train=TrainingClips(**PLAIN, batches=batches))
    data.trainer = World()
    assert len(list(islice(data.train_dataloader(), 10))) == batches


class Reader(L.LightningModule):
    """Trains nothing; remembers the clips of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.names: dict[int, list[str]] = {}

    def training_step(self, batch, batch_idx):
        self.names.setdefault(self.current_epoch, []).extend(batch.names)
        return self.weight * 0

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        return batch.to(device)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize(("workers", "reload"), [(0, 0), (0, 1), (1, 0)])
def test_lightning_gives_each_epoch_its_own_clips_with_and_without_new_loaders(tree, tmp_path, workers, reload):
    data = CorruptedVOS(root=tree.root, train=TrainingClips(**PLAIN), workers=workers)
    reader = Reader()
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=3,
        reload_dataloaders_every_n_epochs=reload,
        limit_val_batches=0,
        default_root_dir=tmp_path,
        **quiet,
    )
    trainer.fit(reader, data)
    clips = data.train_dataloader().dataset
    assert reader.names == {epoch: [clips[3 * epoch + i].name for i in range(3)] for epoch in range(3)}
    assert len({name for names in reader.names.values() for name in names}) == 9


def test_numbers_below_one_are_refused(tree):
    with pytest.raises(UserError, match=r"train\.frames is 0"):
        CorruptedVOS(root=tree.root, train=TrainingClips(frames=0))
    with pytest.raises(UserError, match=r"train\.reverse is 1\.5; it is a chance"):
        CorruptedVOS(root=tree.root, train=TrainingClips(reverse=1.5))
    with pytest.raises(UserError, match="both root and roots"):
        CorruptedVOS(root=tree.root, roots={"a": tree.root})
    with pytest.raises(UserError, match=r"--data\.train\.size"):
        CorruptedVOS(root=tree.root).train_dataloader()


@pytest.mark.parametrize("reverse", [0.0, 1.0])
def test_a_clip_is_corrupted_as_that_part_of_the_whole_video(make_tree, moving_boxes, reverse):
    """What drifts over a video must not run through all of its range within a clip's few frames."""
    tree = make_tree("long")
    tree.video("walk", moving_boxes(24, (48, 48)), (48, 48))
    clips = clips_of(tree.root, corruption=Corruption(names=("fog",)), size=48, reverse=reverse, frames=4)
    video = clips_of(tree.root, size=48, frames=24, frames_per_batch=24)
    (clip,), (whole,) = clips, video
    first = int(clip.name.split("/")[-2]) - (3 if reverse else 0)
    places = list(range(first, first + 4))
    assert 0 < first < 20
    native = whole.frames[places[::-1] if reverse else places]
    expected = corrupt_clip(native, "fog", clip_name=clip.name, indices=places, length=24)
    assert torch.equal(clip.frames, expected)
