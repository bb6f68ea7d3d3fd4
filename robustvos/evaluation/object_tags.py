"""Tags of a video that belong to one of its objects alone."""

from __future__ import annotations

from collections.abc import Mapping


def tags_of_object(tags: Mapping[str, str], object_id: int) -> dict[str, str]:
    """What the results of one object are grouped by.

    Args:
        tags: Tags of the video. A name that ends in a colon and an id, as ``class:5``, is the tag ``class`` of that
            object alone, and stands above a tag ``class`` of the whole video.
        object_id: The object.

    >>> tags_of_object({"weather": "fog", "class:5": "pole", "class:13": "car"}, 13)
    {'weather': 'fog', 'class': 'car'}
    """
    shared: dict[str, str] = {}
    own: dict[str, str] = {}
    for name, value in tags.items():
        tag, _, owner = name.rpartition(":")
        if not owner.isdecimal():
            shared[name] = value
        elif int(owner) == object_id:
            own[tag] = value
    return {**shared, **own}
