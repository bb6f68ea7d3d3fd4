"""Weights on the Hugging Face Hub: size and licence are named before anything is fetched or pushed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robustvos.errors import CheckpointNotFound, UserError

HUB = "hf://"
_TIMEOUT_S = 5.0  # for its first answer


def repository_of(name: str) -> str:
    """``OWNER/NAME`` of ``hf://OWNER/NAME``, or of that alone.

    >>> repository_of("hf://facebook/sam2-hiera-tiny")
    'facebook/sam2-hiera-tiny'
    """
    return name.removeprefix(HUB)


def announce(repository: str, filename: str) -> None:
    """Say how large a file is and under what licence, or let the Hub's error through if it does not answer."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, model_info

    size = get_hf_file_metadata(hf_hub_url(repository, filename), timeout=_TIMEOUT_S).size
    licence = _licence(model_info(repository, timeout=_TIMEOUT_S))
    print(f"fetching {filename} of {HUB}{repository} ({_megabytes(size)}, licence {licence})", flush=True)


def fetch_file(repository: str, filenames: Sequence[str]) -> Path:
    """The first of some files that a repository has: from the local cache, else from the net.

    Raises:
        CheckpointNotFound: In one line, if it has none of them or does not answer.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError

    for name in filenames:
        cached = try_to_load_from_cache(repository, name)
        if isinstance(cached, str):
            return Path(cached)
    for name in filenames:
        try:
            announce(repository, name)
            return Path(hf_hub_download(repo_id=repository, filename=name))
        except EntryNotFoundError:
            continue
        except Exception as error:
            raise CheckpointNotFound(
                f"could not fetch {name} of {HUB}{repository} ({type(error).__name__}); check the name and the network"
            ) from error
    raise CheckpointNotFound(f"{HUB}{repository} has none of {', '.join(filenames)}; check the name")


def push_folder(folder: Path, repository: str, licence: str) -> str:
    """Put a folder on the Hub as ``OWNER/NAME``; returns its ``hf://`` name.

    Raises:
        UserError: In one line, if the name has not that form, nobody is logged in, or the Hub does not answer.
    """
    from huggingface_hub import HfApi

    name = repository_of(repository)
    if len(name.split("/")) != 2 or not all(name.split("/")):
        raise UserError(f"--push {repository}: the form is OWNER/NAME")
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"pushing {_megabytes(size)} to {HUB}{name}, licence {licence}", flush=True)
    try:
        hub = HfApi()
        hub.create_repo(name, exist_ok=True)
        hub.upload_folder(repo_id=name, folder_path=str(folder))
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"nothing was pushed to {HUB}{name} ({type(error).__name__}: {reason}); log in with `hf auth login`, and check "
            "the network"
        ) from error
    return f"{HUB}{name}"


def _licence(info: Any) -> str:
    card = getattr(info, "card_data", None)
    return str((card or {}).get("license") or "not stated")


def _megabytes(size: int | None) -> str:
    return "size not stated" if size is None else f"{size / 1e6:.1f} MB"
