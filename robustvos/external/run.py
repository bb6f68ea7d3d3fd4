"""Run a system's own command on exported clips, in its own environment."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from robustvos.errors import DataNotFound, UserError
from robustvos.external.export import RECORD, read_export
from robustvos.external.outputs import find_output
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

    Where it has come to its end and left something, ``out/logs/<clip>.done`` stands: what a command leaves that fails or is
    killed does not count, and the clip is run again. Output without a log was put there by hand, and counts.

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
    todo = [folder for folder in folders if not _is_done(recipe, out, folder.name)]
    failed = []
    for folder in todo:
        log, done = _log(out, folder.name), _done(out, folder.name)
        log.parent.mkdir(exist_ok=True)
        done.unlink(missing_ok=True)
        reason = _run_one(recipe, {**fields, "clip": folder.name}, repo, log)
        if not reason and not find_output(out, recipe, folder.name):
            reason = f"left no {recipe.output.format(clip=folder.name)}"
        if reason:
            failed.append(f"{folder.name} ({reason})")
        else:
            done.touch()
    if failed:
        raise UserError(f"{len(failed)} of {len(todo)} clips failed: {name_some(failed)}; see {out / 'logs'}")
    return len(todo)


def _log(out: Path, clip: str) -> Path:
    return out / "logs" / f"{clip}.txt"


def _done(out: Path, clip: str) -> Path:
    return out / "logs" / f"{clip}.done"


def _is_done(recipe: Recipe, out: Path, clip: str) -> bool:
    """Whether there is output of a command that has ended well, or that was never run here."""
    was_run = _log(out, clip).exists()
    return bool(find_output(out, recipe, clip)) and (_done(out, clip).exists() or not was_run)


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
