"""The folder of a run: ``runs/<name>/version_N``, each for one run alone."""

from __future__ import annotations

import os
from pathlib import Path

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from robustvos.errors import UserError
from robustvos.files.atomic import atomic_write_text
from robustvos.termination import JOB_FILE, slurm_job


class RunLogger(TensorBoardLogger):
    """TensorBoard's events in a folder that no other run has: of two that start at once, the second takes the next number.

    Under SLURM the folder also says which job made it (:data:`robustvos.termination.JOB_FILE`).
    """

    def _get_next_version(self) -> int:
        number = super()._get_next_version()
        if rank_zero_only.rank != 0:  # the first process claims, and all of them ask it
            return number
        try:
            Path(self.root_dir).mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise UserError(
                f"{self.root_dir} is a file, but the run needs a folder there; choose another --run"
            ) from error
        while True:
            folder = Path(self.root_dir) / f"version_{number}"
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
                continue
            if job := slurm_job(os.environ):
                atomic_write_text(folder / JOB_FILE, job)
            return number
