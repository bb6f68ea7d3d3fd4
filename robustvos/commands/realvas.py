"""``cli.py realvas``: clips with exact amodal masks of what is behind, or inside, something else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from robustvos.commands import realvas_containment
from robustvos.commands import realvas_publish as publishing_actions
from robustvos.commands.realvas_options import STAGES, RunOptions, StageOptions
from robustvos.commands.tool import run_tool
from robustvos.errors import DataNotFound, UnknownName, UserError
from robustvos.files.naming import count_of
from robustvos.program import next_command, program

if TYPE_CHECKING:
    from robustvos.files.stage import StageResults
    from robustvos.realvas.cost import Used
    from robustvos.realvas.funnel import Funnel

ACTIONS = (
    "run",
    "add",
    *STAGES,
    *realvas_containment.ACTIONS,
    "explain",
    "stats",
    "funnel",
    "sheet",
    "publish",
    "reviews",
)
_HELP = f"""usage: cli.py realvas ACTION ...   (each has --help)

  run VIDEOS... --out DIR   every stage; goes on where it was; more videos may be added later;
                            --prompts FILE adds clips of objects inside containers
  add VIDEOS... --out DIR   only note videos and prompts; STAGE works on them
  STAGE --out DIR           one of {", ".join(STAGES)}
  explain KEY --out DIR     why a track, candidate or clip was kept or rejected, with a picture
  stats --out DIR           the paper's Tables 1, 6 and 7 of the clips made
  funnel --out DIR          what each stage kept and rejected
  sheet --out DIR           write the contact sheet again
  reviews DIR               how reviewers agree, and how many known faults they noticed
  publish DIR               write the clips as a dataset in five layouts, with a card and Croissant metadata
{realvas_containment.HELP}"""


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    action = argv[1] if len(argv) > 1 else "--help"
    if action in ("-h", "--help"):
        print(_HELP.replace("cli.py", program()))
        return
    named = [f"realvas {action}", *argv[2:]]
    if action in ("run", "add"):
        (run if action == "run" else add)(run_tool(RunOptions, named, positional=["videos"]))
    elif action in STAGES:
        stage(action, run_tool(StageOptions, named))
    elif action in realvas_containment.ACTIONS:
        realvas_containment.main(named)
    elif action == "explain":
        run_tool(explain, named, positional=["key"])
    elif action in publishing_actions.ACTIONS:
        publishing_actions.main(named)
    elif action in ("stats", "funnel", "sheet"):
        run_tool({"stats": stats, "funnel": funnel, "sheet": sheet}[action], named)
    else:
        raise UnknownName.of("realvas action", action, ACTIONS)


def run(options: RunOptions) -> None:
    """Every stage."""
    from robustvos.realvas.cost import measured
    from robustvos.realvas.pipeline import run_stages

    _add(options)
    with measured() as used:
        results = run_stages(
            options.out, STAGES, options.settings(), workers=options.workers, regions=options.regions()
        )
    _close(options.out, results, used)


def add(options: RunOptions) -> None:
    """Note videos and prompt files for the stages to work on."""
    from robustvos.realvas.sources import read_sources

    _add(options)
    out = options.out
    print(f"{count_of(len(read_sources(out)), 'video')} in {out}")
    print(next_command("realvas", "ingest", "--out", out))


def stage(name: str, options: StageOptions) -> None:
    """Run one stage."""
    from robustvos.files.stage_runner import Shard
    from robustvos.realvas.funnel import contained_lines
    from robustvos.realvas.pipeline import run_stages
    from robustvos.realvas.prompt_files import add_prompt_files

    add_prompt_files(options.out, options.prompts or [])
    found = run_stages(
        options.out,
        [name],
        options.settings(),
        shard=Shard.parse(options.shard),
        workers=options.workers,
        regions=options.regions(),
    )[name]
    if name == "contain":
        for line in contained_lines(found):
            print(line)
    missing = f", {count_of(found.missing, 'item')} still to be done by other shards" if found.missing else ""
    print(f"{name}: {len(found.kept)} kept, {len(found.rejected)} rejected{missing}: {found.folder}")
    combines = options.occluders > 1 or (options.out / "combine").is_dir()
    following = [later for later in STAGES[list(STAGES).index(name) + 1 :] if later != "combine" or combines]
    print(next_command("realvas", following[0] if following else "sheet", "--out", options.out))


def explain(key: str, out: Path) -> None:
    """Say why a shot, track, candidate or clip was kept or rejected.

    Args:
        key: As the manifests, the funnel and the contact sheet have it.
        out: Folder of the run.
    """
    from robustvos.realvas.explain import explain as explain_key

    text, picture = explain_key(out, key)
    print(text)
    if picture is not None:
        print(f"picture: {picture}")
    print(next_command("realvas", "funnel", "--out", out))


def stats(out: Path) -> None:
    """Print the rows of the paper's Tables 1, 6 and 7 for the clips made, beside the published ones; also as OUT/stats.png.

    Args:
        out: Folder of the run.
    """
    from robustvos.commands.closing import after_reviewing
    from robustvos.realvas.stats import stats_of
    from robustvos.realvas.stats_plot import write_stats_plot

    found = stats_of(out)
    print(found.text())
    print(f"picture: {write_stats_plot(out, found)}")
    print(after_reviewing(out))


def funnel(out: Path) -> None:
    """Print what each stage kept and rejected, and why.

    Args:
        out: Folder of the run.
    """
    from robustvos.realvas.funnel import read_funnel
    from robustvos.realvas.sources import read_sources

    counted = read_funnel(out, len(read_sources(out)))
    print(counted.text())
    print(_following(out, counted))


def sheet(out: Path) -> None:
    """Write the contact sheet of the clips made.

    Args:
        out: Folder of the run.
    """
    from robustvos.realvas.funnel import read_funnel
    from robustvos.realvas.sheet import write_sheet
    from robustvos.realvas.sources import read_sources

    counted = read_funnel(out, len(read_sources(out)))
    print(f"contact sheet: {write_sheet(out, counted)}")
    print(_following(out, counted))


def _add(options: RunOptions) -> None:
    from robustvos.realvas.prompt_files import add_prompt_files, read_prompt_files
    from robustvos.realvas.sources import add_sources, read_sources

    out, videos = options.out, options.videos or []
    occludee, occluder = options.occludee, options.occluder
    if (occludee is None) != (occluder is None):
        raise UserError("--occludee and --occluder go together: one recording of each, by the same camera")
    if occludee is not None and videos:
        raise UserError(f"--occludee and --occluder name the videos; leave out {videos[0]}")
    if occludee is not None and occluder is not None:
        name = options.camera or f"{occludee.stem}+{occluder.stem}"
        cameras = {occludee: name, occluder: name}
        add_sources(out, [occludee, occluder], cameras=cameras, roles={occludee: "occludee", occluder: "occluder"})
    elif not videos and not options.prompts and not read_sources(out) and not read_prompt_files(out):
        raise UserError(f"no video given; usage: {program()} realvas run VIDEOS... --out DIR")
    elif videos:
        add_sources(out, videos, cameras=None if options.camera is None else dict.fromkeys(videos, options.camera))
    add_prompt_files(out, options.prompts or [])


def _close(out: Path, results: dict[str, StageResults], used: Used) -> None:
    """Say what was made, where it is, what it took, and what to do next."""
    from robustvos.realvas.cost import seconds_of_video
    from robustvos.realvas.funnel import contained_lines, read_funnel
    from robustvos.realvas.reasons import why_nothing
    from robustvos.realvas.sheet import write_sheet
    from robustvos.realvas.sources import read_sources

    counted = read_funnel(out, len(read_sources(out)))
    print(counted.text())
    for line in contained_lines(results["contain"]):
        print(line)
    print(f"contact sheet: {write_sheet(out, counted)}")
    print(used.text(seconds_of_video(out)))
    clips = len(results["camera"].kept)
    if not clips:
        print("no clip was made:", *why_nothing(counted.results), sep="\n")
        print(_following(out, counted))
        return
    print(f"{count_of(clips, 'clip')}: {out / 'camera'} (as recorded: {out / 'composite'}, {out / 'contain'})")
    print(_following(out, counted))


def _following(out: Path, counted: Funnel) -> str:
    """Clips are judged; where there are none, what came furthest is explained; where nothing is, the stages are run."""
    from robustvos.reviewing.clips import clips_of

    with suppress(DataNotFound):
        clips_of(out)
        return next_command("review", out)
    rejected = [result for results in counted.results.values() for result in results.rejected]
    return next_command("realvas", *(["explain", rejected[-1].key] if rejected else ["run"]), "--out", out)
