"""``realvas validate_containment``: the containment logic against what a transparent container shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from robustvos.commands.realvas_options import region_source
from robustvos.commands.tool import run_tool
from robustvos.errors import BadPrompt, DataNotFound, UnknownName
from robustvos.program import next_command

if TYPE_CHECKING:
    from robustvos.containment.containment import NotContained
    from robustvos.containment.region_tracking import RegionSource
    from robustvos.containment.validate_containment import Validation
    from robustvos.video.frames import Frames

_NOTHING = "nothing was validated; see the reasons above"
ACTIONS = ("validate_containment",)
HELP = (
    """  validate_containment VIDEO --prompts FILE   the containment logic against what a transparent container shows"""
)


def main(argv: Sequence[str]) -> None:
    """Run an action; the last word of ``argv[0]`` is its name."""
    action = argv[0].split()[-1]
    if action not in ACTIONS:
        raise UnknownName.of("realvas action", action, ACTIONS)
    run_tool(validate_containment, argv, positional=("video",))


def validate_containment(
    video: Path,
    prompts: Path,
    out: Path | None = None,
    tracker: str = "flow",
    masks: Path | None = None,
    container_masks: Path | None = None,
    device: str = "auto",
    focal: float | None = None,
) -> None:
    """Compare the containment logic with what is seen through a transparent container.

    The object is tracked through it: the truth. The container is painted opaque along its own track; the logic carries the
    last visible mask with it. Prints the mean IoU of every object and kind of containment; the paper reports 97.5 %.

    Args:
        video: Video file or folder of frames of a transparent container; prompts that name a video go by that.
        prompts: Prompt file in JSON lines: the object on a frame in which it is seen outside, its container, the rest
            frame, the category.
        out: Folder for validation.json and a picture of each object.
        tracker: flow, which carries masks by optical flow, those of points and boxes made by the base small; or a name in
            configs/sam2, or a run or folder of a trained system.
        masks: Folder of masks of the objects, one a frame, ids as in the prompts, instead of tracking them.
        container_masks: The same for the containers, under the ids of their objects.
        device: cpu, cuda, or auto.
        focal: Focal length in longer sides of the frame, if known; corrects for the object's depth in the container.
    """
    from robustvos.containment.contain_prompts import group_prompts
    from robustvos.containment.containment import ContainmentSettings, NotContained
    from robustvos.containment.validate_containment import ValidationSources
    from robustvos.containment.validate_containment import validate_containment as validate
    from robustvos.containment.validation_report import category_lines, result_line, write_picture, write_results
    from robustvos.video.frames import open_frames
    from robustvos.video.prompt_file import read_prompt_lines

    done: dict[str, Validation] = {}
    refused: dict[str, NotContained] = {}
    tracked = None if masks and container_masks else region_source(tracker, device)
    for group in group_prompts(read_prompt_lines(prompts), video):
        path = group.video
        if path is None or not path.exists():
            raise DataNotFound(f"video {path} of {prompts} does not exist; paths are relative to the prompt file")
        frames, name = open_frames(path), f"{path.stem}.o{group.object_id}"
        sources = ValidationSources(
            _given(masks, frames, tracked), _given(container_masks, frames, tracked), ContainmentSettings(focal=focal)
        )
        try:
            done[name] = validate(frames, group, sources)
        except NotContained as error:
            refused[name] = error
            print(f"{name}: {error.reason} {error.figures}")
            continue
        print(result_line(name, done[name]))
        if out is not None:
            write_picture(out / f"{name}.png", frames, done[name])
    if not done:
        raise BadPrompt(_NOTHING)
    for line in category_lines(done):
        print(line)
    if out is not None:
        write_results(out / "validation.json", done, refused)
    print(next_command("realvas", "run", video, "--prompts", prompts, "--out", Path("runs", video.stem)))


def _given(folder: Path | None, frames: Frames, tracked: RegionSource | None) -> RegionSource:
    from robustvos.containment.region_tracking import GivenRegions

    if folder is not None:
        return GivenRegions(folder, frames.frame_names)
    assert tracked is not None, "made unless both folders are given"
    return tracked
