import argparse
import errno

import pytest

from minigrad.training import DivergenceError, cli


@pytest.fixture(autouse=True)
def script(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/some/where/train.py"])


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "", "nan", "1e3"])
def test_at_least_refuses(text):
    with pytest.raises(argparse.ArgumentTypeError, match="whole number of at least 1") as caught:
        cli.at_least(1)(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["0", "-0.1", "nan", "inf", "fast", ""])
def test_positive_refuses(text):
    with pytest.raises(argparse.ArgumentTypeError, match="number above 0") as caught:
        cli.positive(text)
    assert repr(text) in str(caught.value)


def test_an_option_error_is_one_line_and_code_2(capsys):
    parser = cli.Parser()
    parser.add_argument("--epochs", type=cli.at_least(1))
    for arguments, fault in (
        (["--epochs", "0"], "argument --epochs: needs a whole number of at least 1, got '0'"),
        (["--epoch", "3"], "unrecognized arguments: --epoch 3"),
    ):
        with pytest.raises(SystemExit) as caught:
            parser.parse_args(arguments)
        assert caught.value.code == 2
        assert capsys.readouterr().err == f"train.py: error: {fault} (--help lists the options)\n"


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "train.py: interrupted\n"),
        (KeyboardInterrupt("2 epochs are kept"), 130, "train.py: interrupted; 2 epochs are kept\n"),
        (DivergenceError("the loss became nan"), 1, "train.py: error: the loss became nan\n"),
        (OSError(errno.ENOSPC, "No space left", "runs/a"), 1, "train.py: error: No space left: runs/a\n"),
        (OSError("several\n  lines"), 1, "train.py: error: several lines\n"),
    ],
)
def test_what_can_happen_to_any_run_is_one_line(capsys, error, code, line):
    assert cli.run(raising(error)) == code
    assert capsys.readouterr().err == line


def test_a_mistake_in_the_script_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(raising(ZeroDivisionError()))


def test_the_code_is_that_of_main():
    assert cli.run(lambda: None) == 0
    assert cli.run(lambda: 3) == 3


def test_fail_names_the_script_and_ends_it(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.fail(FileNotFoundError(errno.ENOENT, "no such folder", "there"))
    assert caught.value.code == 2
    assert capsys.readouterr().err == "train.py: error: no such folder: there\n"
