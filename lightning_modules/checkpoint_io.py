"""Checkpoints are written whole or not at all."""

from __future__ import annotations

import io
import os
from typing import Any

import torch
from lightning.fabric.utilities.cloud_io import _is_local_file_protocol
from lightning.pytorch.plugins.io import TorchCheckpointIO

from robustvos.files.atomic import atomic_path


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write beside the target and rename; Lightning's own copies from a temporary folder, and a kill leaves half a file.

    A checkpoint on a local or mounted file system appears under its name when all of it is on the disk. If there is no
    room, the former one stays. Remote stores (``s3://`` and the like) are left to Lightning.

    Raises:
        UserError: If the system refuses: read-only folder, full disk.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Save; see the class."""
        if not _is_local_file_protocol(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        buffer = io.BytesIO()  # torch's own writer answers a full disk with an error of its own, or aborts
        torch.save(checkpoint, buffer)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
