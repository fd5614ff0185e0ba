import numpy as np
import pytest

import minigrad
from minigrad.training import Mean, Metrics, accuracy


def test_mean_weights_each_value_by_its_batch():
    rng = np.random.default_rng(0)
    values, sizes = rng.normal(size=7), rng.integers(1, 33, size=7)
    mean = Mean()
    for value, size in zip(values, sizes, strict=True):
        mean.add(float(value), int(size))
    assert mean.value == pytest.approx(np.repeat(values, sizes).mean(), rel=1e-12)


def test_mean_of_nothing_is_an_error():
    with pytest.raises(RuntimeError, match="Mean: there is no mean of nothing"):
        _ = Mean().value


@pytest.mark.parametrize("wrap", [np.asarray, minigrad.tensor])
def test_accuracy_counts_the_largest_score(wrap):
    scores = wrap(np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [0.0, 5.0, 0.0], [1.0, 1.0, 0.0]]))
    assert accuracy(scores, wrap(np.array([2, 1, 1, 0]))) == 0.75  # the tie in the last row goes to class 0
    assert accuracy(scores, wrap(np.array([0, 1, 2, 1], dtype=np.uint8))) == 0.0


def test_accuracy_takes_recorded_scores():
    scores = minigrad.tensor([[1.0, 2.0]], requires_grad=True) * 2
    assert accuracy(scores, minigrad.tensor([1])) == 1.0


@pytest.mark.parametrize(
    ("output", "target"),
    [((4, 3), (3,)), ((4,), (4,)), ((4, 3), (4, 1)), ((0, 3), (0,)), ((4, 0), (4,)), ((2, 4, 3), (2,))],
)
def test_accuracy_refuses_other_shapes(output, target):
    with pytest.raises(ValueError, match="accuracy: needs output") as caught:
        accuracy(np.zeros(output), np.zeros(target, dtype=np.int64))
    assert str(output) in str(caught.value) and str(target) in str(caught.value)


def test_accuracy_refuses_targets_that_are_no_classes():
    with pytest.raises(TypeError, match="integers, got float64"):
        accuracy(np.zeros((2, 3)), np.zeros(2))


def test_metrics_of_unequal_batches_are_those_of_all_examples():
    rng = np.random.default_rng(1)
    scores, classes, losses = rng.normal(size=(50, 4)), rng.integers(0, 4, 50), rng.random(50)
    metrics = Metrics()
    for batch in (slice(0, 32), slice(32, 50)):
        metrics.add(losses[batch].mean(), scores[batch], classes[batch])
    assert metrics.batches == 2
    assert metrics.loss == pytest.approx(losses.mean(), rel=1e-12)
    assert metrics.accuracy == pytest.approx((scores.argmax(1) == classes).mean(), rel=1e-12)


def test_metrics_are_unchanged_by_a_batch_that_is_refused():
    metrics = Metrics()
    metrics.add(1.0, np.eye(2), np.array([0, 1]))
    with pytest.raises(ValueError, match="accuracy"):
        metrics.add(9.0, np.eye(2), np.array([0]))
    assert (metrics.batches, metrics.loss, metrics.accuracy) == (1, 1.0, 1.0)
