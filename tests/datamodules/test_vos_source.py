import shutil
from pathlib import Path

import pytest

from datamodules.corrupted_vos import CorruptedVOS
from robustvos.datasets.vos.source import describe_missing, locate
from robustvos.errors import DataNotFound

pytestmark = pytest.mark.fast


@pytest.fixture(autouse=True)
def no_data_folder(monkeypatch):
    monkeypatch.delenv("ROBUSTVOS_DATA", raising=False)


def names(source, split: str) -> list[str]:
    return [record.name for record in source.sequences(split)]


@pytest.mark.parametrize("given", [None, "nowhere"])
def test_missing_set_says_what_it_is_its_size_where_to_get_it_and_what_to_set(given, tmp_path):
    root = None if given is None else tmp_path / given
    with pytest.raises(DataNotFound) as caught:
        CorruptedVOS(root=root, name="davis").setup("fit")
    text = str(caught.value)
    assert "\n" not in text
    for part in (
        "DAVIS 2017",
        "794 MB",
        "https://data.vision.ee.ethz.ch",
        "--data.root FOLDER",
        "$ROBUSTVOS_DATA/davis",
    ):
        assert part in text
    if root is not None:
        assert f"{root} does not exist" in text


def test_folder_that_is_no_dataset_is_told_from_one_that_is_not_there(tmp_path):
    with pytest.raises(DataNotFound, match="holds neither JPEGImages nor train/JPEGImages"):
        locate({"own": tmp_path})


def test_all_missing_sets_are_listed_at_once_and_those_present_are_not(tree):
    text = describe_missing({"youtube_vos": None, "mose": None, "davis": tree.root})
    assert text is not None and "\n" not in text
    assert "YouTube-VOS 2019" in text and "MOSE (2023)" in text
    assert "--data.roots.youtube_vos FOLDER --data.roots.mose FOLDER" in text
    assert "at $ROBUSTVOS_DATA/youtube_vos, $ROBUSTVOS_DATA/mose" in text
    assert "DAVIS" not in text
    assert describe_missing({"davis": tree.root}) is None


def test_data_folder_of_the_environment_is_used_where_no_root_is_given(tree, monkeypatch):
    monkeypatch.setenv("ROBUSTVOS_DATA", str(tree.root.parent))
    (source,) = locate({"own": None})
    assert source.root == tree.root
    with pytest.raises(DataNotFound, match=f"{tree.root.parent / 'davis'} does not exist"):
        locate({"davis": None})


def test_without_lists_every_video_is_in_every_split_and_one_line_says_so(tree, capsys):
    data = CorruptedVOS(root=tree.root)
    data.setup("fit")
    data.setup("test")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert "all 3 videos are used for training, validation and test alike" in lines[0]
    (source,) = data.sets.sources()
    assert names(source, "train") == names(source, "val") == names(source, "predict") == ["bear", "dog", "swan"]


def test_lists_of_the_dataset_split_it_in_their_own_order(tree, capsys):
    tree.list("2017/train.txt", "swan", "bear")
    tree.list("2017/val.txt", "dog")
    data = CorruptedVOS(root=tree.root)
    data.setup("fit")
    (source,) = data.sets.sources()
    assert (names(source, "train"), names(source, "val")) == (["swan", "bear"], ["dog"])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("by_variable", [False, True])
def test_folder_may_be_given_relative_to_the_working_folder(tree, monkeypatch, by_variable):
    tree.list("2017/train.txt", "swan", "bear")
    tree.list("2017/val.txt", "dog")
    monkeypatch.chdir(tree.root.parent)
    if by_variable:
        monkeypatch.setenv("ROBUSTVOS_DATA", ".")
    (source,) = CorruptedVOS(root=None if by_variable else Path("own"), name="own").sets.sources()
    assert (names(source, "train"), names(source, "val")) == (["swan", "bear"], ["dog"])


def test_lists_of_davis_2016_are_those_of_binary_masks(tree):
    tree.list("2017/train.txt", "swan")
    tree.list("2016/train.txt", "dog")
    assert names(CorruptedVOS(root=tree.root).sets.sources()[0], "train") == ["swan"]
    assert names(CorruptedVOS(root=tree.root, binary=True).sets.sources()[0], "train") == ["dog"]


@pytest.mark.parametrize(
    ("given", "train", "val"), [("train", ["dog"], ["bear", "swan"]), ("val", ["bear", "swan"], ["dog"])]
)
def test_one_list_leaves_the_rest_to_the_other_split(tree, tmp_path, given, train, val):
    file = tmp_path / "mine.txt"
    file.write_text("dog\n")
    (source,) = locate({"own": tree.root}, **{f"{given}_list": str(file)})
    assert (names(source, "train"), names(source, "val")) == (train, val)


def test_list_is_found_from_the_working_folder_and_inside_the_dataset(tree, monkeypatch, tmp_path):
    (tmp_path / "here.txt").write_text("swan\n")
    tree.list("there.txt", "bear")
    monkeypatch.chdir(tmp_path)
    assert names(locate({"own": tree.root}, val_list="here.txt")[0], "val") == ["swan"]
    assert names(locate({"own": tree.root}, val_list="there.txt")[0], "val") == ["bear"]
    with pytest.raises(DataNotFound, match=r"nowhere\.txt"):
        names(locate({"own": tree.root}, val_list="nowhere.txt")[0], "val")


def test_train_folder_is_found_and_predict_has_the_videos_of_valid(make_tree, moving_boxes, tmp_path):
    make_tree("mose/train").video("a", moving_boxes())
    make_tree("mose/valid").video("b", [*moving_boxes(1), None, None])
    (source,) = locate({"mose": tmp_path / "mose"})
    assert [names(source, split) for split in ("train", "val", "predict")] == [["a"], ["a"], ["b"]]
    videos = list(CorruptedVOS(root=Path(tmp_path / "mose")).predict_dataloader())
    assert [video.name for video in videos] == ["b"]
    assert [mask is None for mask in videos[0].masks] == [False, True, True]


def frame_lines(*videos: str) -> str:
    """As DAVIS 2016 lists them: a frame and its mask a line."""
    return "".join(
        f"/JPEGImages/480p/{v}/{t:05d}.jpg /Annotations/480p/{v}/{t:05d}.png \n" for v in videos for t in (0, 1)
    )


def test_lists_of_frames_are_lists_of_their_videos(tree):
    (tree.root / "ImageSets/480p").mkdir(parents=True)
    (tree.root / "ImageSets/480p/train.txt").write_text(frame_lines("swan", "bear"))
    (tree.root / "ImageSets/480p/val.txt").write_text(frame_lines("dog"))
    (source,) = CorruptedVOS(root=tree.root, binary=True).sets.sources()
    assert (names(source, "train"), names(source, "val")) == (["swan", "bear"], ["dog"])
    tree.list("2016/train.txt", "dog")
    tree.list("2017/train.txt", "bear")
    for binary, train in ((True, ["dog"]), (False, ["bear"])):
        assert names(CorruptedVOS(root=tree.root, binary=binary).sets.sources()[0], "train") == train
    (tree.root / "ImageSets/480p/val.txt").write_text(frame_lines("dog", "goat", "camel"))
    with pytest.raises(
        DataNotFound, match=r"looked for 3 video folders in .*, 2 are missing: goat, camel; .*copy the dataset again"
    ):
        names(source, "val")


@pytest.fixture
def half_copied(make_tree, moving_boxes):
    """Of twelve videos two are whole; six have no frames, three no masks, and one has masks without frames."""
    made = make_tree("half")
    for number in range(12):
        made.video(f"v{number}", moving_boxes(3))
    for number in range(2, 8):
        for file in (made.root / f"JPEGImages/v{number}").iterdir():
            file.unlink()
    for number in range(8, 11):
        shutil.rmtree(made.root / f"Annotations/v{number}")
    for t in (1, 2):
        (made.root / f"JPEGImages/v11/{t:05d}.jpg").unlink()
    return made


def test_everything_missing_of_a_half_copied_set_is_in_one_line(half_copied):
    with pytest.raises(DataNotFound) as caught:
        CorruptedVOS(root=half_copied.root).test_dataloader()
    text = str(caught.value)
    assert "\n" not in text
    assert "found 2 of 12 videos whole, and 10 that are not: v2 (no frames), v3 (no frames)" in text
    assert "and 5 more; the copy is incomplete: copy it again" in text


def test_listed_videos_alone_count_and_those_without_any_folder_too(half_copied):
    half_copied.list("train.txt", "v0", "v8", "v11", "gone")
    half_copied.list("val.txt", "v0", "v1")
    data = CorruptedVOS(root=half_copied.root)
    assert [video.name for video in data.test_dataloader()] == ["v0", "v1"]
    with pytest.raises(DataNotFound, match="found 1 of 4 videos whole, and 3 that are not") as caught:
        data.train_dataloader()
    broken = "v8 (no annotations), v11 (2 of 3 annotations without a frame), gone (no frames);"
    assert broken in str(caught.value)


def test_one_broken_video_alone_says_where_it_lies(half_copied):
    half_copied.list("val.txt", "v0", "v8")
    with pytest.raises(DataNotFound, match=r"Annotations/v8, found none; give the folder that holds"):
        CorruptedVOS(root=half_copied.root).test_dataloader()
