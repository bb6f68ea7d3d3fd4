"""The first few videos of each condition: enough for people to look at."""

from __future__ import annotations

from collections import Counter

from robustvos.errors import UserError
from robustvos.types import Video

_TAGS = ("weather", "category")


class FirstVideos:
    """Says of each video, as it comes, whether it is among the first of its condition.

    A condition is a corruption, together with the weather and the category where the dataset tags its videos so.
    Datasets keep their order, so that every system shows the same videos; of several processes, each takes the first
    of its own share.

    Args:
        count: How many of each condition; 0 for none.
        owner: Who asks, for the error.

    Raises:
        UserError: If ``count`` is negative.
    """

    def __init__(self, count: int, owner: str) -> None:
        if count < 0:
            raise UserError(f"{owner}: per_condition is {count}; give 0 or more videos")
        self.count = count
        self._seen: Counter[tuple[str, ...]] = Counter()

    def reset(self) -> None:
        """Start to count anew."""
        self._seen.clear()

    def take(self, video: Video) -> bool:
        """Count ``video`` and say whether it is wanted; to be asked once a video."""
        condition = (video.corruption, *(video.tags.get(tag, "") for tag in _TAGS))
        self._seen[condition] += 1
        return self._seen[condition] <= self.count
