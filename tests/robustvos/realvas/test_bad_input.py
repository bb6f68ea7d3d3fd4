"""What cannot be used is counted and explained; nothing is half-written, and no traceback is shown."""

import re
import shutil
from collections import Counter
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from robustvos.commands.messages import exit_code
from robustvos.commands.realvas import main
from robustvos.errors import BadVideo, DataNotFound, UnknownName, UserError
from robustvos.files.stage import open_results
from robustvos.files.stage_runner import Shard
from robustvos.realvas.align import differing_views
from robustvos.realvas.contain import REASONS as CONTAINED
from robustvos.realvas.discover import DiscoverSettings
from robustvos.realvas.explain import explain
from robustvos.realvas.funnel import read_funnel
from robustvos.realvas.pipeline import RealVASSettings, run_stages
from robustvos.realvas.reasons import MEANINGS, why_nothing
from robustvos.realvas.sheet import write_sheet
from robustvos.realvas.sources import add_sources, read_sources, safe_key
from robustvos.realvas.stats import PUBLISHED, stats_of


def raw_avi(path, pictures, rate=25):
    """Uncompressed video, narrow: some libraries abort on it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "bgr24"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def bad_run(scene, tmp_path_factory):
    """Many videos that give no clip, in one run."""
    folder = tmp_path_factory.mktemp("bad videos")
    rng = np.random.default_rng(0)
    still = [scene.frame(t, ()) for t in range(60)]
    wide = np.clip(np.concatenate([np.roll(scene.plate(), 37 * k, 1) for k in range(5)], 1), 0, 255).astype(np.uint8)
    (folder / "broken.mp4").write_bytes(rng.bytes(2000))
    raw_avi(folder / "raw ärger.avi", [picture[:48, :48].copy() for picture in still])
    raw_avi(folder / "one.avi", still[:1], Fraction(1, 3))
    scene.write_frames(folder / "still", still)
    scene.write_frames(folder / "short", [scene.frame(t) for t in range(25)])
    scene.write_frames(folder / "panning", [wide[:, 20 * k : 20 * k + 320].copy() for k in range(60)])
    scene.write_frames(
        folder / "portrait", [scene.frame(t)[:, :101].transpose(1, 0, 2).copy()[:, ::-1] for t in range(60)]
    )
    scene.write_frames(folder / "cuts", [*still[:55], *(255 - picture for picture in still[:55]), *still[:9]])
    root = tmp_path_factory.mktemp("run")
    add_sources(root, [folder])
    run_stages(root, progress=False)
    return root


def test_each_video_has_its_reason(bad_run):
    ingest = open_results(bad_run, "ingest")
    reasons = {result.item: result.reason for result in ingest.rejected}
    assert reasons["broken"] == "unreadable"
    assert reasons["raw_ärger"] == "small frame"
    assert reasons["short"] == "short shot"
    assert reasons["one"] == "short shot", "one picture, for three seconds"
    assert reasons["panning"] == "moving camera"
    assert reasons["portrait"] == "small frame"
    assert {"still", "cuts.s0", "cuts.s1"} <= {result.key for result in ingest.kept}
    assert reasons["cuts"] == "short shot", "the last of its three shots"
    assert all(result.figures for result in ingest.rejected)


def test_a_video_that_was_away_is_taken_in_once_it_is_back(scene, tmp_path):
    scene.write_frames(tmp_path / "here", [scene.frame(t, ()) for t in range(60)])
    add_sources(tmp_path / "run", [tmp_path / "here"])
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(DataNotFound, match="ingest: here failed: video .*here does not exist"):
        run_stages(tmp_path / "run", ["ingest"], progress=False)
    add_sources(tmp_path / "run", [tmp_path / "there"])
    done = run_stages(tmp_path / "run", ["ingest"], progress=False)["ingest"]
    assert [result.key for result in done.kept] == ["here"] and not done.missing


def test_no_mover_no_clip_and_the_page_says_so(bad_run):
    assert not open_results(bad_run, "composite").results
    funnel = read_funnel(bad_run, len(read_sources(bad_run)))
    counts = Counter({row.what.strip(): row.count for row in funnel.rows()})
    assert counts["videos"] == 8 and counts["clips"] == 0 and counts["rejected: moving camera"] == 1
    page = write_sheet(bad_run, funnel).read_text()
    said = why_nothing(funnel.results)
    assert said[0].startswith("   1 x unreadable: no decoder reads this file") and all(
        line.strip() in page for line in said
    )
    figures = stats_of(bad_run).figures
    assert figures["clips"] == 0
    assert len(stats_of(bad_run).rows()) == len(PUBLISHED)


def test_every_reason_has_a_meaning(bad_run, street_run):
    rejected = [
        r for root in (bad_run, street_run) for found in read_funnel(root, 1).results.values() for r in found.rejected
    ]
    table = (
        (Path(__file__).parents[3] / "docs" / "realvas_generation.md")
        .read_text()
        .split("| stage |")[1]
        .split("\n\n")[0]
    )
    listed = {name for row in table.splitlines()[2:] for name in re.findall(r"`([a-z ]+)`", row.split("|")[3])} - {
        "review"
    }
    assert len(listed) > 20
    assert {*(str(r.reason) for r in rejected), *listed, *CONTAINED} <= MEANINGS.keys()


def test_a_scene_in_which_nothing_moves_says_so(scene, tmp_path, capsys):
    scene.write_frames(tmp_path / "still", [scene.frame(t, ()) for t in range(60)])
    main(["realvas", "run", str(tmp_path / "still"), "--out", str(tmp_path / "run")])
    assert (
        "no clip was made:\n   nothing differs from the empty scene for a second or more\n" in capsys.readouterr().out
    )


def test_explain_says_why_and_suggests(bad_run):
    text, picture = explain(bad_run, "panning")
    assert (
        "rejected: moving camera: few features of the scene stay where they are" in text
        and "inliers" in text
        and picture is None
    )
    text, picture = explain(bad_run, "still")
    assert "kept" in text and picture is not None and picture.exists()
    with pytest.raises(UnknownName, match="did you mean 'panning'"):
        explain(bad_run, "paning")


def test_explain_shows_a_clip_and_a_rejected_candidate(street_run):
    made = open_results(street_run, "composite").kept[0]
    rejected = open_results(street_run, "filter").rejected[0]
    for key, word in ((made.key, "composite"), (rejected.key, rejected.reason)):
        text, picture = explain(street_run, key)
        assert word in text and picture is not None and picture.stat().st_size > 5000


def test_stats_are_those_of_the_clips(street_run):
    clips = open_results(street_run, "composite").kept
    figures = stats_of(street_run).figures
    assert figures["clips"] == figures["occlusion"] == len(clips)
    assert figures["frames"] == sum(clip.figures["frames"] for clip in clips)
    assert 0.3 < figures["severity"] <= 1 and 0 < figures["prevalence"] < 1


def test_missing_and_empty_sources_are_refused(tmp_path):
    with pytest.raises(DataNotFound, match="does not exist"):
        add_sources(tmp_path / "run", [tmp_path / "no.mp4"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataNotFound, match="neither videos nor"):
        add_sources(tmp_path / "run", [tmp_path / "empty"])
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(BadVideo, match="single image"):
        add_sources(tmp_path / "run", [tmp_path / "a.png"])


def test_sources_are_known_by_their_content(tmp_path):
    for folder, content in (("a", b"1"), ("b", b"2"), ("c", b"1")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "my video.mp4").write_bytes(content)
    first, second, third = (add_sources(tmp_path / "run", [tmp_path / f / "my video.mp4"])[0] for f in "abc")
    assert first.key == "my_video" == third.key and second.key.startswith("my_video-")
    assert list(read_sources(tmp_path / "run")) == sorted({first.key, second.key})
    assert "." not in safe_key("a.b/c d") and safe_key("...") == "video"
    assert len(safe_key("прогулка " * 20).encode()) <= 60  # file systems count bytes, and some keys are four of these


def test_a_video_that_was_changed_counts_as_it_is_now(tmp_path):
    video = tmp_path / "a.mp4"
    video.write_bytes(b"1")
    (before,) = add_sources(tmp_path / "run", [video])
    video.write_bytes(b"2")
    (after,) = add_sources(tmp_path / "run", [video])
    assert list(read_sources(tmp_path / "run").values()) == [after]
    assert after.key == before.key and after.digest != before.digest


def test_recordings_whose_samples_do_not_meet_are_not_put_together():
    first, second = (SimpleNamespace(key=key, size=(20, 30), fps=fps) for key, fps in (("a", 24.3), ("b", 24.7)))
    assert differing_views(first, second, rate=7) == {"fps": [24.3, 24.7]}


def test_what_is_said_of_a_folder_is_said_of_each_video_in_it(tmp_path):
    (tmp_path / "day").mkdir()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "day" / name).write_bytes(name.encode())
    (tmp_path / "c.mp4").write_bytes(b"c")
    given = [tmp_path / "day", tmp_path / "c.mp4"]
    added = add_sources(tmp_path / "run", given, cameras={given[0]: "door"}, roles={given[0]: "occluder"})
    assert [(source.camera, source.role) for source in added] == [("door", "occluder")] * 2 + [("c", "any")]


def test_a_stage_whose_tracks_are_no_more_says_what_to_run_again(street_run, tmp_path):
    root = shutil.copytree(street_run, tmp_path / "run")
    run_stages(root, ["discover"], RealVASSettings(discover=DiscoverSettings(min_area=10**6)), progress=False)
    with pytest.raises(
        UserError, match="need track street.t00. that 'discover' does not have any more; run the stages from"
    ):
        run_stages(root, ["propagate"], progress=False)


def test_stages_in_the_wrong_order_and_shards_of_all_are_refused(tmp_path):
    with pytest.raises(DataNotFound, match="no results of the stage 'ingest'"):
        run_stages(tmp_path, ["discover"], progress=False)
    with pytest.raises(UserError, match="single stages"):
        run_stages(tmp_path, shard=Shard(0, 2), progress=False)
    with pytest.raises(UnknownName, match="did you mean 'composite'"):
        run_stages(tmp_path, ["compsite"], progress=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["realvas", "run", "--out", "RUN"], "no video given"),
        (["realvas", "rn", "--out", "RUN"], "did you mean 'run'"),
        (["realvas", "run", "no.mp4", "--out", "RUN"], "no.mp4 does not exist"),
        (["realvas", "run", "--occludee", "a.mp4", "--out", "RUN"], "go together"),
        (["realvas", "ingest", "--out", "RUN", "--shard", "2/2"], "0 <= i < n"),
        (["realvas", "run", "--out", "RUN", "--prompts", "no.jsonl"], "no.jsonl does not exist"),
        (["realvas", "discover", "--out", "RUN", "--detector", "plate_diff"], "did you mean 'plate_difference'"),
        (["realvas", "discover", "--out", "RUN", "--detector", "grounding_dino"], "934 MB, Apache-2.0"),
        (["realvas", "discover", "--out", "RUN", "--detector", "background_knn=x"], "has no weights"),
    ],
)
def test_command_line_ends_in_one_line(arguments, said, tmp_path, capsys):
    words = [str(tmp_path / "run") if word == "RUN" else word for word in arguments]
    assert exit_code(lambda: main(words)) == 2
    ended = capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert said in ended and "Traceback" not in ended and ended.strip().count("\n") == 0
