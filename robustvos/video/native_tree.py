"""Names in the native format of Real-VAS; see :mod:`robustvos.video.native`."""

from __future__ import annotations

FRAMES, AMODAL, MODAL, ANNOTATIONS = "frames", "gt_masks", "visible_masks", "annos.json"
QUERY_ID = 1
ANNOTATED, SOME_FRAMES = "annotated", "some frames"
"""What ``annos.json`` says where only some frames have masks, on purpose: those with a whole mask are scored."""
