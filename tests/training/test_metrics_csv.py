import csv

import pytest

from minigrad.training import Callback, Comparison, EpochRecord, MetricsCSV

COLUMNS = ["epoch", "train_loss", "train_acc", "valid_loss", "valid_acc", "seconds"]


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class Reader(Callback):
    """Reads the file as it is during training."""

    def __init__(self, path):
        self.path, self.lengths = path, []

    def on_fit_start(self, trainer):
        self.lengths.append(len(read(self.path)))

    def on_epoch_end(self, trainer, record):
        self.lengths.append(len(read(self.path)))


def test_a_row_an_epoch_from_the_moment_it_ends(problem, tmp_path):
    path = tmp_path / "metrics.csv"
    reader = Reader(path)
    history = problem.trainer(MetricsCSV(path), reader).fit(problem.train, problem.valid, epochs=3)
    assert reader.lengths == [0, 1, 2, 3]
    rows = read(path)
    assert list(rows[0]) == COLUMNS
    for row, record in zip(rows, history, strict=True):
        assert int(row["epoch"]) == record.epoch
        for column in COLUMNS[1:-1]:
            assert float(row[column]) == getattr(record, column)  # every digit
        assert float(row["seconds"]) == pytest.approx(record.seconds, abs=5.1e-4)


def test_an_epoch_that_was_finished_is_in_the_file_whenever_the_interrupt_comes(problem, tmp_path):
    class Interrupt(Callback):
        def on_epoch_end(self, trainer, record):
            raise KeyboardInterrupt

    path = tmp_path / "metrics.csv"
    with pytest.raises(KeyboardInterrupt):
        problem.trainer(Interrupt(), MetricsCSV(path)).fit(problem.train, problem.valid, epochs=3)
    assert [row["epoch"] for row in read(path)] == ["1"]


def test_a_run_that_is_taken_up_again_has_all_its_rows(problem, tmp_path):
    path = tmp_path / "metrics.csv"
    trainer = problem.trainer(MetricsCSV(path))
    trainer.history = [EpochRecord(1, 1.0, 0.5, 1.0, 0.5, 2.0)]
    trainer.fit(problem.train, problem.valid, epochs=2)
    assert [row["epoch"] for row in read(path)] == ["1", "2"]
    assert read(path)[0]["seconds"] == "2.0"


def test_a_run_of_a_comparison_keeps_the_rows_of_those_before_it(problem, tmp_path):
    path, comparison = tmp_path / "metrics.csv", Comparison("kind")
    comparison.add("first, of two", 6, [EpochRecord(1, 0.1, 0.2, 0.3, 0.4, 5.0)])
    reader = Reader(path)
    trainer = problem.trainer(MetricsCSV(path, comparison), reader)
    comparison.add("second", 6, trainer.history)
    trainer.fit(problem.train, problem.valid, epochs=2)
    assert reader.lengths == [1, 2, 3]
    rows = read(path)
    assert list(rows[0]) == ["kind", *COLUMNS]
    assert [(row["kind"], row["epoch"]) for row in rows] == [("first, of two", "1"), ("second", "1"), ("second", "2")]
    assert float(rows[0]["valid_acc"]) == 0.4 and float(rows[2]["valid_loss"]) == trainer.history[1].valid_loss
