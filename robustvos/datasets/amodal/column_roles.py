"""What a column of a Hub dataset is taken for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from robustvos.errors import DataNotFound, UnknownName

ROLES = ("clip", "object", "index", "frame", "amodal", "modal", "category")
"""``object`` is taken for no column unless one is given: it tells the objects of one clip apart, each a clip of its own."""
_NEEDED = ("frame", "amodal", "modal")
_WORDS: dict[str, tuple[str, ...]] = {
    "amodal": ("amodal", "gt_mask", "gt", "whole", "full_mask"),
    "modal": ("visible", "modal", "vis_mask"),
    "index": ("frame_index", "frame_idx", "frame_id", "frame_number", "index", "t"),
    "category": ("category", "subset", "kind"),
    "clip": ("clip", "video_id", "video_name", "sequence", "clip_name", "name", "id"),
    "frame": ("frame", "image", "video", "rgb", "file_name"),
}


def roles_of(columns: Iterable[str], given: Mapping[str, str] | None, where: str) -> dict[str, str]:
    """Role to column: as ``given`` has it, else by the column's name; each column has one role.

    Raises:
        UnknownName: If ``given`` names a role or a column that is not there.
        DataNotFound: If frames or masks are not among the columns; says what was seen and how to set it.

    >>> roles_of(["clip", "frames", "gt_masks", "visible_masks"], None, "x")
    {'amodal': 'gt_masks', 'modal': 'visible_masks', 'clip': 'clip', 'frame': 'frames'}
    """
    names = list(columns)
    roles: dict[str, str] = {}
    for role, column in (given or {}).items():
        if role not in ROLES:
            raise UnknownName.of("role in --data.columns:", role, ROLES)
        if column not in names:
            raise UnknownName.of(f"column of {where}:", column, names)
        roles[role] = column
    for role, words in _WORDS.items():
        free = [name for name in names if name not in roles.values()]
        found = next((name for word in words for name in free if _is(name, word)), None)
        if role not in roles and found is not None:
            roles[role] = found
    lacking = [role for role in _NEEDED if role not in roles]
    if lacking:
        raise DataNotFound(
            f"{where}: no column was taken for {', '.join(lacking)}; it has {', '.join(names) or 'none'}; say which is what: "
            f"--data.columns '{{{', '.join(f'{role}: COLUMN' for role in lacking)}}}'"
        )
    return roles


def _is(column: str, word: str) -> bool:
    name = column.lower()
    if word == "modal" and "amodal" in name:
        return False
    return name == word or (len(word) > 3 and word in name)
