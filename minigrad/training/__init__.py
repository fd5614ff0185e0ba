"""What a training script is made of: the loop, metrics, progress, a model's summary, and a run's files.

Each file holds one idea. `examples/train_mnist.py` shows them at work. `import minigrad` alone does not load this part:
say `from minigrad import training`.
"""

from . import cli
from .callback import Callback
from .comparison import ComparedRun, Comparison
from .files import write_atomically, write_json
from .history import EpochRecord, best_epoch
from .loop import DivergenceError, evaluate, evaluation_mode, train_epoch
from .metrics import Mean, Metrics, accuracy
from .metrics_csv import MetricsCSV
from .plot import plot_comparison, plot_curves
from .progress import Progress
from .run_directory import RUN_FILES, check_run_directory, create_run_directory, new_run_directory
from .summary import LayerSummary, ModelSummary, summarize
from .table import EpochTable
from .trainer import Trainer

__all__ = [
    "RUN_FILES",
    "Callback",
    "ComparedRun",
    "Comparison",
    "DivergenceError",
    "EpochRecord",
    "EpochTable",
    "LayerSummary",
    "Mean",
    "Metrics",
    "MetricsCSV",
    "ModelSummary",
    "Progress",
    "Trainer",
    "accuracy",
    "best_epoch",
    "check_run_directory",
    "cli",
    "create_run_directory",
    "evaluate",
    "evaluation_mode",
    "new_run_directory",
    "plot_comparison",
    "plot_curves",
    "summarize",
    "train_epoch",
    "write_atomically",
    "write_json",
]
