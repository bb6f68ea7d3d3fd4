"""Datasets on the Hugging Face Hub: what they are is said before they are fetched, and once fetched they need no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from robustvos.datasets.published_sets import PUBLISHED, PublishedSet
from robustvos.errors import DataNotFound
from robustvos.optional import require

HUB = "hf:/"
"""How an address begins, once ``hf://owner/name`` has passed for a path."""


def is_on_hub(root: Path | str) -> bool:
    """Whether a root is an address on the Hub.

    >>> is_on_hub("hf://fhudson96/Real-VAS"), is_on_hub(Path("hf://fhudson96/Real-VAS")), is_on_hub("data/Real-VAS")
    (True, True, False)
    """
    return str(root).startswith(HUB)


def fetch(address: str) -> Path:
    """The folder of a dataset's snapshot in the Hub's own cache (``$HF_HOME``); what is there already is not fetched again.

    Name, number of files, size and licence are printed before anything is fetched.

    Args:
        address: ``hf://owner/name``.

    Raises:
        DataNotFound: In one line, if it cannot be had whole: no such set, terms that are not accepted, no network.
        MissingExtra: If huggingface_hub is not installed.
    """
    hub = require("huggingface_hub", "hub")
    repository = address.split(":", 1)[1].strip("/")
    card = next((card for card in PUBLISHED.values() if card.hub.lower() == repository.lower()), None)
    if repository.count("/") != 1:
        raise DataNotFound(f"{address}: a dataset on the Hub is named hf://owner/name, e.g. hf://{_example()}")
    try:
        info = hub.HfApi().dataset_info(repository, files_metadata=True, timeout=10.0)
    except Exception as error:
        return _from_cache(hub, repository, card, error)
    print(_announcement(info, repository, card), flush=True)
    try:
        return Path(hub.snapshot_download(repository, repo_type="dataset"))
    except Exception as error:
        raise DataNotFound(
            f"hf://{repository} is fetched in part ({_reason(error)}); the same command goes on from there"
        ) from error


def _announcement(info: Any, repository: str, card: PublishedSet | None) -> str:
    files = info.siblings or ()
    megabytes = sum(file.size or 0 for file in files) / 1e6
    size = f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.1f} MB"
    licence = (info.card_data or {}).get("license") or (card.licence if card else "") or "not stated"
    return f"hf://{repository}: {len(files)} files, {size}, licence {licence}; fetching what is not here yet"


def _from_cache(hub: Any, repository: str, card: PublishedSet | None, error: Exception) -> Path:
    """What an earlier call has fetched whole."""
    try:
        folder = Path(hub.snapshot_download(repository, repo_type="dataset", local_files_only=True))
    except Exception:
        about = f" ({card})" if card else ""
        raise DataNotFound(
            f"could not fetch hf://{repository}{about}: {_reason(error)}; or give the folder of a copy: --data.root FOLDER"
        ) from error
    print(f"hf://{repository}: not asked for news ({_reason(error)}); taken as it was fetched before", flush=True)
    return folder


def _reason(error: Exception) -> str:
    """Why, and what helps, in a few words; the Hub's own text runs over many lines."""
    name = type(error).__name__
    if name == "GatedRepoError":
        return "its terms are to be accepted on its page first, then `hf auth login`"
    if name in ("RepositoryNotFoundError", "HFValidationError"):
        return "the Hub knows no such dataset; check the name, or `hf auth login` if it is private"
    if name in (
        "OfflineModeIsEnabled",
        "ConnectError",
        "ConnectTimeout",
        "ReadTimeout",
        "ConnectionError",
        "ProxyError",
    ):
        return f"no way to the Hub ({name}); try again with a network"
    return name


def _example() -> str:
    return PUBLISHED["realvas"].hub
