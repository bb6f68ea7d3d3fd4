"""A recipe: what an external system wants of a clip, how it is run, and what it leaves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustvos.errors import UnknownName, UserError
from robustvos.registry import CONFIGS, read_yaml

LAYOUTS = ("folder", "squares", "tcow", "coco", "omnimatte", "tabe", "diffusion_vas")
FORMS = ("images", "gif", "video", "npz")
FITS = ("native", "squash", "letterbox")
INSIDE = ("bright", "dark", "alpha", "red", "green", "blue")


@dataclass(frozen=True)
class Recipe:
    """The content of ``configs/external/NAME.yaml``.

    Attributes:
        name: The file's name.
        title: Row name in tables, as the paper has it.
        source: Repository.
        licence: Of code and weights.
        inputs: The paper's column: what is given besides the query mask.
        run_type: The paper's column: Online or Offline.
        layout: How a clip is exported, one of :data:`LAYOUTS`.
        output: Path of a clip's result, with ``{clip}`` and wildcards.
        form: What lies there, one of :data:`FORMS`.
        commands: Each a list of words, run in order for every clip. Fields in braces: ``clip``, ``data`` (the exports),
            ``out``, ``repo`` (the system's checkout), ``drivers``, ``python``, and whatever ``--set`` names. Empty: we know
            of no usable command.
        modal: Visible masks that it wants: ``query`` (the first frame's alone) or ``every_frame``.
        box: Whether it is given the true box of the whole object.
        canvas: ``(height, width)`` of what it is given; None: as the clip is.
        fit: How a frame comes onto the canvas.
        count: Frames that it is given, spread evenly over the clip; 0: all.
        least: Shorter clips are padded to this many by their last frame.
        output_size: ``(height, width)`` of its masks; None: as the canvas.
        inside: What of a pixel belongs to the object.
        threshold: Values above it are inside (``dark``: up to it); None: masks hold two values, or palette indices.
        trailing: The last frame stands so many times more at the end of the output.
        remarks: What a reader should know; written beside the result.
    """

    name: str
    title: str
    source: str
    licence: str
    inputs: str
    run_type: str
    layout: str
    output: str
    form: str
    commands: tuple[list[str], ...] = ()
    modal: str = "query"
    box: bool = False
    canvas: tuple[int, int] | None = None
    fit: str = "native"
    count: int = 0
    least: int = 0
    output_size: tuple[int, int] | None = None
    inside: str = "bright"
    threshold: float | None = None
    trailing: int = 0
    remarks: str = ""


def known_recipes(configs: Path = CONFIGS) -> list[str]:
    """Names that ``--system`` takes."""
    return sorted(path.stem for path in (configs / "external").glob("*.yaml"))


def find_recipe(system: str, configs: Path = CONFIGS) -> Recipe:
    """A recipe by name, or from a YAML file of that form.

    Raises:
        UnknownName: If there is none of that name; suggests the nearest.
        UserError: If the file is no recipe.
    """
    file = Path(system) if system.endswith((".yaml", ".yml")) else configs / "external" / f"{system}.yaml"
    if not file.is_file():
        raise UnknownName.of("external system", system, known_recipes(configs))
    return parse_recipe(file.stem, read_yaml(str(file)), str(file))


def parse_recipe(name: str, content: Mapping[str, Any], where: str) -> Recipe:
    """Check the mapping of a recipe's file. Raises UserError or UnknownName."""
    fields = {field.name: field for field in dataclasses.fields(Recipe) if field.name != "name"}
    for key in content:
        if key not in fields:
            raise UnknownName.of(f"setting of {where}:", str(key), fields)
    lacking = [key for key, field in fields.items() if field.default is dataclasses.MISSING and key not in content]
    if lacking:
        raise UserError(f"{where} lacks {', '.join(lacking)}; every recipe says these")
    for key, known in (("layout", LAYOUTS), ("form", FORMS), ("fit", FITS), ("inside", INSIDE)):
        if key in content and content[key] not in known:
            raise UnknownName.of(f"{key} in {where}:", str(content[key]), known)
    as_tuples: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in content.items()
    }
    return Recipe(name=name, **as_tuples)
