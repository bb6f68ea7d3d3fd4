"""``cli.py external``: systems that run in their own environment, scored beside ours."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from robustvos.commands.tool import run_tool
from robustvos.errors import UnknownName, UserError
from robustvos.files.paths import refuse_inputs_as_output
from robustvos.program import next_command, program

if TYPE_CHECKING:
    from torch import Tensor

ACTIONS = ("list", "export", "run", "import", "convert")
_HELP = """usage: cli.py external ACTION ...   (each has --help)

  list                                              the systems we have recipes for, the formats that convert reads
  export --system NAME --data DIR --out GIVEN       clips in the form that the system reads
  run    --system NAME --given GIVEN --out LEFT     its own command on each; --repo is its checkout
  import --system NAME --data DIR --given GIVEN --outputs LEFT --out RUN
                                                    masks at the clips' size, scored: RUN/results.json
  convert FORMAT SRC --out DIR                      another amodal dataset as clips in Real-VAS's native form"""


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    action = argv[1] if len(argv) > 1 else "--help"
    if action in ("-h", "--help"):
        print(_HELP.replace("cli.py", program()))
        return
    functions: dict[str, Callable[..., Any]] = {
        "list": list_systems,
        "export": export,
        "run": run,
        "import": import_masks,
        "convert": convert_dataset,
    }
    if action not in functions:
        raise UnknownName.of("external action", action, ACTIONS)
    positional = ["form", "src"] if action == "convert" else []
    run_tool(functions[action], [f"external {action}", *argv[2:]], positional)


def list_systems() -> None:
    """Name, inputs besides the query, run type, licence and address of each system; then the formats that convert reads."""
    from robustvos.datasets.amodal.convert.run import FORMATS
    from robustvos.external.recipe import find_recipe, known_recipes

    for name in known_recipes():
        recipe = find_recipe(name)
        print(f"{name:<32} {recipe.inputs or '/':<22} {recipe.run_type:<8} {recipe.licence}; {recipe.source}")
    print("\nformats that convert reads:")
    for name, form in FORMATS.items():
        print(f"{name:<32} {form.about}")
    print(next_command("external", "export", "--help"))


def export(
    system: str,
    data: Path,
    out: Path,
    modal: Literal["truth", "sam2"] = "sam2",
    sam2: str | None = None,
    clips: list[str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write clips in the form that a system reads; OUT/CLIP/export.json says what was changed.

    Args:
        system: A name in configs/external, or a YAML file of that form.
        data: Folder of clips in Real-VAS's native form.
        out: Folder for the exports.
        modal: Visible masks on every frame, for systems that want them: tracked by SAM 2 from the query, as in the paper, or
            the true ones.
        sam2: The base that tracks them, a name in configs/sam2.
        clips: These alone; may be repeated.
        settings: Of the base, one by one.
    """
    from robustvos.external.export import export_clip
    from robustvos.external.recipe import find_recipe
    from robustvos.external.visible import tracked_masks
    from robustvos.systems.loading import load_system
    from robustvos.video.native import find_native_clips

    recipe = find_recipe(system)
    refuse_inputs_as_output(out, [data])
    found = find_native_clips(data, clips)
    tracker = (
        load_system("sam2", sam2=sam2, settings=settings) if modal == "sam2" and recipe.modal == "every_frame" else None
    )
    source = "truth" if modal == "truth" else f"sam2 ({sam2 or 'nano'})"
    for clip in found:
        tracked = tracked_masks(tracker, clip) if tracker is not None and _shows_query(clip.modal[0]) else None
        export_clip(clip, recipe, out, tracked, source)
    print(
        f"{len(found)} clips for {recipe.title} in {out}; visible masks: {source if recipe.modal != 'query' else 'query'}"
    )
    print(next_command("external", "run", "--system", system, "--given", out, "--out", "outputs"))


def _shows_query(mask: Tensor | None) -> bool:
    return mask is not None and bool(mask.any())


def run(system: str, given: Path, out: Path, repo: Path = Path("."), set: list[str] | None = None) -> None:
    """Run a system's own command on every exported clip that has no output yet; its words go to OUT/logs.

    Args:
        system: As exported.
        given: Folder of the exports.
        out: Folder for what it leaves.
        repo: Its checkout, in which the command runs.
        set: NAME=VALUE fills a field of the command: python=/path/of/its/python, weights, ...; may be repeated.
    """
    from robustvos.external.export import read_export
    from robustvos.external.recipe import find_recipe
    from robustvos.external.run import exported_clips, run_system

    pairs = [text.partition("=") for text in set or []]
    wrong = [name for name, equals, _ in pairs if not equals]
    if wrong:
        raise UserError(f"--set {wrong[0]}: expected NAME=VALUE")
    if not repo.is_dir():
        raise UserError(f"--repo {repo} is no folder; give the system's checkout")
    count = run_system(find_recipe(system), given, out, repo, {name: value for name, _, value in pairs})
    print(f"{count} clips run; outputs in {out}")
    data = read_export(exported_clips(given, find_recipe(system))[0]).get("data", "DIR")
    where = ["--data", data, "--given", given, "--outputs", out, "--out", Path("runs", f"external_{Path(system).stem}")]
    print(next_command("external", "import", "--system", system, *where))


def import_masks(
    system: str,
    data: Path,
    outputs: Path,
    out: Path,
    given: Path | None = None,
    missing: Literal["error", "zero", "modal"] = "error",
    protocol: str | None = None,
    dataset: str = "realvas",
) -> None:
    """Masks of a system at the clips' own size, scored: OUT/masks, OUT/import.json, OUT/results.json.

    Args:
        system: As exported.
        data: The clips that were exported, with their truth.
        outputs: Folder of what the system left; or the JSON of Diffusion-VAS's published predictions of SAIL-VOS.
        out: Folder for the results.
        given: Folder of the exports; needed unless outputs are published predictions.
        missing: What stands for a clip without output: error, zero (empty masks) or modal (the true visible masks).
        protocol: realvas, realvas_literal or tabe. By default realvas.
        dataset: Name of the dataset in reports.
    """
    from robustvos.evaluation.protocol import DatasetFacts, protocol_for
    from robustvos.evaluation.score_folders import score_folders
    from robustvos.external.collect import collect
    from robustvos.external.recipe import find_recipe
    from robustvos.video.native import find_native_clips

    recipe = find_recipe(system)
    if given is None and (outputs.suffix != ".json" or recipe.form != "gif"):
        raise UserError("--given: name the folder of the exports; only published predictions (diffusion_vas) need none")
    refuse_inputs_as_output(out, [data, outputs, *([given] if given else [])])
    rules = protocol_for(protocol, DatasetFacts(task="amodal", overlapping=True))
    found = collect(recipe, given, outputs, find_native_clips(data), out, missing)
    notes = (f"policy for missing clips: {missing}", *found.notes)
    command = f"{program()} {shlex.join(sys.argv[1:])}"
    about = {"system": recipe.title, "dataset": dataset, "prompt": "mask", "command": command, "notes": notes}
    about |= {"inputs": found.inputs, "run_type": recipe.run_type, "changes": found.changes}
    run_record = score_folders(out / "masks", data, rules, sequences=found.clips, progress=False, about=about).run
    run_record.write(out)
    for metric in run_record.metrics:
        e = run_record.overall[metric]
        print(f"{metric:<9} {e.mean:.4f}" if e.known else f"{metric:<9} undefined: no frame counts")
    print(f"{recipe.title}: inputs {found.inputs}, run type {recipe.run_type}, {len(found.clips)} clips")
    print("\n".join([*run_record.notes, *(f"changed: {line}" for line in found.changes)]))
    print(next_command("report", out, "--out", out / "report"))


def convert_dataset(
    form: str,
    src: Path,
    out: Path,
    frames: Path | None = None,
    split: str | None = None,
    clean_start: bool = False,
    limit: int | None = None,
) -> None:
    """Clips of another amodal dataset in Real-VAS's native form, which `test --data realvas --data.root OUT` reads.

    Each object is a clip that begins where it is seen. Frames are copied, and linked where clips share them; clips that are in
    OUT already are kept, so that the same command goes on; clips of another format, --split or --clean_start are refused.

      cli.py external convert tcow_rubric rubric --out data/rubric

    Args:
        form: movi_mc_ac, tcow_kubric, tcow_rubric, diffusion_vas, kins_video_car or coco_amodal.
        src: Its folder, or its JSON file.
        out: Root of the clips.
        frames: Root of the images, for the two in JSON; by default the JSON's folder.
        split: train or test, of kins_video_car. By default test.
        clean_start: Begin each clip where the object is seen whole (at most 0.5 % hidden).
        limit: Write no more clips than this.
    """
    refuse_inputs_as_output(out, [src, *([frames] if frames else [])])
    from robustvos.datasets.amodal.convert.run import convert
    from robustvos.files.naming import name_some

    found = convert(form, src, out, clean_start=clean_start, limit=limit, frames=frames, split=split)
    print(f"{len(found.written)} clips in {out}")
    for reason, names in found.left_out.items():
        print(f"{len(names)} objects left out, each {reason}: {name_some(names)}")
    print(next_command("test", "--data", "realvas", "--data.root", out))
