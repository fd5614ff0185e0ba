import numpy as np
import pytest

import minigrad
from minigrad import nn, optim
from minigrad.data import DataLoader, TensorDataset
from minigrad.training import DivergenceError, evaluate, evaluation_mode, train_epoch


class Spy(nn.Module):
    """Remembers the mode of each call, and whether a graph was being recorded."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.calls = []

    def forward(self, x):
        self.calls.append((self.training, minigrad.is_grad_enabled()))
        return self.linear(x)


def test_train_epoch_takes_the_steps_one_would_write_by_hand(problem):
    batches = list(problem.train)
    theirs = {name: value.clone() for name, value in problem.model.state_dict().items()}
    seen = []
    metrics = train_epoch(
        problem.model, batches, problem.loss_fn, problem.optimizer, lambda m: seen.append((m.batches, m.loss))
    )
    trained = problem.state()

    problem.model.load_state_dict(theirs)
    losses, right = [], 0
    for x, y in batches:
        problem.optimizer.zero_grad()
        scores = problem.model(x)
        loss = problem.loss_fn(scores, y)
        loss.backward()
        problem.optimizer.step()
        losses += [loss.item()] * len(y)
        right += int((scores.array.argmax(1) == y.array).sum())
    for name, value in problem.state().items():
        np.testing.assert_array_equal(value, trained[name], err_msg=name)
    assert metrics.loss == pytest.approx(np.mean(losses), rel=1e-12)
    assert metrics.accuracy == pytest.approx(right / 70, rel=1e-12)
    assert [batch for batch, _ in seen] == [1, 2, 3, 4, 5]
    assert seen[-1][1] == metrics.loss


def test_train_epoch_trains_in_training_mode_and_evaluate_does_not():
    model, batch = Spy(), (minigrad.ones(4, 2), minigrad.tensor([0, 1, 0, 1]))
    model.eval()
    train_epoch(model, [batch], nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    assert model.training
    evaluate(model, [batch], nn.CrossEntropyLoss())
    assert model.calls == [(True, True), (False, False)]


def test_evaluate_changes_nothing(problem):
    problem.model[1].eval()  # a module that its owner keeps in evaluation mode
    before = problem.state()
    metrics = evaluate(problem.model, problem.valid, problem.loss_fn)
    assert [module.training for module in problem.model.modules()] == [True, True, False]
    assert all(parameter.grad is None for parameter in problem.model.parameters())
    for name, value in problem.state().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
    assert metrics.batches == 1


def test_evaluate_does_not_depend_on_the_size_of_batches(problem):
    train_epoch(problem.model, problem.train, problem.loss_fn, problem.optimizer)
    whole = evaluate(problem.model, problem.valid, problem.loss_fn)
    small = evaluate(problem.model, DataLoader(problem.valid.dataset, 9), problem.loss_fn)
    assert small.accuracy == pytest.approx(whole.accuracy, rel=1e-12)
    assert small.loss == pytest.approx(whole.loss, rel=1e-5)


def test_evaluation_mode_is_left_when_the_model_fails(problem):
    with pytest.raises(KeyError), evaluation_mode(problem.model):
        assert not any(module.training for module in problem.model.modules())
        raise KeyError
    assert all(module.training for module in problem.model.modules())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_stops_before_it_reaches_the_model(bad):
    model = nn.Linear(2, 2)
    good = minigrad.ones(4, 2), minigrad.tensor([0, 1, 0, 1])
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    train_epoch(model, [good], nn.CrossEntropyLoss(), optimizer)
    before = model.weight.array.copy()
    with pytest.raises(DivergenceError, match=f"became {bad} in batch 1 .*smaller learning rate"):
        train_epoch(model, [good], lambda scores, target: scores.sum() * bad, optimizer)
    np.testing.assert_array_equal(model.weight.array, before)


def test_a_loader_without_batches_is_an_error(problem):
    few = DataLoader(TensorDataset(minigrad.ones(3, 2), minigrad.tensor([0, 1, 0])), 4, drop_last=True)
    with pytest.raises(ValueError, match=r"train_epoch: the loader has no batch.*drop_last"):
        train_epoch(problem.model, few, problem.loss_fn, problem.optimizer)
    with pytest.raises(ValueError, match="evaluate: the loader has no batch"):
        evaluate(problem.model, few, problem.loss_fn)
