"""Every stage is killed at random moments, split into shards and shared by runs: the same bytes.

``ROBUSTVOS_KILLS`` says how often each stage is killed; once if unset. With ``-s`` it is printed how often and when.
"""

import multiprocessing
import os
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from robustvos.files.stage import open_results
from robustvos.files.stage_runner import WHOLE, Shard
from robustvos.realvas.pipeline import STAGES, RealVASSettings, run_stages
from robustvos.realvas.prompt_files import PROMPT_FILES, add_prompt_files
from robustvos.scenes.carried import CarriedSpec, render_carried_clip
from robustvos.video.masks import write_binary_mask
from robustvos.video.prompt_file import PromptLine, write_prompt_lines

KILLS = int(os.environ.get("ROBUSTVOS_KILLS", "1"))
pytestmark = pytest.mark.timeout(600 * KILLS)
PLAIN = RealVASSettings()
SETTINGS = replace(  # those of the session's run
    PLAIN, filter=replace(PLAIN.filter, per_shots=2), composite=replace(PLAIN.composite, matte="guided")
)
# A fork of this process, whose libraries have threads, may wait for ever; the server that forks here has none.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["robustvos.realvas.pipeline"])
LIMIT = 300  # seconds after which a child is taken for lost


def tree(folder: Path) -> dict[str, bytes]:
    """Visible files; half-written things that stayed would be hidden, and are looked for."""
    left = [path for path in folder.rglob("*.tmp")]
    assert not left, left
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def before(stage: str, whole: Path, root: Path) -> Path:
    """A run as it was before ``stage``: stages only read what those before them have left, which is linked."""
    root.mkdir()
    for listed in ("sources.jsonl", PROMPT_FILES):
        if (whole / listed).exists():
            shutil.copy(whole / listed, root)
    for name in STAGES[: STAGES.index(stage)]:
        if (whole / name).is_dir():
            (root / name).symlink_to(whole / name)
    return root


def work(root: Path, stage: str, shard: Shard = WHOLE, settings: RealVASSettings = SETTINGS) -> None:
    run_stages(root, [stage], settings, shard=shard, progress=False)


def start(
    root: Path, stage: str, shard: Shard = WHOLE, settings: RealVASSettings = SETTINGS
) -> multiprocessing.process.BaseProcess:
    process = SERVER.Process(
        target=run_stages, args=(root, [stage], settings), kwargs={"shard": shard, "progress": False}
    )
    process.daemon = True
    process.start()
    return process


def end(processes: list[multiprocessing.process.BaseProcess]) -> None:
    for process in processes:
        process.join(LIMIT)
        assert process.exitcode == 0


@pytest.fixture(scope="module")
def carried_run(scene, tmp_path_factory) -> Path:
    """A run of two prompt files: what a pushed container holds."""
    folder = tmp_path_factory.mktemp("carried")
    for seed in (1, 2):
        clip = render_carried_clip("translation", seed, CarriedSpec(size=(120, 200), frames=30, depth=0.02, hand=False))
        video, rest = scene.write_frames(folder / f"box{seed}", list(clip.clip.frames)), clip.rest_frame
        masks = {"thing": clip.clip.amodal[0, 0], "carrier": clip.carrier[rest]}
        for name, mask in masks.items():
            write_binary_mask(torch.from_numpy(mask), folder / f"{name}{seed}.png")
        lines = [
            PromptLine(0, 1, video=video, mask=folder / f"thing{seed}.png"),
            PromptLine(rest, 1, video=video, mask=folder / f"carrier{seed}.png", role="container", rest_frame=rest),
        ]
        write_prompt_lines(lines, folder / f"{seed}.jsonl")
    root = folder / "run"
    root.mkdir()
    add_prompt_files(root, [folder / "1.jsonl", folder / "2.jsonl"])
    work(root, "contain")
    assert len(open_results(root, "contain").kept) == 2
    return root


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage not in ("combine", "contain")])
def test_killed_at_random_and_run_again(stage, street_run, tmp_path):
    kill_and_compare(stage, street_run, tmp_path / "run")


def test_contain_killed_at_random_and_run_again(carried_run, tmp_path):
    kill_and_compare("contain", carried_run, tmp_path / "run")


def test_combine_killed_at_random_and_run_again(street_run, tmp_path):
    several = replace(SETTINGS, combine=replace(SETTINGS.combine, occluders=2))
    kill_and_compare("combine", street_run, tmp_path / "run", several)
    assert open_results(tmp_path / "run", "combine").results


def kill_and_compare(stage: str, whole: Path, folder: Path, settings: RealVASSettings = SETTINGS) -> None:
    root, rng = before(stage, whole, folder), random.Random(stage)
    began = time.monotonic()
    work(root, stage, settings=settings)
    whole_time = time.monotonic() - began
    expected = tree(root / stage)
    if settings is SETTINGS:
        assert expected == tree(whole / stage)
    killed, tries, patience = 0, 0, whole_time
    half_done = 0
    while killed < KILLS and tries < 12 * KILLS:
        tries += 1
        shutil.rmtree(root / stage)
        process = start(root, stage, settings=settings)
        process.join(rng.uniform(0.05, 0.8) * patience)
        process.kill()
        process.join()
        if process.exitcode == 0:  # quicker than its killer: the next is waited for less
            patience /= 2
            continue
        killed += 1
        half_done += (root / stage).is_dir()
        work(root, stage, settings=settings)
        assert tree(root / stage) == expected
    print(f"{stage}: killed {killed} times, {half_done} of them with something begun; {len(expected)} files alike")
    assert killed == KILLS or whole_time < 0.5, "every process was quicker than its killer"


@pytest.mark.parametrize("stage", ["motion", "composite"])
def test_shards_at_once_and_out_of_order(stage, street_run, tmp_path):
    root = before(stage, street_run, tmp_path / "run")
    assert len(open_results(street_run, stage).results) >= 2, "so that shards have something to share"
    work(root, stage, Shard(1, 3))
    processes = [start(root, stage, Shard(index, 3)) for index in (2, 0, 1)]
    end(processes)
    assert tree(root / stage) == tree(street_run / stage)


def test_two_runs_in_one_folder(street_run, tmp_path):
    root = before("propagate", street_run, tmp_path / "run")
    processes = [start(root, "propagate") for _ in range(2)]
    end(processes)
    assert tree(root / "propagate") == tree(street_run / "propagate")


def test_workers_make_the_same_bytes(street_run, tmp_path):
    root = before("propagate", street_run, tmp_path / "run")
    run_stages(root, ["propagate"], SETTINGS, workers=2, progress=False)
    assert tree(root / "propagate") == tree(street_run / "propagate")


def test_a_corrected_mask_redoes_what_was_made_from_it_and_nothing_else(street_run, tmp_path):
    """The correction empties one frame of the far walker's track."""
    import numpy as np

    from robustvos.realvas.motion import track_path
    from robustvos.realvas.tracks import CORRECTIONS, Track, read_track, write_track

    root = shutil.copytree(street_run, tmp_path / "run")
    far, near = sorted(r.key for r in open_results(root, "discover").kept)
    before_near = (root / "propagate" / near / "masks.npz").stat().st_mtime_ns
    track = read_track(root, track_path(root, "street", far), far)
    k = len(track.frames) // 2
    emptied = Track(
        track.frames[k : k + 1],
        np.zeros_like(track.objects[k : k + 1]),
        track.regions[k : k + 1],
        track.merged[k : k + 1],
        track.border[k : k + 1],
    )
    write_track(emptied, root / CORRECTIONS / f"{far}.npz")
    discovered = (root / "discover" / "manifest.jsonl").stat().st_mtime_ns
    results = run_stages(root, settings=SETTINGS, progress=False)
    assert (root / "discover" / "manifest.jsonl").stat().st_mtime_ns == discovered
    assert (
        results["motion"].kept
        and len(read_track(root, track_path(root, "street", far), far).frames) == len(track.frames) - 1
    )
    old = {r.key: r.fingerprint for r in open_results(street_run, "motion").results}
    new = {r.key: r.fingerprint for r in results["motion"].results}
    assert old[near] == new[near] and old[far] != new[far]
    if {r.key: r.figures for r in results["filter"].kept} == {
        r.key: r.figures for r in open_results(street_run, "filter").kept
    }:
        assert (root / "propagate" / near / "masks.npz").stat().st_mtime_ns == before_near
