"""The stages in order, and one call that runs them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robustvos.containment.region_tracking import FlowRegions, RegionSource
from robustvos.errors import UnknownName, UserError
from robustvos.files.stage import Stage, StageResults, open_results
from robustvos.files.stage_runner import WHOLE, Shard, run_stage
from robustvos.realvas.align import Align, AlignSettings
from robustvos.realvas.camera import SOURCES, Camera, CameraSettings
from robustvos.realvas.combine import COMBINE, Combine, CombineSettings
from robustvos.realvas.composite import Composite, CompositeSettings
from robustvos.realvas.contain import Contain, ContainSettings
from robustvos.realvas.discover import Discover, DiscoverSettings
from robustvos.realvas.filter import Filter, FilterSettings
from robustvos.realvas.ingest import Ingest, IngestSettings
from robustvos.realvas.layers import check_effects
from robustvos.realvas.matte import check_matte
from robustvos.realvas.motion import Motion, MotionSettings
from robustvos.realvas.plugins import plugin
from robustvos.realvas.prompt_files import read_prompt_files
from robustvos.realvas.propagate import Propagate, PropagateSettings
from robustvos.realvas.sources import read_sources


@dataclass(frozen=True)
class RealVASSettings:
    """Settings of all stages."""

    ingest: IngestSettings = field(default_factory=IngestSettings)
    discover: DiscoverSettings = field(default_factory=DiscoverSettings)
    motion: MotionSettings = field(default_factory=MotionSettings)
    align: AlignSettings = field(default_factory=AlignSettings)
    filter: FilterSettings = field(default_factory=FilterSettings)
    combine: CombineSettings = field(default_factory=CombineSettings)
    propagate: PropagateSettings = field(default_factory=PropagateSettings)
    composite: CompositeSettings = field(default_factory=CompositeSettings)
    contain: ContainSettings = field(default_factory=ContainSettings)
    camera: CameraSettings = field(default_factory=CameraSettings)

    @property
    def plugins(self) -> dict[str, tuple[str, str]]:
        """Kind and choice of each stage's perception plugin; the matte of ``composite`` is chosen among more."""
        return {
            "discover": ("detector", self.discover.detector),
            "motion": ("points", self.motion.tracker),
            "filter": ("depth", self.filter.depth),
            "propagate": ("depth", self.propagate.depth),
            "contain": ("points", self.contain.points),
        }


Regions = Callable[[], RegionSource]
"""Makes what tracks the marks of a prompt file; sent to worker processes."""

_STAGES: dict[str, Callable[[Path, Any], Stage]] = {
    "ingest": Ingest,
    "discover": Discover,
    "motion": Motion,
    "align": Align,
    "filter": Filter,
    "combine": Combine,
    "propagate": Propagate,
    "composite": Composite,
    "camera": Camera,
}
_READS: dict[str, tuple[str, ...]] = {
    "ingest": (),
    "discover": ("ingest",),
    "motion": ("ingest", "discover"),
    "align": ("ingest", "discover", "motion"),
    "filter": ("ingest", "discover", "align"),
    "combine": ("ingest", "discover", "filter"),
    "propagate": ("ingest", "discover", "filter"),
    "composite": ("ingest", "filter", "propagate"),
    "contain": (),
    "camera": (),
}
STAGES = tuple(_READS)
"""Names of the stages in their order."""


def run_stages(
    root: str | os.PathLike[str],
    names: Sequence[str] = STAGES,
    settings: RealVASSettings = RealVASSettings(),
    *,
    shard: Shard = WHOLE,
    workers: int = 1,
    progress: bool = True,
    regions: Regions = FlowRegions,
) -> dict[str, StageResults]:
    """Run some stages of the run in ``root``, each on what those before it have left.

    Args:
        root: Folder of the run; its videos were added by :func:`robustvos.realvas.sources.add_sources`.
        names: Stages, in their order.
        settings: Of all of them.
        shard: The part to do here; a stage needs all shards of the ones before it.
        workers: Processes.
        progress: Show bars.
        regions: Tracks the marks of the prompt files; by default optical flow, which needs masks.

    Returns:
        Results by stage, of the stages that they read included.

    Raises:
        UnknownName: If there is no such stage, or no plugin of a chosen name.
        CheckpointNotFound: If a chosen plugin's weights are missing; before anything is done.
        BadPrompt: If a prompt file cannot be read; the same.
        UserError: If a stage before is not finished, or see :func:`robustvos.files.stage_runner.run_stage`.
    """
    folder = Path(root)
    for name in names:
        if name not in STAGES:
            raise UnknownName.of("stage", name, STAGES)
    if shard.count > 1 and len(names) > 1:
        raise UserError(
            "shards are for single stages, since each needs all of the one before: realvas STAGE --shard i/n"
        )
    _check(folder, names, settings)
    results: dict[str, StageResults] = {}
    for name in sorted(names, key=STAGES.index):
        for other in _READS[name]:
            if other not in results:
                results[other] = open_results(folder, other)
        optional = {"camera": SOURCES, "propagate": (COMBINE,), "composite": (COMBINE,)}.get(name, ())
        results |= {other: open_results(folder, other) for other in optional if (folder / other).is_dir()}
        if name == COMBINE and settings.combine.occluders < 2 and not (folder / COMBINE).is_dir():
            results[name] = StageResults(name, folder / name, (), {}, 0)  # not asked for, nor before: no trace of it
            continue
        if name == "contain":
            stage: Stage = contain_stage(folder, settings.contain, regions)
        else:
            stage = _STAGES[name](folder, getattr(settings, name))
        results[name] = run_stage(stage, folder, results, shard=shard, workers=workers, progress=progress)
    return results


def contain_stage(root: Path, settings: ContainSettings, regions: Regions = FlowRegions) -> Contain:
    """The stage ``contain`` on the run's prompt files; marks that name no video mean the run's only one."""
    sources = list(read_sources(root).values())
    only = Path(sources[0].path) if len(sources) == 1 else None
    return Contain(read_prompt_files(root), only, settings, regions)


def _check(folder: Path, names: Sequence[str], settings: RealVASSettings) -> None:
    """Refuse early what stages would refuse late."""
    for kind, choice in sorted({chosen for name, chosen in settings.plugins.items() if name in names}):
        plugin(kind, choice)
    if "composite" in names:
        check_matte(settings.composite.matte)
        check_effects(settings.composite.effects)
    if "contain" in names:
        list(contain_stage(folder, settings.contain).items({}))
