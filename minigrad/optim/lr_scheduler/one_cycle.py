"""One cycle: up to a high learning rate and down to a very low one, with momentum the other way round."""

from __future__ import annotations

import math
from typing import Any

from ... import checks
from ..optimizer import Group, Optimizer
from .base import LRScheduler, check_optimizer, check_resumable, per_group

__all__ = ["OneCycleLR"]


class OneCycleLR(LRScheduler):
    """The 1cycle policy: the learning rate rises to `max_lr` and then falls far below where it began.

        initial_lr = max_lr / div_factor  ->  max_lr  ->  min_lr = initial_lr / final_div_factor

    `step()` is called after every batch, `total_steps - 1` times. With `cycle_momentum` the momentum (for Adam: the
    first beta) goes from max_momentum to base_momentum and back. The fall has one phase, or with `three_phase` two:
    back to initial_lr as fast as it rose, then to min_lr.

    optimizer       : whose learning rates are set
    max_lr          : the highest learning rate, one or a list of one for each param group
    total_steps     : how many batches there are in all; or instead
    epochs, steps_per_epoch : total_steps is their product
    pct_start       : the fraction of them in which the learning rate rises, in [0, 1]
    anneal_strategy : "cos" or "linear"
    cycle_momentum  : move the momentum too
    base_momentum, max_momentum : between which two values; one or a list of one for each param group
    div_factor, final_div_factor : see above, > 0
    three_phase     : as in the paper, rather than as in fastai
    last_epoch      : the last batch that was trained, -1 to begin

    Raises ValueError or TypeError for options out of range, and ValueError from a `step()` past the end. Where a
    phase has no length (pct_start * total_steps is 1) it is skipped; PyTorch divides by zero.

    Source: Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates",
    arXiv:1708.07120.

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=0.1, momentum=0.9)
    >>> scheduler = minigrad.optim.lr_scheduler.OneCycleLR(
    ...     optimizer, max_lr=1.0, total_steps=5, pct_start=0.6, anneal_strategy="linear", div_factor=10
    ... )
    >>> rates = []
    >>> for batch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> [round(lr, 6) for lr in rates]
    [0.1, 0.55, 1.0, 0.500005, 1e-05]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        groups = check_optimizer("OneCycleLR", optimizer).param_groups
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        pct_start = float(checks.number("OneCycleLR", "pct_start", pct_start, " in [0, 1]"))
        self._schedule_phases = _phases(
            self.total_steps, pct_start, checks.flag("OneCycleLR", "three_phase", three_phase)
        )
        self._anneal_func_type = checks.choice("OneCycleLR", "anneal_strategy", anneal_strategy, "cos", "linear")
        div_factor = checks.number("OneCycleLR", "div_factor", div_factor, " > 0")
        final_div_factor = checks.number("OneCycleLR", "final_div_factor", final_div_factor, " > 0")
        self.cycle_momentum = checks.flag("OneCycleLR", "cycle_momentum", cycle_momentum)
        new = [_lr_range(lr, div_factor, final_div_factor) for lr in _numbers("max_lr", max_lr, groups)]
        if cycle_momentum:
            if not {"momentum", "betas"} & optimizer.defaults.keys():
                raise ValueError(
                    f"OneCycleLR: cycle_momentum=True needs an optimizer with momentum or betas, and "
                    f"{type(optimizer).__name__} has neither; pass cycle_momentum=False"
                )
            self.use_beta1 = "betas" in optimizer.defaults
            lows = _numbers("base_momentum", base_momentum, groups)
            highs = _numbers("max_momentum", max_momentum, groups)
            for options, low, high in zip(new, lows, highs, strict=True):
                options.update(max_momentum=high, base_momentum=low)
        if checks.whole("OneCycleLR", "last_epoch", last_epoch, " >= -1") == -1:
            for group, options in zip(groups, new, strict=True):
                group.update(options)
        else:
            check_resumable("OneCycleLR", last_epoch, groups, *new[0])
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rate of each param group for `self.last_epoch`."""
        return [self._anneal(group, "lr") for group in self.optimizer.param_groups]

    def _update_lr(self, epoch: int | None) -> None:
        target = self.last_epoch + 1 if epoch is None else epoch
        if target > self.total_steps:
            raise ValueError(
                f"OneCycleLR: step {target} is past the end of the cycle of total_steps={self.total_steps}; step() "
                "goes once after each batch"
            )
        super()._update_lr(epoch)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                momentum = self._anneal(group, "momentum")
                if self.use_beta1:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum

    def _anneal(self, group: Group, kind: str) -> float:
        """The "lr" or "momentum" of a group at `self.last_epoch`."""
        step, phases = self.last_epoch, self._schedule_phases
        i = next((i for i, phase in enumerate(phases[:-1]) if step <= phase["end_step"]), len(phases) - 1)
        start, end = group[phases[i][f"start_{kind}"]], group[phases[i][f"end_{kind}"]]
        start_step = phases[i - 1]["end_step"] if i else 0.0
        length = phases[i]["end_step"] - start_step
        progress = (step - start_step) / length if length else 1.0
        if self._anneal_func_type == "cos":
            return end + (start - end) / 2.0 * (math.cos(math.pi * progress) + 1)
        return (end - start) * progress + start


def _total_steps(total_steps: Any, epochs: Any, steps_per_epoch: Any) -> int:
    """The length of the cycle, from whichever was given."""
    if total_steps is not None:
        return checks.whole("OneCycleLR", "total_steps", total_steps, " >= 1")
    if epochs is None or steps_per_epoch is None:
        raise ValueError(
            f"OneCycleLR: needs total_steps, or both epochs and steps_per_epoch, got epochs={epochs!r} and "
            f"steps_per_epoch={steps_per_epoch!r}"
        )
    epochs = checks.whole("OneCycleLR", "epochs", epochs, " >= 1")
    return epochs * checks.whole("OneCycleLR", "steps_per_epoch", steps_per_epoch, " >= 1")


def _phases(total_steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
    """Each phase: the step it ends at, and which options of a group lr and momentum go between."""
    rise, last = pct_start * total_steps, total_steps - 1
    if three_phase:
        table = [
            (rise - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
            (2 * rise - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
            (last, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
        ]
    else:
        table = [
            (rise - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
            (last, "max_lr", "min_lr", "base_momentum", "max_momentum"),
        ]
    names = "end_step", "start_lr", "end_lr", "start_momentum", "end_momentum"
    return [dict(zip(names, row, strict=True)) for row in table]


def _lr_range(max_lr: float, div_factor: float, final_div_factor: float) -> dict[str, float]:
    """The three learning rates of a cycle, under the names that a group has them by."""
    return {"initial_lr": max_lr / div_factor, "max_lr": max_lr, "min_lr": max_lr / div_factor / final_div_factor}


def _numbers(name: str, value: Any, groups: list[Group]) -> list[float]:
    """One number for each param group."""
    return [checks.number("OneCycleLR", name, x) for x in per_group("OneCycleLR", name, value, groups)]
