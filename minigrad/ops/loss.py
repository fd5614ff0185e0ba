"""The loss with a kernel of its own: softmax and cross entropy in one."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..autograd import Fused
from .common import Operand
from .reduce import log_softmax, mean
from .scatter import Gather
from .shape import reshape


class SoftmaxCrossEntropy(Fused):
    """y_n = logsumexp(x_n) - x_n[label_n] for each row of x (N, C), or their average; gx = (softmax(x) - onehot) g"""

    uses = ((0,), ())

    def forward(self, x: np.ndarray, labels: np.ndarray, average: bool = False) -> np.ndarray:
        self.average, self.labels = average, labels
        loss, self.rows = kernels.current().softmax_cross_entropy(x, labels, average)
        return loss

    def kernel_backward(self, g: np.ndarray) -> tuple:
        x, _ = self.operands()
        return kernels.current().softmax_cross_entropy_backward(np.asarray(g), x, self.labels, self.rows), None

    def definition(self, x: Operand, labels: Operand) -> Operand:
        places = np.reshape(self.labels, (-1, 1))
        loss = reshape(-Gather.apply(log_softmax(x, 1), places, dim=1), -1)
        return mean(loss) if self.average else loss
