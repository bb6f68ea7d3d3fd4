"""What a run needs and has not got, weights and data alike, in one message instead of one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from jsonargparse import strip_meta

from robustvos.commands.loop_outputs import check_outputs
from robustvos.errors import CheckpointNotFound, DataNotFound
from robustvos.experiments.identity import Digest, identity_of
from robustvos.sam2.checkpoints import find_checkpoint
from robustvos.sam2.config import Sam2Config


def check_run(config: Any, subcommand: str | None) -> None:
    """Check the parsed settings of a training or evaluation loop: where it writes, and what it needs.

    Raises:
        UnsafePath: See :func:`robustvos.commands.loop_outputs.check_outputs`.
        UserError: See :func:`check_requirements`.
    """
    settings = strip_meta(config).as_dict()
    check_outputs(settings, str(subcommand))
    check_requirements(Sam2Config(**settings["sam2"]), settings.get("data"))


def run_identity(config: Mapping[str, Any], loop: str, digest: Digest | None = None) -> dict[str, Any]:
    """What decides the figures of a run, see :mod:`robustvos.experiments.identity`.

    Args:
        config: As the parser resolved it, in plain values.
        loop: ``fit``, ``test``, ...
        digest: Of files and folders, see there.
    """
    sam2 = Sam2Config(**config["sam2"])
    local = sam2.checkpoint == "auto" or Path(sam2.checkpoint).expanduser().is_file()  # nothing is fetched for this
    try:
        weights = find_checkpoint(sam2) if local else None
    except CheckpointNotFound:
        weights = None
    return identity_of(config, loop, weights, digest)


def check_requirements(sam2: Sam2Config, data: Mapping[str, Any] | None) -> None:
    """Raise before anything slow is built if weights or data are missing.

    Args:
        sam2: The base.
        data: The datamodule as configured, ``class_path`` and ``init_args``. If its class has a class method
            ``describe_missing(init_args) -> str | None``, that is asked; None: no data.

    Raises:
        CheckpointNotFound: If only the weights are missing.
        DataNotFound: If data are missing; names the weights too where both are.
    """
    weights = _missing_weights(sam2)
    files = _missing_data(data)
    if files is not None and weights is not None:
        raise DataNotFound(f"weights and data are missing: (1) {weights}; (2) {files}")
    if files is not None:
        raise DataNotFound(files)
    if weights is not None:
        raise CheckpointNotFound(weights)


def _missing_weights(sam2: Sam2Config) -> str | None:
    # A Hugging Face id would be fetched here; building the model does that, and reports it.
    if sam2.checkpoint != "auto":
        return None
    try:
        find_checkpoint(sam2)
    except CheckpointNotFound as error:
        return str(error)
    return None


def _missing_data(data: Mapping[str, Any] | None) -> str | None:
    if data is None:
        return None
    describe = getattr(resolve_name(data["class_path"]), "describe_missing", None)
    return None if describe is None else describe(data.get("init_args") or {})
