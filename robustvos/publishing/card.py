"""``README.md``: the dataset's card, with the Hub's header, the funnel, the reviews and the licences of the sources."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Template

from robustvos.errors import UserError
from robustvos.files.stage import Result
from robustvos.publishing.croissant import About
from robustvos.realvas.funnel import read_funnel
from robustvos.realvas.sources import Source, read_sources
from robustvos.realvas.stats import measure_clips
from robustvos.reviewing.agreement import agreement_of

CARD, LICENCES = "README.md", "licences.yaml"
UNKNOWN = "not stated"
_HUB = (
    "apache-2.0",
    "mit",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "odc-by",
    "gpl-3.0",
)
_TEXT = Template(
    """---
{{ header }}---
# {{ about.name }}

{{ clips }} clips with exact amodal masks: what is hidden of an object is known, because it was recorded unhidden. Made by
robustvos in the way of Real-VAS (arXiv 2611.00430); not part of its dataset.

| folder or file | what |
|---|---|
| `native/` | a folder a clip: frames, `gt_masks` (amodal), `visible_masks` (modal), `annos.json` |
| `coco_rle.json` | COCO's layout; `segmentation` is modal, `amodal_segmentation` the whole object |
| `sa_v/` | SA-V's layout, amodal and modal |
| `ytvos/` | YouTube-VOS's layout; `Annotations` are modal, `AmodalAnnotations` whole |
| `videofolder/` | MP4 files and `metadata.jsonl`, as the Hub's VideoFolder reads them |
| `croissant.json` | Croissant metadata of `clips.csv` and `frames.csv` |

All of them hold the same masks. Frames whose amodal mask is not to be trusted are listed in `annos.json` under `untrusted`.

## Figures

```text
{{ stats }}
```

## How the clips were chosen

```text
{{ funnel }}
```

## Reviews

Published: {{ clips }}. Left out because nobody has passed them yet: {{ unreviewed }};
because somebody failed or flagged them: {{ refused }}.

```text
{{ agreement }}
```

## Sources

| source | licence | credit |
|---|---|---|
{% for source in sources %}| {{ source.key }} | {{ source.licence }} | {{ source.credit }} |
{% endfor %}
The clips are made of these recordings: their licences hold for them, too.
"""
)


@dataclass(frozen=True)
class SourceLicence:
    """Whose a recording is."""

    key: str
    licence: str = UNKNOWN
    credit: str = ""


def read_licences(root: str | os.PathLike[str], keys: Sequence[str]) -> list[SourceLicence]:
    """Licences of the sources, of ``<root>/licences.yaml``.

    A line is ``KEY: {licence: cc-by-4.0, credit: ...}`` or ``KEY: cc-by-4.0``.

    Raises:
        UserError: If the file is no such mapping, or names a source that the run does not have.
    """
    path = Path(root) / LICENCES
    said: Any = {}
    if path.exists():
        try:
            said = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(
                f"{path} is no YAML ({' '.join(str(error).split())}); write e.g. street: cc-by-4.0"
            ) from error
    if not isinstance(said, dict):
        raise UserError(f"{path} must map sources to licences, e.g. street: cc-by-4.0")
    known = {*read_sources(root), *keys}
    strange = sorted(str(key) for key in said if key not in known)
    if strange:
        raise UserError(f"{path} names {', '.join(strange)}; the sources are {', '.join(sorted(known))}")
    return [_licence(key, said.get(key)) for key in keys]


def used_sources(root: str | os.PathLike[str], clips: Sequence[Result]) -> list[str]:
    """Keys of the sources that clips are made of; all of the run's where a clip does not say.

    What prompts alone name is no source of the run: the video's name stands for it.
    """
    known: Mapping[str, Source] = read_sources(root)
    found: set[str] = set()
    for clip in clips:
        of = _contained_in(clip, known) if "digest" in clip.figures else _composed_of(clip, known)
        found |= of or set(known)
    return sorted(found)


def _contained_in(clip: Result, known: Mapping[str, Source]) -> set[str]:
    """The video of a contained clip, by its content: other videos may have its name."""
    digest, name = clip.figures["digest"], str(clip.figures["object"]).rpartition(".")[0]
    same = {key for key, source in known.items() if source.digest == digest}
    return same or {name if name not in known else f"{name}-{digest[:8]}"}


def _composed_of(clip: Result, known: Mapping[str, Source]) -> set[str]:
    """The videos of a composite, by the keys of its tracks."""
    tracks = [str(clip.figures[name]) for name in ("object", "occluder") if name in clip.figures]
    tracks += clip.figures.get("occluders", [])
    return {key for key in known for track in tracks if track == key or track.startswith(f"{key}.")}


def write_card(folder: Path, root: Path, about: About, clips: Sequence[Result], left: tuple[int, int]) -> None:
    """Write the card.

    Args:
        folder: Of what is published.
        root: Of the run.
        about: Name, licence, address.
        clips: What is published.
        left: How many were left out unreviewed, and refused.
    """
    licences = read_licences(root, used_sources(root, clips))
    text = _TEXT.render(
        header=yaml.safe_dump(_header(about, len(clips)), sort_keys=False, allow_unicode=True),
        about=about,
        clips=len(clips),
        stats=measure_clips(clips).text(),
        funnel=read_funnel(root, len(read_sources(root))).text(),
        unreviewed=left[0],
        refused=left[1],
        agreement=agreement_of(root).text(),
        sources=licences,
    )
    (folder / CARD).write_text(text, encoding="utf-8")


def _header(about: About, clips: int) -> dict[str, Any]:
    sizes = ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
    size = next((name for limit, name in sizes if clips < limit), "100K<n<1M")
    known = about.licence.lower() in _HUB
    licence = {"license": about.licence.lower()} if known else {"license": "other", "license_name": about.licence}
    return {
        "pretty_name": about.name,
        **licence,
        "task_categories": ["image-segmentation"],
        "tags": ["video", "amodal-segmentation", "video-object-segmentation"],
        "size_categories": [size],
        "configs": [{"config_name": "default", "data_dir": "videofolder"}],
    }


def _licence(key: str, said: Any) -> SourceLicence:
    if isinstance(said, dict):
        return SourceLicence(
            key, str(said.get("licence") or said.get("license") or UNKNOWN), str(said.get("credit", ""))
        )
    return SourceLicence(key) if said is None else SourceLicence(key, str(said))
