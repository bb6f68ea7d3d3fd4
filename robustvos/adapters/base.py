"""What every adapter is: something trained that is put on a frozen SAM 2, and can be taken off without a trace.

An adapter does not rebuild the model. It registers hooks on named submodules, so that the model keeps its modules, its
state-dict keys and its class, and every trained tensor is registered in exactly one place:

* the adapter's own tensors in the adapter,
* the layer norms (or whatever else of the model is trained) in the model.

A training module that has the model as ``self.sam2`` and the adapter as ``self.adapter`` therefore counts each
parameter once, in its optimiser and in its ``state_dict()``; and :meth:`Adapter.adapter_state_dict` uses the same keys,
``adapter.*`` and ``sam2.*``: it is that state dict without the frozen part.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from typing_extensions import Self

from robustvos.adapters.host import FrozenHost
from robustvos.adapters.motion import MotionCue
from robustvos.errors import CheckpointMismatch, UserError
from robustvos.program import program
from robustvos.state_dicts import differences, listed

_MARK = "_carried_adapter"


class Adapter(nn.Module, ABC):
    """Something trained on top of a frozen model.

    Life: ``adapter = MoGA(...).attach(model)``, after the model's weights are loaded and before the optimiser is made;
    train; ``adapter.adapter_state_dict()``. An adapter has no parameters until it is attached, because their shapes
    are the model's.

    Distributed training: what is put on memory attention takes no part in a step whose frames are all prompted (SAM 2
    tracks none of them), and layer norms of the prompt encoder only in steps with such prompts. Use
    ``find_unused_parameters=True`` where such batches occur.

    Copying an attached adapter alone is not supported; a deep copy of a module that holds both adapter and model is.
    """

    def __init__(self) -> None:
        super().__init__()
        self._host: FrozenHost | None = None
        self._handles: list[RemovableHandle] = []
        self.motion = False

    @abstractmethod
    def targets(self, model: nn.Module) -> dict[str, type[nn.Module]]:
        """Names of the submodules that the adapter needs, and the type that each must have."""

    @abstractmethod
    def host_parameters(self, model: nn.Module) -> list[str]:
        """Names of the model's own parameters that are trained. Raises UserError if a wanted one does not exist."""

    @abstractmethod
    def install(self, model: nn.Module) -> list[RemovableHandle]:
        """Create the adapter's own modules with the model's shapes and register the hooks; return the hooks' handles."""

    @abstractmethod
    def adds_nothing(self) -> bool:
        """Whether the adapter's own tensors leave every output as it is."""

    @property
    def cue(self) -> MotionCue | None:
        """The motion cue, if there is one and the adapter is attached."""
        cue = self._modules.get("motion_cue")
        return cue if isinstance(cue, MotionCue) else None

    def install_motion(self, model: nn.Module) -> list[RemovableHandle]:
        """For :meth:`install`: the motion cue, if ``motion`` asks for one; its handles."""
        if not self.motion:
            return []
        self.motion_cue = MotionCue.beside(model)
        return self.motion_cue.install(model, self._acts)

    def _acts(self) -> bool:
        return self.enabled

    def moves_nothing(self) -> bool:
        """For :meth:`adds_nothing`: whether there is no motion cue, or it was never trained."""
        return self.cue is None or self.cue.adds_nothing()

    def function_settings(self) -> dict[str, Any]:
        """Settings that change what trained weights compute, beyond their shapes: weights fit only a system with the same."""
        return {}

    def check(self, model: nn.Module) -> None:
        """Refuse, with a UserError, a model that has the targets but cannot be adapted for another reason."""

    def attach(self, model: nn.Module) -> Self:
        """Put the adapter on ``model``: freeze it, unfreeze what is trained, register the hooks.

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
        self._attached_host().release()
        self._let_go()

    def merge(self) -> nn.Module:
        """Write what was trained into the model itself and take the adapter off: the model then computes alone what both did.

        For adapters whose update is the same whatever is tracked. The model's parameters are trained or frozen again as
        they were before :meth:`attach`; it is another base now, whose weights have another hash.

        Returns:
            The model.

        Raises:
            UserError: If the update depends on what is tracked, as that of open gates does; nothing is changed then.
        """
        host = self._attached_host()
        changed = self.merged_weights()
        host.show_trained()
        with torch.no_grad():
            for parameter, value in changed:
                parameter.copy_(value)
        host.keep()
        self._let_go()
        return host.model

    def merged_weights(self) -> list[tuple[nn.Parameter, Tensor]]:
        """Parameters of the model that the adapter's own tensors change, and what each becomes.

        Raises:
            UserError: If there is no such thing.
        """
        if any(True for _ in self.parameters()):
            raise UserError(
                f"{type(self).__name__} cannot be merged: what it adds depends on what is tracked; keep the adapter beside "
                "the model, or train LoRA"
            )
        return []

    def _let_go(self) -> None:
        """Remove the hooks and forget the model."""
        host = self._attached_host()
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._modules.clear()
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


def check_targets(model: nn.Module, targets: Mapping[str, type[nn.Module]], owner: str) -> None:
    """Check that every named submodule exists and has the expected type.

    Raises:
        UserError: Listing all that are missing or of another type.
    """
    modules = dict(model.named_modules())
    problems = []
    for name, expected in targets.items():
        if name not in modules:
            problems.append(f"{name} is missing{_did_you_mean(name, modules)}")
        elif not isinstance(modules[name], expected):
            problems.append(f"{name} is a {type(modules[name]).__name__}, not a {expected.__name__}")
    if problems:
        raise UserError(
            f"{owner} cannot be attached to this {type(model).__name__}: {'; '.join(problems)}; "
            f"it needs a SAM 2 video model, whose modules are listed by: {program()} inspect --model sam2"
        )


def _did_you_mean(name: str, modules: Iterable[str]) -> str:
    beside = [one for one in modules if one.count(".") == name.count(".")]  # as deep in the model
    near = difflib.get_close_matches(name, beside, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def load_tensors(own: Mapping[str, Tensor], state: Mapping[str, Tensor], owner: str) -> None:
    """Copy ``state`` into the tensors of ``own``, if every key and shape agrees and every value is finite.

    Raises:
        CheckpointMismatch: Saying how many keys are missing, unexpected, of another shape or not finite, and which.
    """
    if found := listed(differences(own, state)):
        raise CheckpointMismatch(
            f"the weights do not fit this {owner}: {found}; check the adapter, its rank, layer_norms and the like, and the base"
        )
    with torch.no_grad():
        for name in own:
            own[name].copy_(state[name])


def check_same(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Check that ``state`` is ``own``, value by value: the frozen model in a file is the one at hand.

    Raises:
        CheckpointMismatch: Saying how many keys are missing, unexpected, of another shape or value, and which.
    """
    found = differences(own, state)
    found["of another value"] = [
        name
        for name in own
        if name in state
        and state[name].shape == own[name].shape
        and not torch.equal(state[name].to(own[name]), own[name])
    ]
    if any(found.values()):
        raise CheckpointMismatch(
            f"the SAM 2 in this checkpoint is not the one at hand: {listed(found)}; choose the --sam2 and the weights that it "
            "stands on, or layer_norms that cover what else was trained"
        )
