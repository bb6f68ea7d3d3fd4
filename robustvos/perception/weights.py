"""Published weights of perception plugins: found on disk, or fetched when the user says so, never in silence.

None are shipped. A plugin's ``checkpoint`` takes three forms:

* ``auto``: the published files in ``$ROBUSTVOS_WEIGHTS`` or ``./checkpoints``, or in Hugging Face's cache. Nothing is
  fetched: what is missing is named, with size, licence and the place where to put it.
* ``hf://OWNER/NAME``: fetched from the Hub, once. Size and licence are printed before.
* a path to the folder (or, where the weights are a single file, to the file).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robustvos.errors import CheckpointNotFound

WEIGHTS_VARIABLE = "ROBUSTVOS_WEIGHTS"
HUB = "hf://"
_HUB_TIMEOUT_S = 5.0  # for its first answer; downloads themselves retry for half a minute


@dataclass(frozen=True)
class Published:
    """Weights that their authors publish on Hugging Face.

    Attributes:
        title: What people call them.
        hub_id: ``owner/name``.
        files: Files that loading needs.
        megabytes: Size of all of them, rounded.
        licence: Of the weights, as their authors state it.
        folder: Name of the folder that holds the files, inside a weights folder; empty where it is the weights folder itself.
    """

    title: str
    hub_id: str
    files: tuple[str, ...]
    megabytes: int
    licence: str
    folder: str = ""

    @property
    def terms(self) -> str:
        """Size and licence, e.g. ``99 MB, Apache-2.0``."""
        return f"{self.megabytes} MB, {self.licence}"


def find_published(checkpoint: str, published: Published) -> Path:
    """The folder that holds all files of ``published``.

    Args:
        checkpoint: ``auto``, ``hf://OWNER/NAME`` or a path; see above.
        published: Which files are needed.

    Raises:
        CheckpointNotFound: Saying where was looked, which files are missing, their size and licence, and where to put them.
    """
    if checkpoint.startswith(HUB):
        return _fetch(checkpoint.removeprefix(HUB).strip("/"), published)
    if checkpoint == "auto":
        places = [folder / published.folder for folder in weight_folders()]
        cached = _cached(published.hub_id, published.files)
        found = [*places, *([cached] if cached else [])]
    else:
        path = Path(checkpoint).expanduser()
        found = places = [path.parent if path.is_file() and path.name in published.files else path]
    for place in found:
        if all((place / name).is_file() for name in published.files):
            return place
    raise CheckpointNotFound(_missing(published, places))


def weight_folders() -> list[Path]:
    """Where weights are looked for: ``$ROBUSTVOS_WEIGHTS`` if it is set, then ``./checkpoints``."""
    named = os.environ.get(WEIGHTS_VARIABLE)
    return [*([Path(named).expanduser()] if named else []), Path("checkpoints")]


def _missing(published: Published, places: Sequence[Path]) -> str:
    nearest = max(places, key=lambda place: sum((place / name).is_file() for name in published.files))
    lacking = [name for name in published.files if not (nearest / name).is_file()]
    target = Path("checkpoints") / published.folder
    return (
        f"no weights of {published.title}: looked for {', '.join(published.files)} in {', '.join(map(str, places))} "
        f"(missing: {', '.join(lacking)}); fetch them ({published.terms}) from https://huggingface.co/{published.hub_id} "
        f"into {target}, or let them be fetched with checkpoint: {HUB}{published.hub_id}"
    )


def _cached(repository: str, files: Sequence[str]) -> Path | None:
    """The folder of Hugging Face's cache that holds ``files``, if it holds all of them."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repository, name) for name in files]
    paths = [Path(path) for path in found if isinstance(path, str)]
    return paths[0].parent if len(paths) == len(files) else None


def _fetch(repository: str, published: Published) -> Path:
    if cached := _cached(repository, published.files):
        return cached
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    try:
        sizes = [
            get_hf_file_metadata(hf_hub_url(repository, name), timeout=_HUB_TIMEOUT_S).size for name in published.files
        ]
        megabytes = round(sum(size or 0 for size in sizes) / 1e6)
        licence = published.licence if repository == published.hub_id else "licence: see its page"
        print(f"fetching {repository} ({megabytes} MB, {licence}) from Hugging Face", file=sys.stderr)
        paths = [Path(hf_hub_download(repo_id=repository, filename=name)) for name in published.files]
    except Exception as error:  # of the network, the Hub, the disk: all end in the same advice
        places = [folder / published.folder for folder in weight_folders()]
        raise CheckpointNotFound(
            f"could not fetch {', '.join(published.files)} from Hugging Face '{repository}' ({type(error).__name__}); "
            f"put the files ({published.terms}, https://huggingface.co/{published.hub_id}) into "
            f"{' or '.join(map(str, places))}, and set checkpoint: auto"
        ) from error
    return paths[0].parent
