"""What each reason of the funnel means to the person whose videos these are, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping

from robustvos.files.stage import StageResults

MEANINGS: Mapping[str, str] = {
    # ingest
    "unreadable": "no decoder reads this file; play it, or convert it",
    "short shot": "between two cuts lies too little video to know the empty scene",
    "small frame": "the picture has too few pixels for masks",
    "moving camera": "few features of the scene stay where they are; clips are made of cameras that stand still",
    "undecided camera": "it stands still behind what moves, or sways: look, then say --assume_static or --stabilise",
    "stabilisation leaves too little": "the camera sways so far that hardly any of the scene is in every frame",
    # discover
    "small object": "it covers too few pixels for a mask to be right",
    "never reveals the scene": "what is behind it is never seen, as with people who stay; film the empty scene, too",
    "burnt into the plate": "it stood still for so long that it counts as the scene",
    "shadow without object": "it is no more than the scene in another light",
    # motion
    "not dynamic": "it hardly moves",
    "deleted": "a person has deleted its track in review",
    # align
    "not one view": "the two shots do not show one view in one light",
    # filter
    "order undecided": "both stand at the same height of the picture, so that nothing says who is in front",
    "order changes": "now the one stands nearer, now the other",
    "on top": "the two would stand in one place",
    "external occlusion": "something else, not the chosen occluder, hides part of one of them",
    "merged regions": "the occludee cannot be told apart from what it touches just where it would be hidden",
    "occludee lost": "the occludee is not seen in its own recording just where it would be hidden",
    "no clean start": "the occludee is at no moment before the occlusion wholly in the picture and uncovered",
    "same frames twice": "occludee and occluder would be taken out of the same frames",
    "too little occlusion": "the occluder hides too little of the occludee, or too briefly",
    "short": "what can be used is shorter than a clip",
    "like another": "a better clip shows nearly the same",
    "beyond the number": "there are better candidates than this, as many as are kept",
    "no overlap": "the two do not meet",
    # combine
    "no frames in common": "no stretch of frames holds the passages of all these occluders",
    "one occluder twice": "an occluder would be taken out of the same frames twice",
    "order of occluders undecided": "the occluders stand at the same height of the picture: nothing says who is nearer",
    "order of occluders changes": "now the one occluder stands nearer, now the other",
    "occluders on top": "the occluders would stand in one place",
    # propagate, composite
    "lost at native rate": "its mask was not found in the frames between the samples",
    "no clean start at native rate": "seen frame by frame, the occludee is never whole and uncovered for long enough",
    "too little occlusion at native rate": "seen frame by frame, too little of the occludee is hidden",
    "occluders meet at native rate": "between the samples the occluders overlap, and nothing says who is nearer",
    "truth not to be trusted": "the occludee's mask jumps, or is merged with something else, in too many frames",
    # contain
    "one frame": "there is no video after the prompt",
    "prompt outside the video": "a prompt names a frame that the video does not have",
    "rest frame outside the video": "rest_frame is no frame of the video",
    "prompt does not fit": "a prompt names a place or mask that does not fit the frame",
    "object not found": "the prompt gave no mask; mark the object again",
    "never fully hidden": "part of the object is seen to the end: the container does not close, or stands behind it",
    "object cut by the frame": "the object is never whole in the picture before it is hidden",
    "not hidden at rest": "the object is seen on the rest frame; name a later one",
    "carrier lost before rest": "what carries the object could not be followed to the rest frame; mark it there",
    "camera lost before rest": "the camera's motion is not known up to the rest frame",
    "too short": "too few frames are left for a clip",
}
"""A sentence each, without its full stop."""
_NOTHING: Mapping[str, str] = {
    "ingest": "no video was given",
    "discover": "nothing differs from the empty scene for a second or more",
    "align": "no two objects, nor one at two times, pass over the same place",
}


def why_nothing(results: Mapping[str, StageResults]) -> list[str]:
    """Lines that say why a run made no clip: each reason once, with its count and meaning, in the order of the stages.

    Args:
        results: Of the stages that have run, in order.
    """
    lines = []
    for stage, found in results.items():
        if stage == "combine" or (stage == "contain" and not found.results):
            continue
        counts: dict[str, int] = {}
        for rejected in found.rejected:
            counts[str(rejected.reason)] = counts.get(str(rejected.reason), 0) + 1
        lines += [f"   {count} x {reason}: {meaning(reason)}" for reason, count in counts.items()]
        if not found.kept and not found.missing:
            return lines or [f"   {_NOTHING.get(stage, f'{stage} found nothing')}"]
    return lines


def meaning(reason: str | None) -> str:
    """The sentence; the reason itself where it has none, as those of plugins."""
    return MEANINGS.get(str(reason), str(reason))
