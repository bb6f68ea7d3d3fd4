"""Pictures of corruptions as PNG files, and one page that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from robustvos.drawing.images import write_png
from robustvos.files.atomic import atomic_write_text
from robustvos.report.figures import image_uri
from robustvos.report.page import environment

_WORDS = {
    "release": "what the published sets contain: colour and noise flicker from frame to frame, fog hangs still",
    "intended": "the parameters as written, coherent in time: colours drift, fog moves, noise is fine",
}


@dataclass(frozen=True)
class PresetPictures:
    """The pictures of one preset.

    Attributes:
        preset: Its name.
        over_time: ``(3, H, W)`` uint8, rows of corruptions, frames to the right.
        over_severities: ``(3, H, W)`` uint8, the same with severities to the right.
    """

    preset: str
    over_time: Tensor
    over_severities: Tensor


def write_corruption_page(
    out: Path, pictures: Sequence[PresetPictures], *, clip: str, severity: float
) -> tuple[Path, ...]:
    """Write ``corruptions_PRESET.png`` and ``severities_PRESET.png`` of each preset, and ``corruptions.html``.

    Args:
        out: Folder; made if missing. Each file is replaced as a whole.
        pictures: The presets, in the order in which they are shown.
        clip: What was corrupted, for the page.
        severity: Of the pictures over time.

    Returns:
        The files, the page last.
    """
    written: list[Path] = []
    presets = []
    for one in pictures:
        over_time = write_png(one.over_time, out / f"corruptions_{one.preset}.png")
        over_severities = write_png(one.over_severities, out / f"severities_{one.preset}.png")
        written += [over_time, over_severities]
        uris = (image_uri(path, max_width=2200) for path in (over_time, over_severities))
        presets.append((one.preset, _WORDS.get(one.preset, ""), *uris))
    html = environment().get_template("corruptions.html").render(clip=clip, severity=f"{severity:g}", presets=presets)
    page = out / "corruptions.html"
    atomic_write_text(page, html)
    return (*written, page)
