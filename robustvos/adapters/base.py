"""What every adapter is: something trained that is put on a frozen SAM 2, and can be taken off without a trace.

An adapter does not rebuild the model. It hangs hooks on named submodules, so that the model keeps its modules, its
state-dict keys and its class, and every trained tensor is registered in exactly one place:

* the adapter's own tensors in the adapter,
* the layer norms (or whatever else of the model is trained) in the model.

A training module that has the model as ``self.sam2`` and the adapter as ``self.adapter`` therefore counts each
parameter once, in its optimiser and in its ``state_dict()``; and :meth:`Adapter.adapter_state_dict` uses the same keys,
``adapter.*`` and ``sam2.*``: it is that state dict without the frozen part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from typing_extensions import Self

from robustvos.adapters.host import FrozenHost
from robustvos.adapters.state import load_tensors
from robustvos.adapters.targets import check_targets

_MARK = "_carried_adapter"


class Adapter(nn.Module, ABC):
    """Something trained on top of a frozen model.

    Life: ``adapter = MoGA(...).attach(model)``, after the model's weights are loaded and before the optimiser is made;
    train; ``adapter.adapter_state_dict()``. An adapter has no parameters until it is attached, because their shapes
    are the model's.

    Distributed training: what is put on memory attention takes no part in a step whose frames are all prompted (SAM 2
    tracks none of them), and layer norms of the prompt encoder only in steps with such prompts. Use
    ``find_unused_parameters=True`` where such batches occur.

    Attributes:
        anneals_tau: Whether a schedule may move its temperature ``tau`` in training; not where a fixed one is part of the
            method.

    Copying an attached adapter alone is not supported; a deep copy of a module that holds both adapter and model is.
    """

    anneals_tau: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._host: FrozenHost | None = None
        self._handles: list[RemovableHandle] = []

    @abstractmethod
    def targets(self, model: nn.Module) -> dict[str, type[nn.Module]]:
        """Names of the submodules that the adapter needs, and the type that each must have."""

    @abstractmethod
    def host_parameters(self, model: nn.Module) -> list[str]:
        """Names of the model's own parameters that are trained. Raises UserError if a wanted one does not exist."""

    @abstractmethod
    def install(self, model: nn.Module) -> list[RemovableHandle]:
        """Create the adapter's own modules with the model's shapes and hang the hooks; return the hooks' handles."""

    @abstractmethod
    def adds_nothing(self) -> bool:
        """Whether the adapter's own tensors leave every output as it is."""

    def function_settings(self) -> dict[str, Any]:
        """Settings that change what trained weights compute, beyond their shapes: weights fit only a system with the same."""
        return {}

    def check(self, model: nn.Module) -> None:
        """Refuse, with a UserError, a model that has the targets but cannot be adapted for another reason."""

    def attach(self, model: nn.Module) -> Self:
        """Put the adapter on ``model``: freeze it, unfreeze what is trained, hang the hooks.

        Everything is checked before the model is touched. The adapter takes over the model's train or eval mode.

        Raises:
            RuntimeError: If the adapter is attached already, or the model carries another one.
            UserError: If the model lacks a target, or has another type there; lists all of them.
        """
        if self._host is not None:
            raise RuntimeError(f"this {type(self).__name__} is attached already; detach() it first")
        if hasattr(model, _MARK):
            raise RuntimeError(f"the model carries a {getattr(model, _MARK)} already; detach() that first")
        check_targets(model, self.targets(model), type(self).__name__)
        self.check(model)
        self._host = FrozenHost(model, self.host_parameters(model))
        setattr(model, _MARK, type(self).__name__)
        try:
            self._handles = self.install(model)
        except BaseException:
            self.detach()
            raise
        return self.train(model.training)

    def detach(self) -> None:
        """Take the adapter off: the model is as it was before :meth:`attach`, values and ``requires_grad`` included.

        What was trained is forgotten; take :meth:`adapter_state_dict` first to keep it.
        """
        host = self._attached_host()
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._modules.clear()
        host.release()
        delattr(host.model, _MARK)
        self._host = None

    @property
    def is_attached(self) -> bool:
        """Whether a model carries the adapter."""
        return self._host is not None

    @property
    def enabled(self) -> bool:
        """Whether the adapter acts. Set it to False to see the base model: trained layer norms go back as well.

        Do not switch between a forward pass and its backward pass.
        """
        return self._host is not None and not self._host.shows_original

    @enabled.setter
    def enabled(self, value: bool) -> None:
        host = self._attached_host()
        if value:
            host.show_trained()
        else:
            host.show_original()

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Within this context the model is the base model."""
        before = self.enabled
        self.enabled = False
        try:
            yield
        finally:
            self.enabled = before

    def is_identity(self) -> bool:
        """Whether the adapter was never trained: it adds nothing, and no parameter of the model has changed."""
        return self._attached_host().is_as_before() and self.adds_nothing()

    def named_trainable_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every trained parameter: ``adapter.*`` the adapter's own, ``sam2.*`` the model's."""
        for name, parameter in self.named_parameters():
            yield f"adapter.{name}", parameter
        for name, parameter in self._attached_host().trained.items():
            yield f"sam2.{name}", parameter

    def trainable_parameters(self) -> Iterator[nn.Parameter]:
        """The same, without names."""
        return (parameter for _, parameter in self.named_trainable_parameters())

    def adapter_state_dict(self) -> dict[str, Tensor]:
        """Copies of all trained tensors, and of nothing else, under the names of :meth:`named_trainable_parameters`.

        What the adapter gathers without an optimiser, running means say, goes with them as ``adapter.*``.
        While the adapter is disabled these are still the trained values.
        """
        return {name: tensor.clone() for name, tensor in self.trained_tensors().items()}

    def load_adapter_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Load what :meth:`adapter_state_dict` gave; nothing is loaded unless all of it fits.

        Raises:
            CheckpointMismatch: If a key is missing or superfluous, or a shape differs (another rank, say).
        """
        load_tensors(self.trained_tensors(), state, type(self).__name__)

    def trained_tensors(self) -> dict[str, Tensor]:
        """What :meth:`adapter_state_dict` copies, itself."""
        parts = (*self.named_parameters(), *self.named_buffers())
        own = {f"adapter.{name}": tensor.detach() for name, tensor in parts}
        return own | {f"sam2.{name}": value for name, value in self._attached_host().trained_values().items()}

    def _attached_host(self) -> FrozenHost:
        if self._host is None:
            raise RuntimeError(f"this {type(self).__name__} is not attached; call attach(model) first")
        return self._host
