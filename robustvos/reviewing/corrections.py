"""Corrected masks of a track: ``<root>/corrections/<key>.npz``, which the stages after ``discover`` read in place of its own.

Each change is on disk before the call returns, in one step. Only what was made of the track is made again by the next run.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustvos.errors import BadPrompt, DataNotFound, UserError
from robustvos.files.manifest import locked
from robustvos.files.stage import open_results
from robustvos.realvas.align import shot_of_track
from robustvos.realvas.difference import changed_with_effects, keep_components
from robustvos.realvas.discover import with_effects
from robustvos.realvas.motion import track_path
from robustvos.realvas.shots import Shot, read_shots
from robustvos.realvas.split import split_object
from robustvos.realvas.tracks import CORRECTIONS, Track, read_track, touches_border, write_track
from robustvos.seeding import derive_seed

_AROUND = 5  # samples before and after a track that may be given a mask


@dataclass(frozen=True)
class TrackView:
    """A track as it may be corrected.

    Attributes:
        key: Of the track.
        shot: Whose it is.
        track: With what was corrected so far.
        times: Frames of the shot that may be looked at: the track's samples and some around.
    """

    key: str
    shot: Shot
    track: Track
    times: tuple[int, ...]

    def mask(self, t: int) -> np.ndarray:
        """``(H, W)`` bool at the analysis size; empty where the object has none."""
        found = np.flatnonzero(self.track.frames == t)
        return self.track.objects[found[0]] if len(found) else np.zeros(self.shot.small_size, bool)

    def region(self, t: int) -> np.ndarray:
        """The same with shadow and reflection."""
        found = np.flatnonzero(self.track.frames == t)
        return self.track.regions[found[0]] if len(found) else np.zeros(self.shot.small_size, bool)


class Corrector:
    """Opens and corrects the tracks of a run; its methods may be called from any thread.

    Args:
        root: Folder of the run.

    Raises:
        DataNotFound: If ``discover`` was not run there.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self.keys = tuple(result.key for result in open_results(self.root, "discover", complete=False).kept)
        self._shots = read_shots(self.root)
        self._reading = threading.RLock()  # decoders are for one thread
        self._past: dict[str, list[bytes | None]] = {}

    def open(self, key: str) -> TrackView:
        """A track as it is now.

        Raises:
            DataNotFound: If there is none of that key.
        """
        if key not in self.keys:
            raise DataNotFound(f"there is no track {key}")
        shot = self._shots[shot_of_track(key)]
        own = read_track(self.root / "nothing", self._path(key), key)
        step = int(np.diff(own.frames).min()) if len(own.frames) > 1 else 1
        first, last = int(own.frames[0]) - _AROUND * step, int(own.frames[-1]) + _AROUND * step
        times = tuple(t for t in range(first, last + 1, step) if 0 <= t < shot.length)
        return TrackView(key, shot, read_track(self.root, self._path(key), key), times)

    def picture(self, key: str, t: int) -> np.ndarray:
        """Frame ``t`` of the track's shot at the analysis size, ``(H, W, 3)`` uint8.

        Raises:
            DataNotFound: If there is no such track or frame.
        """
        view = self.open(key)
        if t not in view.times:
            raise DataNotFound(f"{key} has no frame {t}")
        with self._reading:
            return next(iter(view.shot.small([t])))

    def set_mask(
        self,
        key: str,
        t: int,
        change: Callable[[TrackView, np.ndarray], np.ndarray],
        effects: np.ndarray | None = None,
    ) -> None:
        """Change the mask of a frame.

        Args:
            key: Of the track.
            t: Frame of the shot.
            change: Gets the track and the mask as it is, gives the new one.
            effects: ``(H, W)`` bool, shadow and reflection that come with it.

        Raises:
            DataNotFound: If there is no such track or frame.
            UserError: If it cannot be written.
        """
        with self._changing(key):
            view = self.open(key)
            if t not in view.times:
                raise DataNotFound(f"{key} has no frame {t}")
            before = view.mask(t)
            after = change(view, before.copy())
            region = (view.region(t) & ~(before & ~after)) | after
            region = region if effects is None else region | effects
            self._write(key, [(t, after, region if after.any() else after)])

    def delete(self, key: str, t: int | None = None) -> None:
        """Delete the mask of a frame, or (None) the whole track."""
        view = self.open(key)
        if t is not None:
            self.set_mask(key, t, lambda _, mask: np.zeros_like(mask))
            return
        empty = np.zeros(view.shot.small_size, bool)
        with self._changing(key):
            self._write(key, [(int(frame), empty, empty) for frame in view.track.frames])

    def add_at(self, key: str, t: int, x: float, y: float) -> None:
        """Add the changed region at a point, which is what differs there from the clean plate.

        Raises:
            BadPrompt: If nothing differs there.
        """
        view, picture = self.open(key), self.picture(key, t)
        plate, row, column = view.shot.small_plate, round(y), round(x)
        changed, everything = changed_with_effects(picture, plate, view.shot.small_noise)
        near = np.zeros_like(changed)
        near[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = True
        if not (near & changed).any():
            raise BadPrompt("nothing differs from the empty scene there; use the brush")
        whole = with_effects(keep_components(changed, touching=near & changed), everything)
        found = split_object(picture, plate, whole, derive_seed("click", key, t))
        self.set_mask(key, t, lambda _, mask: mask | found, whole)

    def undo(self, key: str) -> bool:
        """Take the last change of this session back; whether there was one."""
        past = self._past.get(key, [])
        if not past:
            return False
        content, target = past.pop(), self._target(key)
        with locked(self._lock(key)):
            if content is None:
                target.unlink(missing_ok=True)
            else:
                _replace(target, lambda path: path.write_bytes(content))
        return True

    def corrected(self, key: str) -> tuple[int, ...]:
        """Frames that a person has corrected."""
        target = self._target(key)
        return tuple(int(t) for t in read_track(self.root / "nothing", target, key).frames) if target.exists() else ()

    @contextmanager
    def _changing(self, key: str) -> Iterator[None]:
        """Alone at a track's corrections, with what is there noted for undo."""
        with locked(self._lock(key)):
            target = self._target(key)
            before = target.read_bytes() if target.exists() else None
            yield
            self._past.setdefault(key, []).append(before)

    def _write(self, key: str, changed: list[tuple[int, np.ndarray, np.ndarray]]) -> None:
        target = self._target(key)
        held = {t: (mask, region) for t, mask, region in changed}
        if target.exists():
            old = read_track(self.root / "nothing", target, key)
            for k, t in enumerate(old.frames):
                held.setdefault(int(t), (old.objects[k], old.regions[k]))
        frames = sorted(held)
        objects = np.stack([held[t][0] for t in frames])
        made = Track(
            np.array(frames, np.int64),
            objects,
            np.stack([held[t][1] for t in frames]),
            np.zeros(len(frames), bool),
            np.array([touches_border(mask) for mask in objects]),
        )
        _replace(target, lambda path: write_track(made, path))

    def _path(self, key: str) -> Path:
        return track_path(self.root, shot_of_track(key), key)

    def _target(self, key: str) -> Path:
        return self.root / CORRECTIONS / f"{key}.npz"

    def _lock(self, key: str) -> Path:
        return self.root / CORRECTIONS / ".locks" / key


def _replace(target: Path, write: Callable[[Path], object]) -> None:
    """Write beside the target and rename; the name keeps its ending, without which NumPy adds one."""
    temporary = target.with_name(f".{uuid.uuid4().hex}.npz")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, target)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
