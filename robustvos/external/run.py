"""Run a system's own command on exported clips, in its own environment."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from robustvos.errors import DataNotFound, UserError
from robustvos.external.export import RECORD, read_export
from robustvos.external.recipe import Recipe
from robustvos.files.naming import list_folders, name_some

DRIVERS = Path(__file__).parent / "drivers"


def exported_clips(data: Path, recipe: Recipe) -> list[Path]:
    """Folders of the clips exported for a system.

    Raises:
        DataNotFound: If there is none.
        UserError: If one was exported for another system.
    """
    folders = [folder for folder in list_folders(data) if (folder / RECORD).is_file()] if data.is_dir() else []
    if not folders:
        raise DataNotFound(f"{data} holds no exported clips (<clip>/{RECORD}); run external export first")
    for folder in folders:
        system = read_export(folder)["system"]
        if system != recipe.name:
            raise UserError(
                f"{folder} was exported for {system}, not for {recipe.name}; name that system, or export again"
            )
    return folders


def words_of(command: Sequence[str], fields: Mapping[str, str], where: str) -> list[str]:
    """A command with its fields filled in. Raises UserError for a field that has no value."""
    try:
        return [word.format_map(fields) for word in command]
    except KeyError as error:
        name = error.args[0]
        raise UserError(f"the command of {where} needs a value for {{{name}}}: --set {name}=VALUE") from error


def run_system(recipe: Recipe, data: Path, out: Path, repo: Path, given: Mapping[str, str]) -> int:
    """Run it on every clip that has no output yet; what it prints goes to ``out/logs/<clip>.txt``.

    Returns:
        Number of clips run.

    Raises:
        UserError: If it has no command, a field has no value, the program is missing, or clips failed: exit status or no
            output.
    """
    if not recipe.commands:
        raise UserError(f"{recipe.name} has no usable command of its own: {recipe.remarks}")
    out.mkdir(parents=True, exist_ok=True)
    fields = {"python": "python", **given, "data": str(data.resolve()), "out": str(out.resolve())}
    fields |= {"repo": str(repo.resolve()), "drivers": str(DRIVERS)}
    folders = exported_clips(data, recipe)
    for command in recipe.commands:
        words_of(command, {**fields, "clip": ""}, recipe.name)
    todo = [folder for folder in folders if not any(out.glob(recipe.output.format(clip=folder.name)))]
    failed = []
    for folder in todo:
        log = out / "logs" / f"{folder.name}.txt"
        log.parent.mkdir(exist_ok=True)
        reason = _run_one(recipe, {**fields, "clip": folder.name}, repo, log)
        if not reason and not any(out.glob(recipe.output.format(clip=folder.name))):
            reason = f"left no {recipe.output.format(clip=folder.name)}"
        if reason:
            failed.append(f"{folder.name} ({reason})")
    if failed:
        raise UserError(f"{len(failed)} of {len(todo)} clips failed: {name_some(failed)}; see {out / 'logs'}")
    return len(todo)


def _run_one(recipe: Recipe, fields: Mapping[str, str], repo: Path, log: Path) -> str:
    """What went wrong; empty if nothing did."""
    with log.open("w", encoding="utf-8") as file:
        for command in recipe.commands:
            words = words_of(command, fields, recipe.name)
            try:
                status = subprocess.run(words, cwd=repo, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
            except OSError as error:
                raise UserError(
                    f"cannot start '{words[0]}' in {repo}: {error.strerror}; check --repo and --set"
                ) from error
            if status:
                return f"exit status {status}"
    return ""
