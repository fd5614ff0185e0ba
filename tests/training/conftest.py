"""A small problem that a linear model learns in a few steps, for the tests of the loop and its callbacks."""

import pytest

import minigrad
from minigrad import nn, optim
from minigrad.data import DataLoader, TensorDataset
from minigrad.training import Trainer


class Problem:
    """Which of two coordinates is the larger? 70 examples, so that the last batch of 16 has 6."""

    def __init__(self):
        generator = minigrad.Generator().manual_seed(0)
        x = minigrad.randn(70, 2, generator=generator)
        data = TensorDataset(x, (x[:, 1] > x[:, 0]).long())
        minigrad.manual_seed(0)
        self.model = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2))
        self.loss_fn = nn.CrossEntropyLoss()
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.5)
        self.train = DataLoader(data, 16, shuffle=True, generator=generator)
        self.valid = DataLoader(data, 70)

    def trainer(self, *callbacks):
        return Trainer(self.model, self.loss_fn, self.optimizer, callbacks)

    def state(self):
        return {name: value.array.copy() for name, value in self.model.state_dict().items()}


@pytest.fixture
def problem():
    return Problem()
