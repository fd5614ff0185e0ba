"""What a training script needs to behave like a tool: one-line errors, exit codes, checked options."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from .loop import DivergenceError

__all__ = ["Parser", "at_least", "fail", "positive", "run"]


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line (exit code 2), and which takes no abbreviations of options.

    >>> from minigrad.training import cli
    >>> parser = cli.Parser()
    >>> _ = parser.add_argument("--epochs", type=cli.at_least(1))
    >>> parser.parse_args(["--epochs", "3"])
    Namespace(epochs=3)
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        options.setdefault("allow_abbrev", False)
        super().__init__(**options)

    def error(self, message: str) -> NoReturn:
        fail(f"{message} (--help lists the options)")


def at_least(smallest: int) -> Callable[[str], int]:
    """A type for `add_argument`: whole numbers from `smallest` on.

    >>> from minigrad.training import cli
    >>> cli.at_least(1)("32")
    32
    """

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < smallest:
            raise argparse.ArgumentTypeError(f"needs a whole number of at least {smallest}, got {text!r}")
        return value

    return parse


def positive(text: str) -> float:
    """A type for `add_argument`: finite numbers above 0.

    >>> from minigrad.training import cli
    >>> cli.positive("1e-3")
    0.001
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"needs a number above 0, got {text!r}")
    return value


def fail(reason: object, code: int = 2) -> NoReturn:
    """End the program with one line on standard error and an exit code, 2 being that of wrong options.

    reason : a text, or an exception, whose text is taken.
    code   : the exit code.

    >>> from minigrad.training import cli
    >>> cli.fail("no such data set")
    Traceback (most recent call last):
        ...
    SystemExit: 2
    """
    if isinstance(reason, BrokenPipeError):
        raise reason  # no mistake of the user's: `run` ends it in silence
    _say(f"error: {_one_line(reason)}")
    raise SystemExit(code)


def run(main: Callable[[], int | None]) -> int:
    """Run a script's `main` and give its exit code, for `sys.exit`.

    What can happen to any run ends in one line instead of a traceback. The code is then 130 for Ctrl-C (`main` may
    raise its own KeyboardInterrupt with a text to add), 1 for trouble with a file or a loss that diverged, and
    141, without a line, when the reader of a pipe has gone.

    >>> from minigrad.training import cli
    >>> cli.run(lambda: None), cli.run(lambda: 3)
    (0, 3)
    """
    try:
        code = main() or 0
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as interrupt:
        _say("; ".join(["interrupted", *map(str, interrupt.args)]))
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or flushing at exit would fail once more
        return 141
    except (OSError, DivergenceError) as error:
        _say(f"error: {_one_line(error)}")
        return 1


def _say(line: str) -> None:
    """A line on standard error, after the name of the script."""
    print(f"{os.path.basename(sys.argv[0])}: {line}", file=sys.stderr)


def _one_line(message: object) -> str:
    """The message on one line; of an OSError, its text and its file, without the number."""
    if isinstance(message, OSError) and message.strerror:
        message = f"{message.strerror}: {message.filename}" if message.filename else message.strerror
    return " ".join(str(message).split())
