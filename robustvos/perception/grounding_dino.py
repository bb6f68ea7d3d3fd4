"""Grounding DINO: boxes of whatever is named in words."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import nms

from robustvos.errors import UserError
from robustvos.perception.detector import CLASSES, Detections, Detector
from robustvos.perception.frames import check_frame, to_pixels
from robustvos.perception.transformers_models import PublishedModel
from robustvos.perception.weights import Published

_FILES = ("config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json")


class GroundingDino(PublishedModel, Detector):
    """Grounding DINO by ``transformers``. Needs the extra ``perception`` and the weights below.

    The network answers with phrases of the text it was given, and merges classes that stand side by side. So classes are
    asked for in small groups, each answer is matched to a class of its group, and overlapping boxes of all groups are
    thinned whatever their class.

    Args:
        checkpoint: See :mod:`robustvos.perception.weights`.
        classes: What to look for.
        threshold: Lowest score of a box.
        text_threshold: Lowest score of a word to be part of a box's phrase.
        group: Classes in one question.
        overlap: IoU above which the worse of two boxes is dropped.
        device: Where it runs.

    Raises:
        UserError: If there are no classes, or ``group`` is below 1.

    Source: Liu et al., Grounding DINO, ECCV 2024.
    """

    name = "grounding_dino"
    weights = Published(
        "Grounding DINO base", "IDEA-Research/grounding-dino-base", _FILES, 934, "Apache-2.0", "grounding-dino-base"
    )
    processor_class, model_class = "GroundingDinoProcessor", "GroundingDinoForObjectDetection"

    def __init__(
        self,
        checkpoint: str = "auto",
        classes: Sequence[str] = CLASSES,
        threshold: float = 0.3,
        text_threshold: float = 0.25,
        group: int = 4,
        overlap: float = 0.7,
        device: str = "cpu",
    ) -> None:
        self.classes = tuple(name.strip().lower() for name in classes)
        if not self.classes or group < 1:
            raise UserError("grounding_dino needs at least one class, and at least one in a group")
        super().__init__(checkpoint=checkpoint, device=device)
        self.threshold, self.text_threshold = threshold, text_threshold
        self.group, self.overlap = group, overlap

    def detect(self, frame: Tensor) -> Detections:
        """Boxes, best first, without masks; see the base class."""
        check_frame(frame)
        self.load()
        found = [
            self._ask(frame, self.classes[first : first + self.group])
            for first in range(0, len(self.classes), self.group)
        ]
        boxes, scores = torch.cat([one.boxes for one in found]), torch.cat([one.scores for one in found])
        labels = [label for one in found for label in one.labels]
        kept = nms(boxes, scores, self.overlap)  # in order of score
        return Detections(boxes[kept], scores[kept], tuple(labels[index] for index in kept.tolist()))

    def _ask(self, frame: Tensor, classes: Sequence[str]) -> Detections:
        height, width = frame.shape[-2:]
        text = " ".join(f"{name}." for name in classes)
        inputs = self._processor(images=to_pixels(frame), text=text, return_tensors="pt").to(self.device)
        with torch.inference_mode():
            outputs = self._model(**inputs)
        (answer,) = self._processor.post_process_grounded_object_detection(
            outputs,
            inputs["input_ids"],
            threshold=self.threshold,
            text_threshold=self.text_threshold,
            target_sizes=[(height, width)],
        )
        named = [class_of(phrase, classes) for phrase in answer["text_labels"]]
        kept = [index for index, name in enumerate(named) if name is not None]
        limits = torch.tensor([width, height, width, height], dtype=torch.float32)
        boxes = answer["boxes"].float().cpu()[kept].reshape(-1, 4)
        return Detections(
            boxes.clamp(min=0.0).minimum(limits),
            answer["scores"].float().cpu()[kept],
            tuple(name for name in named if name is not None),
        )


def class_of(phrase: str, classes: Sequence[str]) -> str | None:
    """The class that a phrase of the answer means: the one that shares the largest part of its words; None if none does.

    >>> class_of("shopping cart", ["car", "shopping cart"]), class_of("cart", ["car", "shopping cart"]), class_of("", ["car"])
    ('shopping cart', 'shopping cart', None)
    """
    words = set(phrase.lower().replace(".", " ").split())
    shares = {name: len(words & set(name.split())) / len(words | set(name.split())) for name in classes}
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] > 0 else None
