import numpy as np
import pytest

from minigrad.training import Callback, EpochRecord, Trainer, best_epoch, evaluate, train_epoch


class Diary(Callback):
    """Writes down what it is told."""

    def __init__(self, entries, name="", fail_at=None):
        self.entries, self.name, self.fail_at = entries, name, fail_at

    def note(self, event):
        self.entries.append(f"{self.name}{event}")
        if event == self.fail_at:
            raise KeyboardInterrupt

    def on_fit_start(self, trainer):
        self.note("fit")

    def on_epoch_start(self, trainer):
        self.note(f"epoch {trainer.epoch + 1}")

    def on_batch_end(self, trainer):
        self.note(f"batch {trainer.metrics.batches}")

    def on_validation_start(self, trainer):
        self.note("validation")

    def on_epoch_end(self, trainer, record):
        assert trainer.history[-1] is record
        self.note(f"end {record.epoch}")

    def on_fit_end(self, trainer):
        self.note("over")


def test_callbacks_are_told_of_every_stage_in_order(problem):
    entries = []
    problem.trainer(Diary(entries)).fit(problem.train, problem.valid, epochs=2)
    batches = [f"batch {i}" for i in range(1, 6)]
    assert entries == [
        "fit",
        *("epoch 1", *batches, "validation", "end 1"),
        *("epoch 2", *batches, "validation", "end 2"),
        "over",
    ]


def test_callbacks_are_called_in_the_order_given(problem):
    entries = []
    problem.trainer(Diary(entries, "a "), Diary(entries, "b ")).fit(problem.train, problem.valid, epochs=1)
    assert [entry.split()[0] for entry in entries] == ["a", "b"] * (len(entries) // 2)


def test_every_callback_is_told_that_training_is_over_however_it_ends(problem):
    entries = []
    trainer = problem.trainer(Diary(entries, "a "), Diary(entries, "b ", fail_at="batch 2"))
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(problem.train, problem.valid, epochs=2)
    assert entries[-3:] == ["b batch 2", "a over", "b over"]
    assert trainer.epoch == 0 and trainer.history == []


def test_an_interrupt_after_an_epoch_keeps_its_record(problem):
    trainer = problem.trainer(Diary([], fail_at="epoch 2"))
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(problem.train, problem.valid, epochs=2)
    assert [record.epoch for record in trainer.history] == [1]


def test_it_learns_and_the_records_say_so(problem):
    history = problem.trainer().fit(problem.train, problem.valid, epochs=10)
    assert [record.epoch for record in history] == list(range(1, 11))
    assert history[-1].valid_acc > 0.9
    assert history[-1].train_loss < history[0].train_loss
    assert all(record.seconds > 0 for record in history)


def test_a_record_has_the_running_figures_and_those_of_the_evaluation(problem):
    (record,) = problem.trainer().fit(problem.train, problem.valid, epochs=1)
    other = type(problem)()
    running = train_epoch(other.model, other.train, other.loss_fn, other.optimizer)
    after = evaluate(other.model, other.valid, other.loss_fn)
    assert (record.train_loss, record.train_acc) == (running.loss, running.accuracy)
    assert (record.valid_loss, record.valid_acc) == (after.loss, after.accuracy)


def test_fit_goes_on_where_it_was(problem):
    whole = problem.trainer().fit(problem.train, problem.valid, epochs=3)
    other = type(problem)()
    trainer = other.trainer()
    trainer.fit(other.train, other.valid, epochs=1)
    taken_up = Trainer(other.model, other.loss_fn, other.optimizer)
    taken_up.history = trainer.history
    parts = taken_up.fit(other.train, other.valid, epochs=3)
    assert [(r.epoch, r.train_loss, r.valid_acc) for r in parts] == [
        (r.epoch, r.train_loss, r.valid_acc) for r in whole
    ]
    for name, value in problem.state().items():
        np.testing.assert_array_equal(value, other.state()[name], err_msg=name)


def test_fit_to_an_epoch_that_is_done_does_nothing(problem):
    trainer = problem.trainer()
    trainer.fit(problem.train, problem.valid, epochs=2)
    before = problem.state()
    assert len(trainer.fit(problem.train, problem.valid, epochs=1)) == 2
    for name, value in problem.state().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.parametrize("epochs", [0, -1, 1.0, True, "3", None])
def test_fit_refuses_what_is_no_number_of_epochs(problem, epochs):
    entries = []
    with pytest.raises((TypeError, ValueError), match=r"Trainer\.fit: epochs must be an int >= 1, got"):
        problem.trainer(Diary(entries)).fit(problem.train, problem.valid, epochs)
    assert entries == []


def test_best_epoch_is_the_first_of_the_most_accurate():
    history = [EpochRecord(i + 1, 0.0, 0.0, 0.0, acc, 1.0) for i, acc in enumerate([0.9, 0.97, 0.97, 0.96])]
    assert best_epoch(history).epoch == 2
    with pytest.raises(ValueError, match="history is empty"):
        best_epoch([])
