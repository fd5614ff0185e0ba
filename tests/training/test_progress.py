import io
import sys

import pytest

from minigrad.training import Callback, Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def open_terminal(monkeypatch):
    """Puts standard output and error on a terminal. A call, as pytest sets them itself when the test begins."""

    def open_now():
        stream = Terminal()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return open_now


def test_plain_lines_where_there_is_no_terminal(problem):
    stream = io.StringIO()
    problem.trainer(Progress(stream, seconds=0.0)).fit(problem.train, problem.valid, epochs=2)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("epoch 1/2: batch 1 of 5, loss 0.")
    assert lines[-1].startswith("epoch 2/2: batch 5 of 5, loss 0.")
    assert "\r" not in stream.getvalue() and "\x1b" not in stream.getvalue()


def test_no_line_at_all_when_the_epoch_is_fast(problem):
    stream = io.StringIO()
    problem.trainer(Progress(stream, seconds=60.0)).fit(problem.train, problem.valid, epochs=2)
    assert stream.getvalue() == ""


def test_a_bar_on_a_terminal_which_is_gone_at_the_end(problem, open_terminal):
    terminal = open_terminal()
    pytest.importorskip("tqdm")
    problem.trainer(Progress()).fit(problem.train, problem.valid, epochs=1)
    drawn = terminal.getvalue()
    assert "epoch 1/1" in drawn and "5/5" in drawn and "validating" in drawn
    assert "\n" not in drawn
    assert drawn.rsplit("\r", 2)[-2].strip() == ""  # the last thing drawn is blanks


def test_the_bar_shows_running_figures(problem, open_terminal, monkeypatch):
    terminal = open_terminal()
    pytest.importorskip("tqdm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("minigrad.training.progress._Bar.interval", 0.0)
    problem.trainer(Progress()).fit(problem.train, problem.valid, epochs=1)
    assert "left, loss 0.5092, accuracy 0.7143" in terminal.getvalue()
    assert max(map(len, terminal.getvalue().split("\r"))) <= 80


def test_the_bar_is_cleared_when_training_is_interrupted(problem, open_terminal):
    terminal = open_terminal()
    pytest.importorskip("tqdm")

    class Interrupt(Callback):
        def on_batch_end(self, trainer):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        problem.trainer(Progress(), Interrupt()).fit(problem.train, problem.valid, epochs=1)
    assert terminal.getvalue().rsplit("\r", 2)[-2].strip() == ""


def test_plain_lines_on_a_terminal_without_tqdm(problem, open_terminal, monkeypatch):
    terminal = open_terminal()
    monkeypatch.setitem(sys.modules, "tqdm", None)
    problem.trainer(Progress(seconds=0.0)).fit(problem.train, problem.valid, epochs=1)
    assert len(terminal.getvalue().splitlines()) == 5
    assert "\r" not in terminal.getvalue()


def test_no_bar_when_only_standard_error_is_a_terminal(problem, open_terminal, monkeypatch):
    terminal = open_terminal()
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    problem.trainer(Progress()).fit(problem.train, problem.valid, epochs=1)
    assert "\r" not in terminal.getvalue()
