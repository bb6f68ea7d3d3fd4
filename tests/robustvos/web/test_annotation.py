"""What the annotate page does, without a browser: marks, masks, identities, runs, and what is on disk."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
import torch

from robustvos.commands.annotating import claimed, open_annotation
from robustvos.datasets.adverse.trees import find_clips
from robustvos.errors import BadMask, BadPrompt, DataNotFound, UserError
from robustvos.systems.loading import load_system
from robustvos.video.frames import open_frames
from robustvos.video.masks import read_indexed_mask, write_indexed_mask
from robustvos.video.prompt_file import read_prompt_lines
from robustvos.video.writer import VideoWriter
from robustvos.web import identities
from robustvos.web.annotate import AnnotatePage
from robustvos.web.annotation import Mark, Plane
from robustvos.web.annotation_tracker import AnnotationTracker, pointed_at
from robustvos.web.brush import Brush, Piece
from robustvos.web.frames import FramePictures
from robustvos.web.mask_trees import write_tree

HEIGHT, WIDTH, LENGTH = 48, 64, 6
DISC = (cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (16, 20), 9, 1, -1)).astype(bool)


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with VideoWriter(path, 10) as writer:
        for t in range(LENGTH):
            frame = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
            cv2.circle(frame, (16 + 2 * t, 20), 9, (230, 60, 40), -1)
            writer.add(torch.from_numpy(frame).permute(2, 0, 1))
    return open_frames(path)


@pytest.fixture
def opened(frames, tmp_path):
    return open_annotation(frames, tmp_path / "out")


@pytest.fixture(scope="module")
def system(tiny_base):
    return load_system("sam2", sam2=str(tiny_base))


def same(a, b):
    """Two states; planes by their pixels."""
    planes = [{f: p.array.tobytes() for f, p in s.planes.items() if p.ids} for s in (a, b)]
    sure = [{place: round(v, 3) for place, v in s.sureness.items()} for s in (a, b)]
    marks = [{p: (m.points, m.box, m.painted, m.base is None) for p, m in s.marks.items()} for s in (a, b)]
    return planes[0] == planes[1] and sure[0] == sure[1] and marks[0] == marks[1] and dict(a.names) == dict(b.names)


def test_every_change_is_on_disk_and_can_be_taken_back(opened):
    annotation, store = opened
    states = [annotation.state]
    for change in (
        lambda: annotation.add_object("ball"),
        lambda: annotation.set_mask(0, 1, DISC, Mark(points=((16.0, 20.0, 1),)), sure=0.75),
        lambda: annotation.add_object(),
        lambda: annotation.set_mask(0, 2, ~DISC, Mark(painted=True)),
        lambda: annotation.set_mask(0, 2, np.zeros_like(DISC), Mark(painted=True)),  # the eraser took all
        lambda: annotation.name(2, "  the   wall "),
        lambda: annotation.clear(0, 1),
        lambda: identities.remove(annotation, 2),
    ):
        change()
        states.append(annotation.state)
        assert same(store.load(), annotation.state)
    for state in reversed(states[:-1]):
        annotation.undo()
        assert annotation.state is state
        assert same(store.load(), state)
    with pytest.raises(UserError, match="nothing to undo"):
        annotation.undo()
    for state in states[1:]:
        annotation.redo()
        assert same(store.load(), state)


def test_what_two_marked_objects_share_is_the_smaller_ones_unless_painted(opened):
    annotation, _ = opened
    clicked, boxed, everything = Mark(points=((16.0, 20.0, 1),)), Mark(box=(0.0, 0.0, 64.0, 48.0)), np.ones_like(DISC)
    for first, second in ((1, 2), (3, 4)):
        annotation.add_object()
        annotation.add_object()
        annotation.set_mask(first, first, DISC, clicked)  # small, then large; on another frame the other way round
        annotation.set_mask(first, second, everything, boxed)
        annotation.set_mask(second, first, everything, boxed)
        annotation.set_mask(second, second, DISC, clicked)
        assert ((annotation.ids(first) == first) == DISC).all()
        assert ((annotation.ids(second) == second) == DISC).all()
    annotation.set_mask(1, 2, everything, Mark(painted=True))
    assert (annotation.ids(1) == 2).all()


def test_stroke_that_breaks_off_is_kept_and_one_step_to_undo(opened, frames):
    annotation, store = opened
    annotation.add_object()
    brush, pieces = Brush(annotation), [Piece("a", n, [(10 * n, 5), (10 * n + 10, 5)], 2) for n in range(3)]
    for piece in pieces:
        brush.paint(1, 1, piece)
        assert same(store.load(), annotation.state)  # the browser may vanish here
    drawn = annotation.ids(1) == 1
    assert drawn[5, :30].all()
    assert not drawn[12].any()
    version = annotation.version
    brush.paint(1, 1, pieces[1])  # its answer was lost, and it is sent again
    assert annotation.version == version
    brush.paint(1, 1, Piece("b", 0, [(5, 5)], 3, erase=True))
    assert not annotation.ids(1)[5, 5]
    annotation.undo()
    assert ((annotation.ids(1) == 1) == drawn).all()
    (line,) = read_prompt_lines(store.folder / "prompts.jsonl")
    assert (line.frame, line.object_id) == (1, 1)
    assert (line.as_prompt(frames.size).mask.numpy() == drawn).all()
    annotation.undo()
    assert not annotation.ids(1).any()
    for bad in (Piece("c", 0, [], 2), Piece("c", 0, [(float("nan"), 1)], 2), Piece("c", 0, [(1, 1)], 0)):
        with pytest.raises(BadPrompt):
            brush.paint(1, 1, bad)


def squares(*places):
    """Ids at ``(id, x, y)``, squares of eight pixels."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    for object_id, x, y in places:
        ids[y : y + 8, x : x + 8] = object_id
    return ids


def test_regions_of_classes_become_objects_that_are_followed():
    classes = [
        squares((3, 2, 2), (3, 30, 2), (5, 40, 30)),
        squares((3, 32, 3), (3, 4, 3), (255, 20, 20)),
        squares((3, 34, 4), (3, 50, 36), (5, 41, 31)),
    ]
    state = identities.objects_of_classes({2 * t: Plane.of(c) for t, c in enumerate(classes)}, least_area=4)
    assert dict(state.names) == {1: "class 3", 2: "class 3", 3: "class 5", 4: "class 3"}
    found = [state.planes[2 * t].array for t in range(3)]
    assert [(int(f[4, 5]), int(f[5, 36]), int(f[34, 44])) for f in found] == [(1, 2, 3), (1, 2, 0), (0, 2, 3)]
    assert found[2][40, 54] == 4
    assert found[1][22, 22] == 255
    with pytest.raises(UserError, match="least_area"):
        grid = np.zeros((64, 64), np.uint8)
        grid[::2, ::2] = 7
        identities.objects_of_classes({0: Plane.of(grid)}, least_area=1)


def test_ids_are_split_merged_and_exchanged_over_time(frames, tmp_path):
    for t in range(4):
        ids = squares((1, 2 + t, 2), (1, 40 - t, 30), (2, 40, 2))
        write_indexed_mask(
            torch.from_numpy(np.stack([ids == 1, ids == 2])), (1, 2), tmp_path / "given" / f"{t:05d}.png"
        )
    annotation, store = open_annotation(frames, tmp_path / "out", tmp_path / "given")
    look = lambda: [tuple(int(annotation.ids(t)[y, x]) for x, y in ((7, 5), (41, 34), (44, 5))) for t in range(4)]  # noqa: E731
    assert look() == [(1, 1, 2)] * 4
    assert identities.split(annotation, 1, 41, 34) == 3
    assert look() == [(1, 1, 2), *[(1, 3, 2)] * 3]
    identities.exchange(annotation, 1, 2, 2, 3)
    assert look() == [(1, 1, 2), (1, 3, 2), (2, 3, 1), (2, 3, 1)]
    identities.relabel(annotation, 3, 1, 3, 3)
    assert look()[3] == (2, 1, 1)
    assert 3 in annotation.state.names
    identities.relabel(annotation, 3, 2, 0, LENGTH - 1)
    assert 3 not in annotation.state.names
    assert same(store.load(), annotation.state)
    for _ in range(4):
        annotation.undo()
    assert look() == [(1, 1, 2)] * 4
    for wrong in (
        lambda: identities.split(annotation, 0, 60, 40),
        lambda: identities.split(annotation, 0, 44, 5),
        lambda: identities.relabel(annotation, 1, 9, 0, 1),
        lambda: identities.relabel(annotation, 1, 1, 0, 1),
        lambda: identities.exchange(annotation, 1, 2, 2, 1),
        lambda: identities.exchange(annotation, 1, 2, 0, LENGTH),
    ):
        with pytest.raises(BadPrompt):
            wrong()


@pytest.mark.parametrize(("layout", "group"), [("davis", ""), ("acdc", "fog"), ("mvseg", "INO")])
def test_trees_are_read_back_by_the_benchmarks_readers(opened, frames, layout, group):
    annotation, store = opened
    annotation.add_object()
    annotation.add_object()
    with pytest.raises(UserError, match="nothing is annotated"):
        write_tree(layout, store.folder, "my clip", FramePictures(frames), annotation.state.planes, group)
    for t in (0, 3):
        annotation.set_mask(t, 1, DISC, Mark(painted=True))
        annotation.set_mask(t, 2, np.roll(DISC, 30, 1), Mark(painted=True))
    for _ in range(2):  # the second replaces the first
        tree = write_tree(layout, store.folder, "my clip", FramePictures(frames), annotation.state.planes, group)
    if layout == "davis":
        images, truth = (
            sorted((tree / "JPEGImages/my-clip").iterdir()),
            sorted((tree / "Annotations/my-clip").iterdir()),
        )
        paths = [next((f for f in truth if f.stem == image.stem), None) for image in images]
    else:
        (clip,) = find_clips(tree, layout, [group]).clips
        images, paths = list(clip.record.frame_paths), list(clip.record.annotation_paths)
    assert len(images) == LENGTH
    assert [path is not None for path in paths] == [t in (0, 3) for t in range(LENGTH)]
    assert all((read_indexed_mask(paths[t]) == annotation.ids(t)).all() for t in (0, 3))
    if group:
        with pytest.raises(UserError, match="choose one"):
            write_tree(layout, store.folder, "my clip", FramePictures(frames), annotation.state.planes, "sun")


def test_runs_go_both_ways_keep_what_was_marked_and_are_one_step(opened, frames, system):
    annotation, store = opened
    annotation.add_object()
    annotation.add_object()
    tracker = AnnotationTracker(annotation, system, FramePictures(frames))
    with pytest.raises(UserError, match="nothing to follow"):
        tracker.start(2, 1)
    annotation.set_mask(2, 1, DISC, Mark(painted=True))
    annotation.set_mask(4, 1, np.roll(DISC, 4, 1), Mark(painted=True))
    before = annotation.state
    tracker.start(2, 1)
    tracker.wait()
    assert tracker.trouble == ""
    assert sorted(annotation.state.sureness) == [(3, 1), (5, 1)]
    for t in (2, 4):
        assert (annotation.ids(t) == before.planes[t].array).all()
    tracker.start(2, -1)
    tracker.wait()
    assert sorted(f for f, _ in annotation.state.sureness) == [0, 1, 3, 5]
    assert same(store.load(), annotation.state)
    annotation.undo()
    annotation.undo()
    assert annotation.state is before
    for frame, step in ((LENGTH - 1, 1), (0, -1), (LENGTH, 1)):
        with pytest.raises(UserError):
            tracker.start(frame, step)


def test_clicks_and_boxes_make_the_mask_that_the_tracker_makes(opened, frames, system):
    from robustvos.types import Prompt

    annotation, store = opened
    annotation.add_object()
    tracker = AnnotationTracker(annotation, system, FramePictures(frames))
    with pytest.raises(BadPrompt, match="inside"):
        tracker.click(1, 1, (5.0, 5.0, 0))
    with pytest.raises(BadPrompt, match="outside the frame"):
        tracker.click(1, 1, (500.0, 5.0, 1))
    assert not annotation.state.marks
    tracker.click(1, 1, (18.0, 20.0, 1))
    tracker.click(1, 1, (60.0, 40.0, 0))
    points, labels = torch.tensor([[18.0, 20.0], [60.0, 40.0]]), torch.tensor([1, 0])
    expected = system.tracker().step(frames[1], [Prompt(1, points=points, labels=labels)]).masks[0].numpy()
    assert ((annotation.ids(1) == 1) == pointed_at(expected, annotation.state.marks[1, 1])).all()
    tracker.box(3, 1, (30.0, 29.0, 13.0, -7.0))  # drawn from the lower right, and over the edge
    lines = read_prompt_lines(store.folder / "prompts.jsonl")
    assert [(line.frame, line.points, line.box) for line in lines] == [
        (1, ((18.0, 20.0, 1), (60.0, 40.0, 0)), None),
        (3, (), (13.0, 0.0, 30.0, 29.0)),
    ]


def test_only_regions_that_were_pointed_at_are_kept():
    mask = squares((1, 2, 2), (1, 30, 2), (1, 30, 30)) > 0
    left, right, low = (squares((1, x, y)) > 0 for x, y in ((2, 2), (30, 2), (30, 30)))
    assert (pointed_at(mask, Mark(points=((5.0, 5.0, 1), (31.0, 31.0, 0)))) == left).all()
    assert (pointed_at(mask, Mark(box=(28.0, 0.0, 40.0, 12.0))) == right).all()
    assert (pointed_at(mask, Mark(points=((5.0, 5.0, 1),), box=(28.0, 0.0, 40.0, 12.0))) == left | right).all()
    assert (pointed_at(mask, Mark(points=((5.0, 5.0, 1),), base=Plane.of(low.astype(np.uint8)))) == left | low).all()
    assert (pointed_at(mask, Mark(points=((50.0, 20.0, 1),))) == mask).all()


def test_correcting_click_starts_from_the_mask_that_is_there(opened, frames, system):
    annotation, store = opened
    annotation.add_object()
    annotation.set_mask(1, 1, DISC, Mark(painted=True))
    tracker = AnnotationTracker(annotation, system, FramePictures(frames))
    tracker.click(1, 1, (40.0, 40.0, 0))
    mark = annotation.state.marks[1, 1]
    assert ((mark.base.array > 0) == DISC).all()
    assert same(store.load(), annotation.state)
    assert ((store.load().marks[1, 1].base.array > 0) == DISC).all()
    (line,) = read_prompt_lines(
        store.folder / "prompts.jsonl"
    )  # the mask as corrected: a click alone would not make it
    assert (line.as_prompt(frames.size).mask.numpy() == (annotation.ids(1) == 1)).all()
    (drawn,) = (store.folder / "painted").glob("00001_1.png")
    before = drawn.stat().st_mtime_ns
    annotation.add_object()
    annotation.set_mask(2, 2, DISC, Mark(painted=True))
    assert drawn.stat().st_mtime_ns == before  # only what changed is written


def test_edit_ends_a_run_first_and_a_slow_one_does_not_hang(opened, frames, system):
    annotation, store = opened
    page = AnnotatePage(annotation, system, FramePictures(frames), store, "clip")
    page.edit("object", {})
    annotation.set_mask(0, 1, DISC, Mark(painted=True))
    page.track({"frame": 0})
    done = threading.Event()
    threading.Thread(
        target=lambda: (page.edit("click", {"frame": 0, "object": 1, "x": 16, "y": 20}), done.set())
    ).start()
    assert done.wait(60)
    assert page.tracker.run is None
    lane = page.state()["objects"][0]["lane"]
    assert len(lane) == LENGTH


def test_routes_say_what_is_wrong(opened, frames, system):
    pytest.importorskip("nicegui", reason="needs the extra 'web'")
    from fastapi.testclient import TestClient

    from robustvos.web.serve import Page

    annotation, store = opened
    page = Page("clip")
    AnnotatePage(annotation, system, FramePictures(frames), store, "clip").add_to(page)
    client = TestClient(page.app)
    assert client.get("/frames/0.jpg").headers["content-type"] == "image/jpeg"
    made = client.post("/api/edit/object", json={}).json()
    assert made["object"] == 1
    assert made["state"]["objects"][0]["lane"] == " " * LENGTH
    first = client.get("/masks/0.png")
    assert client.get("/masks/0.png", headers={"if-none-match": first.headers["etag"]}).status_code == 304
    for url in ("/frames/6.jpg", "/frames/-1.jpg", "/masks/6.png"):
        assert client.get(url).status_code == 404, url
    for action, body in {
        "click": {"frame": 0, "object": 1, "x": "left", "y": 3},
        "brush": {"frame": 0, "object": 1, "points": [1, 2], "radius": 3, "number": 0},
        "box": {"frame": 0, "object": 1, "box": [1, 2, 3]},
        "name": {"object": 4, "name": "x"},
        "clear": {"frame": True, "object": 1},
        "undo": {},
    }.items():
        if action == "undo":
            client.post("/api/edit/undo", json={})
        answer = client.post(f"/api/edit/{action}", json=body)
        assert answer.status_code == 400, action
        assert "\n" not in answer.json()["error"]
    assert client.post("/api/edit/format", json={}).status_code == 404
    assert client.post("/api/track", json={"frame": 0}).status_code == 400
    assert client.post("/api/save", json={"layout": "coco"}).status_code == 400


def test_what_does_not_fit_is_refused_when_opened(frames, tmp_path):
    write_indexed_mask(torch.ones(1, 4, 4, dtype=torch.bool), (1,), tmp_path / "small" / "00000.png")
    write_indexed_mask(torch.from_numpy(DISC[None]), (1,), tmp_path / "strange" / "a.png")
    (tmp_path / "empty").mkdir()
    for folder, error in (("small", BadMask), ("strange", BadMask), ("empty", DataNotFound), ("none", DataNotFound)):
        with pytest.raises(error):
            open_annotation(frames, tmp_path / "out", tmp_path / folder)
        assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "annotation.json").write_text("{}")
    with pytest.raises(UserError, match="no record"):
        open_annotation(frames, tmp_path / "out")


def test_a_folder_is_held_by_one_command_which_clears_what_a_kill_left(tmp_path):
    leftover = tmp_path / "out" / "masks" / f".{'0f' * 16}.tmp"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    mine = tmp_path / "out" / ".notes.tmp"
    mine.write_text("a person's own")
    tracking = tmp_path / "out" / "tracked" / f".{'0f' * 16}.tmp"
    tracking.mkdir(parents=True)  # a `track` that runs, as the last line advises
    with claimed(tmp_path / "out"):
        assert not leftover.exists() and mine.exists() and tracking.exists()
        refused = pytest.raises(UserError, match="open in another 'annotate'; end that one, or choose another --out")
        with refused, claimed(tmp_path / "out"):
            pass
    with claimed(tmp_path / "out"):
        pass
