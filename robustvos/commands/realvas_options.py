"""Options of ``realvas run`` and its stages, and the settings of the stages that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from robustvos.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from robustvos.containment.region_tracking import RegionSource
    from robustvos.realvas.pipeline import RealVASSettings, Regions
    from robustvos.types import Prompt

STAGES = ("ingest", "discover", "motion", "align", "filter", "combine", "propagate", "composite", "contain", "camera")
"""As :data:`robustvos.realvas.pipeline.STAGES`, for what is read before anything heavy is imported."""
MOST_OCCLUDERS = 4
"""As :data:`robustvos.realvas.combine.MOST`."""
MASKS_BY = "small"
"""Base that makes masks of points and boxes for what carries masks alone."""


@dataclass(frozen=True)
class Options:
    """Options of every stage; documented in :class:`RunOptions`."""

    out: Path
    assume_static: bool = False
    stabilise: bool = False
    fps: float = 6.0
    shift: float | None = None
    detector: str = "plate_difference"
    depth: str = "contact_order"
    points: str = "lucas_kanade"
    matte: str = "closed_form"
    effects: str = "unmixed"
    per_shots: int = 20
    occluders: int = 1
    tracker: str = "flow"
    focal: float | None = None
    camera_motion: bool = True
    seed: int = 0
    prompts: list[Path] | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        if not self.fps > 0:
            raise UserError(f"--fps is {self.fps}; give a number above 0")
        if self.workers < 1:
            raise UserError(f"--workers {self.workers} does nothing; give at least 1")
        if not 1 <= self.occluders <= MOST_OCCLUDERS:
            raise UserError(f"--occluders is {self.occluders}; give 1 to {MOST_OCCLUDERS}")
        if self.focal is not None and not self.focal > 0:
            raise UserError(f"--focal is {self.focal}; give a number above 0, in longer sides of the frame")

    def settings(self) -> RealVASSettings:
        """Of all stages."""
        from robustvos.containment.containment import ContainmentSettings
        from robustvos.realvas.pipeline import RealVASSettings

        plain = RealVASSettings()
        camera = replace(plain.camera, seed=self.seed)
        return replace(
            plain,
            ingest=replace(plain.ingest, assume_static=self.assume_static, stabilise=self.stabilise),
            discover=replace(plain.discover, fps=self.fps, seed=self.seed, detector=self.detector),
            motion=replace(plain.motion, tracker=self.points),
            align=replace(plain.align, shift=self.shift),
            filter=replace(plain.filter, per_shots=self.per_shots, depth=self.depth),
            combine=replace(plain.combine, occluders=self.occluders),
            propagate=replace(plain.propagate, seed=self.seed, depth=self.depth),
            composite=replace(plain.composite, matte=self.matte, effects=self.effects),
            contain=replace(
                plain.contain, masks=ContainmentSettings(focal=self.focal), source=self.tracker, points=self.points
            ),
            camera=camera if self.camera_motion else replace(camera, motions=()),
        )

    def regions(self) -> Regions:
        """What tracks the marks of the prompt files."""
        return partial(region_source, self.tracker)


@dataclass(frozen=True)
class StageOptions(Options):
    """Run one stage on what the stages before it have left in OUT.

    Attributes:
        out: Folder of the run.
        assume_static: As for run; give every stage the same settings.
        stabilise: As for run.
        fps: As for run.
        shift: As for run.
        detector: As for run.
        depth: As for run.
        points: As for run.
        matte: As for run.
        effects: As for run.
        per_shots: As for run.
        occluders: As for run.
        tracker: As for run.
        focal: As for run.
        camera_motion: As for run.
        seed: As for run.
        prompts: As for run; for the stage contain.
        shard: i/n does the i-th of n parts, i from 0; the next stage needs all parts.
        workers: Processes.
    """

    shard: str = "0/1"


@dataclass(frozen=True)
class RunOptions(Options):
    """Make clips of videos: objects that pass in front of others, or go into containers, with exact masks of what is hidden.

    The camera must stand still (--stabilise for one that sways); that of clips with containers may move. Run it again after a
    stop: it goes on where it was. Give more videos, or corrected prompts, later: they are added to OUT.

    Attributes:
        out: Folder of the run.
        videos: Video files, folders of frames, or folders of such.
        occludee: A recording of the object to be hidden ...
        occluder: ... and one of what hides it, by the same camera: they are paired, and nothing else is.
        camera: Identity of the camera of VIDEOS: files of one camera are paired with each other.
        prompts: Prompt files that say which objects go into which containers; see docs/containment.md.
        shift: Seconds by which the occluder is delayed, where it is known; by default it is searched.
        assume_static: Take a camera for static where the test cannot tell.
        stabilise: Register the frames where the test cannot tell.
        fps: Samples per second of the search.
        detector: Plugin that finds objects: plate_difference, background_knn, grounding_dino. NAME=CHECKPOINT for every
            plugin with weights: auto, a path, or hf://OWNER/NAME, which fetches them; see docs/perception.md.
        depth: Plugin that says who is in front: contact_order, depth_anything (which also refines the masks).
        points: Plugin that follows points: lucas_kanade, planar_lucas_kanade, template, cotracker.
        matte: Soft edges: closed_form, guided (quicker), binary, known_plate, vitmatte.
        effects: unmixed, equation1 (as printed in the paper) or none.
        per_shots: Clips kept of a pair of shots at most.
        occluders: Make further clips in which up to so many objects pass in front of one; up to 4.
        tracker: What tracks the marks of PROMPTS: flow, which carries masks by optical flow, those of points and boxes made by
            the base small; or a name in configs/sam2, or a run or folder of a trained system.
        focal: Focal length of clips with containers, in longer sides of the frame, if known.
        camera_motion: Emulate a moving camera for clips of a still one, where that keeps object and occlusion.
        seed: Of everything random.
        workers: Processes.
    """

    videos: list[Path] | None = None
    occludee: Path | None = None
    occluder: Path | None = None
    camera: str | None = None


def region_source(tracker: str, device: str = "auto") -> RegionSource:
    """What tracks prompted regions: ``flow``, a base of ``configs/sam2``, or whatever ``load_system`` takes.

    Raises:
        UnknownName: If there is no such base or system.
    """
    from robustvos.containment.region_tracking import FlowRegions, TrackedRegions

    if tracker == "flow":
        return FlowRegions(_mask_of)
    import torch

    from robustvos.registry import CONFIGS, known_names
    from robustvos.systems.loading import load_system

    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    bases = known_names(CONFIGS, "sam2")
    system = load_system("sam2", sam2=tracker) if tracker in bases else load_system(tracker)
    return TrackedRegions(system.to(torch.device(place)).tracker)


def _mask_of(frame: Tensor, prompt: Prompt) -> NDArray[np.bool_]:
    """The mask that points or a box mean, by the base ``small``."""
    tracker = region_source(MASKS_BY)
    said = replace(prompt, frame=0)
    return next(iter(tracker.masks([frame], [said], 0)))
