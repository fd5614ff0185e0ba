import math

import pytest

from minigrad.optim.lr_scheduler import LambdaLR, MultiplicativeLR


def test_lambda_gives_the_factor_of_the_initial_rate(make_optimizer, trace):
    optimizer = make_optimizer(1.0, 0.5)
    rows = trace(optimizer, LambdaLR(optimizer, [lambda t: 0.9**t, lambda t: t // 30]))
    assert [row[0] for row in rows] == [0.9**t for t in range(61)]
    assert [row[2] for row in rows] == [0.5 * (t // 30) for t in range(61)]


def test_multiplicative_multiplies_up(make_optimizer, trace):
    optimizer = make_optimizer(1.0, 0.5)
    rows = trace(optimizer, MultiplicativeLR(optimizer, lambda t: t / (t + 1)))
    assert [row[0] for row in rows] == pytest.approx([1 / (t + 1) for t in range(61)])
    assert [row[2] for row in rows] == pytest.approx([0.5 / (t + 1) for t in range(61)])


@pytest.mark.parametrize("cls", [LambdaLR, MultiplicativeLR])
def test_bad_functions_are_refused(cls, make_optimizer):
    optimizer = make_optimizer(1.0, 0.5)
    with pytest.raises(ValueError, match=f"{cls.__name__}: lr_lambda has 1 entries, but there are 2 param groups"):
        cls(optimizer, [abs])
    with pytest.raises(TypeError, match=r"lr_lambda must be a function of the epoch, got 0.5"):
        cls(optimizer, 0.5)
    assert "initial_lr" not in optimizer.param_groups[0]


class Decay:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, epoch):
        return self.rate**epoch


def test_the_attributes_of_callable_objects_are_saved_but_no_functions(make_optimizer):
    optimizer = make_optimizer(1.0, 1.0, 1.0)
    state = LambdaLR(optimizer, [Decay(0.5), math.cos, lambda t: 1]).state_dict()
    assert state["lr_lambdas"] == [{"rate": 0.5}, None, None]
    other = LambdaLR(make_optimizer(1.0, 1.0, 1.0), [Decay(0.9), math.cos, lambda t: 1])
    other.load_state_dict(state)
    assert other.lr_lambdas[0].rate == 0.5 and other.lr_lambdas[1] is math.cos
    with pytest.raises(ValueError, match=r"lr_lambdas must have 3 entries, .* got 1"):
        other.load_state_dict({**state, "lr_lambdas": [None]})


@pytest.mark.reference
@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_equal_to_pytorch(name, follows_torch):
    follows_torch(lambda lib, o: getattr(lib, name)(o, lambda t: 0.95 + 0.01 * (t % 3)), closed_form=name == "LambdaLR")
    follows_torch(
        lambda lib, o: getattr(lib, name)(o, [Decay(0.9 + 0.01 * i) for i, _ in enumerate(o.param_groups)]),
        closed_form=False,
    )
    follows_torch.resumed(lambda lib, o, last: getattr(lib, name)(o, lambda t: 1 / (2 + t), last_epoch=last))
