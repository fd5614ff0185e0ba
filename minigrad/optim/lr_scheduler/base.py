"""LRScheduler: what all schedules of the learning rate share."""

from __future__ import annotations

import copy
import warnings
from numbers import Real
from typing import Any, ClassVar

from ... import checks
from ..optimizer import Group, Optimizer

__all__ = ["LRScheduler", "RatioScheduler"]


class LRScheduler:
    """Base of schedulers. `step()`, once an epoch and after `optimizer.step()`, sets each param group's `lr`.

    optimizer  : whose learning rates are set
    last_epoch : the last epoch that was trained with this schedule, -1 to begin it. Any other needs `initial_lr` in
                 every param group, as a scheduler leaves it there and the optimizer's state_dict keeps it.

    `base_lrs` are the learning rates the schedule began with; `last_epoch` counts the steps. A subclass defines
    `get_lr`, the learning rates for `self.last_epoch`, and calls this constructor last, which sets the first ones.

    Raises TypeError for what is not an Optimizer, ValueError for a group without `initial_lr` where it is needed.

    >>> import minigrad
    >>> class Halves(minigrad.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [lr / 2**self.last_epoch for lr in self.base_lrs]
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=0.4)
    >>> scheduler = Halves(optimizer)
    >>> for epoch in range(3):
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    [0.4]
    [0.2]
    [0.1]
    """

    _step_count: int  # how many steps were made, that of the constructor included
    _last_lr: list[float]
    unsaved: ClassVar[frozenset[str]] = frozenset({"optimizer"})  # attributes that state_dict leaves out
    unchecked: ClassVar[frozenset[str]] = frozenset()  # entries of a state that may be of several kinds

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        owner = type(self).__name__
        self.optimizer = check_optimizer(owner, optimizer)
        self.last_epoch = checks.whole(owner, "last_epoch", last_epoch, " >= -1")
        if self.last_epoch == -1:
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
        else:
            check_resumable(owner, last_epoch, optimizer.param_groups, "initial_lr")
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        if not optimizer._scheduled:
            optimizer._scheduled, optimizer._stepped = True, False
        self._initial_step()

    def get_lr(self) -> list[float]:
        """The learning rate of each param group for `self.last_epoch`. For `step`; use `get_last_lr` to read them."""
        raise NotImplementedError(f"{type(self).__name__} must define get_lr")

    def get_last_lr(self) -> list[float]:
        """The learning rate of each param group, as it was set last."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch: set its learning rates. Warns if `optimizer.step()` was never called before.

        epoch : go to this one instead; deprecated as in PyTorch, where it takes the closed form of the schedule
        """
        # An optimizer with a step of its own does not tell whether it was called.
        silent = type(self.optimizer).step is not Optimizer.step
        if self._step_count == 1 and not self.optimizer._stepped and not silent:
            warnings.warn(
                f"{type(self).__name__}: `lr_scheduler.step()` was called before `optimizer.step()`, so the first "
                "learning rate of the schedule was skipped; call `optimizer.step()` first in each round",
                UserWarning,
                stacklevel=2,
            )
        if epoch is not None:
            checks.number(f"{type(self).__name__}.step", "epoch", epoch)
            warnings.warn(
                f"{type(self).__name__}.step(epoch) is deprecated; call step() without an epoch",
                UserWarning,
                stacklevel=2,
            )
        self._update_lr(epoch)
        self._step_count += 1

    @property
    def starting(self) -> bool:
        """Is this the step that the constructor makes? It resumes at what the optimizer has, rather than moves on."""
        return self._step_count == 0

    def _initial_step(self) -> None:
        """Set the learning rates that the schedule begins with."""
        self._step_count = 0
        self.step()

    def _restart(self) -> None:
        """Begin the schedule now, from the initial learning rates."""
        self._update_lr(0)

    def _undo_step(self) -> None:
        """Go back by one epoch; the learning rates are left as they are."""
        self.last_epoch -= 1

    def _rewind(self) -> None:
        """Go back before the first epoch; the learning rates are left as they are."""
        self.last_epoch = -1

    def _update_lr(self, epoch: int | None) -> None:
        """Set the learning rates of the next epoch or of the given one; nothing is changed if that fails."""
        before, groups = self.last_epoch, self.optimizer.param_groups
        self.last_epoch = before + 1 if epoch is None else epoch
        try:
            rates = self.get_lr() if epoch is None else self._get_closed_form_lr()
            if len(rates) != len(groups):
                raise ValueError(
                    f"{type(self).__name__}: the optimizer has {len(groups)} param groups, but the schedule gives "
                    f"{len(rates)} learning rates; make a new scheduler after adding a param group"
                )
        except BaseException:
            self.last_epoch = before
            raise
        for group, lr in zip(groups, rates, strict=True):
            group["lr"] = lr
        self._last_lr = current_lrs(self.optimizer)

    def _get_closed_form_lr(self) -> list[float]:
        """The learning rates for `self.last_epoch` from the initial ones, where the schedule has such a form."""
        return self.get_lr()

    # ------------------------------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, Any]:
        """What the scheduler needs to go on: its options and its position, not the optimizer.

        >>> import minigrad
        >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=0.1)
        >>> scheduler = minigrad.optim.lr_scheduler.StepLR(optimizer, step_size=10)
        >>> scheduler.state_dict()["last_epoch"], scheduler.state_dict()["step_size"]
        (0, 10)
        """
        return {name: value for name, value in vars(self).items() if name not in self.unsaved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave. The optimizer's learning rates are not set: load its state_dict too.

        Raises ValueError or TypeError, and changes nothing, for the state of another kind of scheduler, one of an
        optimizer with another number of param groups, and an entry that is no number, text or list where this
        scheduler's is one.
        """
        self._check_state(state_dict)
        self._set_state(state_dict)

    def _check_state(self, state_dict: dict[str, Any]) -> None:
        """Raise ValueError or TypeError unless the state has the entries that this scheduler's has, of their kinds."""
        owner = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state_dict, dict):
            raise TypeError(f"{owner}: needs a dict, got {type(state_dict).__name__}")
        own, given = self.state_dict(), _without_flags(state_dict)
        if own.keys() != given.keys():
            missing, unknown = sorted(own.keys() - given.keys()), sorted(given.keys() - own.keys())
            raise ValueError(
                f"{owner}: the state lacks {missing} and has unknown {unknown}; was it saved from another kind of "
                "scheduler?"
            )
        for name in own.keys() - self.unchecked:
            check_kind(owner, name, own[name], given[name])
        check_lengths(owner, "base_lrs", own, given)

    def _set_state(self, state_dict: dict[str, Any]) -> None:
        """Take over a state that was checked."""
        vars(self).update(copy.deepcopy(_without_flags(state_dict)))


class RatioScheduler(LRScheduler):
    """Base of schedules that multiply the learning rates by a factor at each step, whatever they are.

    So other schedules, and changes by hand, can act on the same optimizer at the same time. A subclass defines
    `ratio`, the factor from the last epoch to `self.last_epoch`, and `scale`, all factors up to there multiplied.
    """

    def ratio(self) -> float:
        """What the learning rates are multiplied by on the way to `self.last_epoch`."""
        raise NotImplementedError(f"{type(self).__name__} must define ratio")

    def scale(self) -> float:
        """What the initial learning rates have been multiplied by at `self.last_epoch`."""
        raise NotImplementedError(f"{type(self).__name__} must define scale")

    def get_lr(self) -> list[float]:
        """The learning rate of each param group for `self.last_epoch`: the one it has, times `ratio`."""
        ratio = self.ratio()
        return [group["lr"] * ratio for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[float]:
        scale = self.scale()
        return [base_lr * scale for base_lr in self.base_lrs]


def check_optimizer(owner: str, optimizer: Any) -> Optimizer:
    """`optimizer`, if it is one."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{owner}: optimizer must be a minigrad.optim.Optimizer, got {type(optimizer).__name__}")
    return optimizer


def per_group(owner: str, name: str, value: Any, groups: list[Group]) -> list[Any]:
    """One value for each param group, of a list of them or of one for all."""
    if not isinstance(value, (list, tuple)):
        return [value] * len(groups)
    if len(value) != len(groups):
        raise ValueError(f"{owner}: {name} has {len(value)} entries, but there are {len(groups)} param groups")
    return list(value)


def check_resumable(owner: str, last_epoch: int, groups: list[Group], *names: str) -> None:
    """Raise ValueError unless every param group has what a scheduler left in it when the schedule began."""
    for i, group in enumerate(groups):
        missing = [name for name in names if name not in group]
        if missing:
            raise ValueError(
                f"{owner}: last_epoch={last_epoch} resumes a schedule, but param group {i} has no "
                f"{', '.join(missing)}; load the optimizer's state_dict first, or begin with last_epoch=-1"
            )


def check_kind(owner: str, name: str, own: Any, given: Any) -> None:
    """Raise TypeError or ValueError unless an entry of a state, and all in it, is of the kind that this one's is."""
    if isinstance(own, bool):
        checks.flag(owner, name, given)
    elif isinstance(own, Real):
        least = " >= -1" if name == "last_epoch" else ""
        checks.number(owner, name, given, least, finite=False)
    elif isinstance(own, str):
        if not isinstance(given, str):
            raise TypeError(f"{owner}: {name} must be a string, got {name}={given!r}")
    elif isinstance(own, (list, tuple)):
        if not isinstance(given, (list, tuple)):
            raise TypeError(f"{owner}: {name} must be a list, got {name}={given!r}")
        for i, item in enumerate(given if own else ()):
            check_kind(owner, f"{name}[{i}]", own[0], item)
    elif isinstance(own, dict):
        if not isinstance(given, dict):
            raise TypeError(f"{owner}: {name} must be a dict, got {name}={given!r}")
        for key in own.keys() & given.keys():
            check_kind(owner, f"{name}[{key!r}]", own[key], given[key])


def check_lengths(owner: str, name: str, own: dict[str, Any], given: dict[str, Any]) -> None:
    """Raise TypeError for what is no list in a state, ValueError if it has another length than this scheduler's."""
    if name in own and not isinstance(given[name], (list, tuple)):
        raise TypeError(f"{owner}: {name} must be a list, got {name}={given[name]!r}")
    if name in own and len(own[name]) != len(given[name]):
        raise ValueError(
            f"{owner}: {name} must have {len(own[name])} entries, as in this scheduler, got {len(given[name])}"
        )


def current_lrs(optimizer: Optimizer) -> list[float]:
    """The learning rate of each param group."""
    return [group["lr"] for group in optimizer.param_groups]


def _without_flags(state_dict: dict[str, Any]) -> dict[str, Any]:
    """The state without the two flags that PyTorch's schedulers save and this one does without."""
    return {name: v for name, v in state_dict.items() if name not in ("_is_initial", "_get_lr_called_within_step")}
