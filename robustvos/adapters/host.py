"""The frozen model that an adapter stands on: what is trained of it, and what it was before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


class FrozenHost:
    """Freeze a model but for some of its parameters, and remember how to put everything back.

    It is no module, so that an adapter that holds one does not register the model's parameters a second time.

    Args:
        model: The model; frozen at once.
        trained: Names of the parameters that stay trainable.

    Attributes:
        model: The model.
        trained: Those parameters, by name.
        shows_original: Whether they hold the values that they had when the model was frozen.
    """

    def __init__(self, model: nn.Module, trained: Iterable[str]) -> None:
        parameters = dict(model.named_parameters())
        self.model = model
        self.trained = {name: parameters[name] for name in trained}
        self.shows_original = False
        self._requires_grad = {name: p.requires_grad for name, p in parameters.items()}
        self._original = {name: p.detach().to("cpu", copy=True) for name, p in self.trained.items()}
        self._set_aside: dict[str, Tensor] = {}
        for name, parameter in parameters.items():
            parameter.requires_grad_(name in self.trained)

    def release(self) -> None:
        """Give every parameter the value and ``requires_grad`` that it had; forget what was trained."""
        self._write(self._original)
        self.shows_original = True
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(self._requires_grad[name])
        for parameter in self.trained.values():
            parameter.grad = None

    def keep(self) -> None:
        """Give every parameter the ``requires_grad`` that it had, and let the trained values stay."""
        self.show_trained()
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(self._requires_grad[name])
        for parameter in self.trained.values():
            parameter.grad = None

    def show_original(self) -> None:
        """Put the original values in place; the trained ones are set aside."""
        if not self.shows_original:
            self._set_aside = {name: p.detach().clone() for name, p in self.trained.items()}
            self._write(self._original)
            self.shows_original = True

    def show_trained(self) -> None:
        """Put the trained values back in place."""
        if self.shows_original:
            self._write(self._set_aside)
            self._set_aside = {}
            self.shows_original = False

    def trained_values(self) -> dict[str, Tensor]:
        """The trained values, whichever are in place; detached, not copied."""
        if self.shows_original:
            return dict(self._set_aside)
        return {name: p.detach() for name, p in self.trained.items()}

    def is_as_before(self) -> bool:
        """Whether no trained value differs from the original."""
        return all(torch.equal(value.cpu(), self._original[name]) for name, value in self.trained_values().items())

    def _write(self, values: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in values.items():
                self.trained[name].copy_(value)
