"""Shots with their tracks laid out on the samples: what pairs of tracks are judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustvos.realvas.align import sample_step, shot_of_track
from robustvos.realvas.depth_order import nearness_of
from robustvos.realvas.ground import Horizon, Standing, find_horizon, standing_of
from robustvos.realvas.motion import track_path
from robustvos.realvas.placed import Pairing, Placed, place
from robustvos.realvas.plugins import plugin
from robustvos.realvas.shots import Shot, read_shots
from robustvos.realvas.tracks import Track, read_track


@dataclass(frozen=True)
class Scene:
    """Some shots, with all their tracks but those that a person has deleted.

    Attributes:
        shots: By key.
        tracks: By key.
        horizons: Of each shot.
        nearness: Of each track at every sample from its first to its last; empty where no depth plugin is chosen.
    """

    shots: Mapping[str, Shot]
    tracks: Mapping[str, Placed]
    horizons: Mapping[str, Horizon]
    nearness: Mapping[str, np.ndarray]

    @classmethod
    def load(cls, root: Path, keys: Sequence[str], depth: str) -> Scene:
        """Read the tracks named by ``keys`` and their shots; ``depth`` is the chosen plugin."""
        shots = {key: shot for key, shot in read_shots(root).items() if key in {shot_of_track(k) for k in keys}}
        tracks: dict[str, Placed] = {}
        whole: dict[str, Track] = {}
        standings: dict[str, list[tuple[Track, Standing]]] = {}
        for key in keys:
            shot = shots[shot_of_track(key)]
            step = sample_step(root, shot.key)
            track = read_track(root, track_path(root, shot.key, key), key)
            if not len(track.frames):
                continue
            whole[key] = track
            standing = standing_of(track, shot.small_plate)
            tracks[key] = place(key, shot.key, shot.role, track, standing, step, (shot.length - 1) // step)
            standings.setdefault(shot.key, []).append((track, standing))
        horizons = {key: find_horizon(standings.get(key, []), shot.small_size[0]) for key, shot in shots.items()}
        nearness: dict[str, np.ndarray] = {}
        if plugin("depth", depth) is not None:
            for key, shot in shots.items():
                found = {name: read for name, read in whole.items() if shot_of_track(name) == key}
                for name, values in nearness_of(depth, shot, found).items():
                    places = found[name].frames // sample_step(root, key) - tracks[name].start
                    nearness[name] = np.full(len(tracks[name].masks), np.nan)
                    nearness[name][places] = values
        return cls(shots, tracks, horizons, nearness)

    def nearness_of(self, pairing: Pairing) -> tuple[np.ndarray, np.ndarray]:
        """Of both tracks of a pair, at the samples of the first."""
        behind, front = self.nearness[pairing.behind.key], self.nearness[pairing.front.key]
        return behind, pairing.front_at(front, np.nan)

    def others(self, track: Placed) -> list[Placed]:
        """Further tracks of a track's shot."""
        return [other for other in self.tracks.values() if other.shot == track.shot and other.key != track.key]
