"""Which of a model's layer norms are trained."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from robustvos.errors import UserError

PRESETS: dict[str, tuple[str, ...]] = {
    "none": (),
    "image_encoder": ("image_encoder.*",),
    "memory_attention": ("memory_attention.*",),
    "all": ("*",),
}
"""Names that stand for patterns."""
AUTO = "auto"
"""The image encoder's, which the paper trains; those of memory attention where an image encoder has none, as a MobileNet's."""


def layer_norm_parameters(model: nn.Module, which: str | Sequence[str]) -> list[str]:
    """Names of the parameters of the layer norms that ``which`` picks.

    A layer norm is an ``nn.LayerNorm`` or SAM 2's channels-first ``LayerNorm2d`` (which the mask decoder, the mask
    prompt and the memory encoder have).

    Args:
        model: Any model; not changed.
        which: :data:`AUTO`, a name in :data:`PRESETS`, or shell patterns over module names, such as ``"sam_mask_decoder.*"``.

    Returns:
        Parameter names in the model's order, each once.

    Raises:
        UserError: If a pattern picks no layer norm.

    >>> layer_norm_parameters(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), "all")
    ['1.weight', '1.bias']
    """
    norms = {name: module for name, module in model.named_modules() if _is_layer_norm(module)}
    if which == AUTO:
        which = "image_encoder" if any(name.startswith("image_encoder.") for name in norms) else "memory_attention"
    patterns = PRESETS.get(which, (which,)) if isinstance(which, str) else tuple(which)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in norms):
            places = ", ".join(sorted({name.split(".")[0] for name in norms})) or "nowhere"
            raise UserError(
                f"layer_norms: no layer norm matches '{pattern}' in {type(model).__name__}, which has them in: "
                f"{places}; choose {', '.join([AUTO, *PRESETS])} or a pattern that matches"
            )
    chosen = [name for name in norms if any(fnmatchcase(name, pattern) for pattern in patterns)]
    return [f"{name}.{key}" for name in chosen for key, _ in norms[name].named_parameters(recurse=False)]


def _is_layer_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.LayerNorm) or type(module).__name__ == "LayerNorm2d"
