"""``cli.py export``: the trained weights of a run as safetensors with a model card, or in the MoGA release's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robustvos.commands.tool import run_tool
from robustvos.errors import UnknownName, UserError
from robustvos.files.naming import printable
from robustvos.files.paths import refuse_dataset_folders, refuse_inputs_as_output
from robustvos.program import next_command

_SUFFIXES = {"safetensors": ".safetensors", "release": ".pt"}


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(export, argv, positional=["ckpt"])


def export(
    ckpt: Path | None = None,
    out: Path | None = None,
    model: str | None = None,
    sam2: str | None = None,
    base: bool = False,
    format: str = "safetensors",
    onnx: bool = False,
    push: str | None = None,
    licence: str = "apache-2.0",
    half: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write the trained weights of a checkpoint to OUT.

    As safetensors they name the base they belong to, and a model card is written beside them. As a release, which only
    MoGARelease can be, they are a .pt with the whole SAM 2 under the names of the public MoGA code. With --onnx OUT is a
    folder for the image encoder and the memory attention, adapter included, as graphs; with --push nothing is written here.

      cli.py export --onnx --model moga --out onnx
      cli.py export runs/moga/version_0/checkpoints/last.ckpt --push OWNER/NAME

    Args:
        ckpt: A run's checkpoint, e.g. runs/NAME/version_0/checkpoints/last.ckpt; or one that was exported. With --onnx and
            --push by default what is shipped for --model.
        out: File to write, .safetensors or, of a release, .pt; not what is read.
        model: The system that was trained, a name in configs/model; by default as the run's config.yaml says.
        sam2: The base it was trained on, a name in configs/sam2; by default as the run's config.yaml says.
        base: The checkpoint is of a whole SAM 2 that was trained from scratch, not of an adapter.
        format: safetensors or release.
        onnx: Write image_encoder.onnx and memory_attention.onnx to the folder OUT instead.
        push: OWNER/NAME: put system and card on the Hugging Face Hub, where hf://OWNER/NAME loads it.
        licence: Of the weights that are pushed, as the Hub names it; in keeping with that of the training data.
        half: Write an adapter in half precision; a base always is.
        settings: Of system and base, one by one.
    """
    from robustvos.commands.exporting import (
        base_weights,
        export_adapter,
        export_base,
        export_graphs,
        export_release,
        push_system,
    )
    from robustvos.systems.loading import load_system

    of_files = {"--base": base, "--half": half, f"--format {format}": format != "safetensors"}
    if push is not None:
        _refuse("--push", of_files | {"--onnx": onnx, f"--out {out}": out is not None})
        push_system(load_system(model, sam2=sam2, checkpoint=ckpt, settings=settings), push, licence, ckpt)
        return
    if out is None:
        raise UserError(
            "nothing to write to: give --out FILE.safetensors, with --onnx --out FOLDER, or --push OWNER/NAME"
        )
    if onnx:
        _refuse("--onnx", of_files)
        export_graphs(load_system(model, sam2=sam2, checkpoint=ckpt, settings=settings), out, ckpt)
        return
    if ckpt is None:
        raise UserError("which weights? give a run's checkpoint, e.g. runs/NAME/version_0/checkpoints/last.ckpt")
    if format not in _SUFFIXES:
        raise UnknownName.of("format", format, _SUFFIXES)
    if out.suffix != _SUFFIXES[format]:
        raise UserError(f"--out {out} must end in {_SUFFIXES[format]} with --format {format}")
    if base and format == "release":
        raise UserError("--format release is of an adapter; leave out --base, or the format")
    refuse_dataset_folders(out)
    refuse_inputs_as_output(out, [ckpt, base_weights(model, sam2, ckpt)])
    if base:
        use = export_base(ckpt, out)
    else:
        system = load_system(model, sam2=sam2, checkpoint=ckpt, settings=settings)
        use = export_release(system, ckpt, out) if format == "release" else export_adapter(system, ckpt, out, half)
    print(f"{out}: {out.stat().st_size / 2**20:.2f} MiB")
    config = ckpt.parent.parent / "config.yaml"
    if config.is_file() and not (model or sam2 or settings or base):
        named = ["--config", str(config)]
    else:  # as they were typed, where they were
        named = ["--model", model if isinstance(model, str) else use[2]]
        named += ["--sam2", sam2 if isinstance(sam2, str) else use[4]]
    print(printable(next_command(use[0], *named, use[-1], out)))


def _refuse(kind: str, others: Mapping[str, bool]) -> None:
    """Refuse settings that would be ignored."""
    given = [setting for setting, is_given in others.items() if is_given]
    if given:
        raise UserError(f"{kind} takes no {given[0]}; leave one of them out")
