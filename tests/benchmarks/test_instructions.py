"""The count of the instructions that Python executes in a training step."""

import sys
from pathlib import Path

import instructions
import pytest
from suite import libraries, steps

from minigrad.kernels import threads


def double(x):
    return 2 * x


def twice(x):
    for _ in range(2):
        x = double(x)
    return x


def test_a_functions_own_instructions_are_counted_and_not_those_of_what_it_calls():
    executed, calls = instructions.count(lambda: double(1))
    name = f"{Path(__file__).name}:double"
    assert calls[name] == 1 and 3 <= executed[name] <= 8
    more, calls_of_twice = instructions.count(lambda: twice(1))
    assert (more[name], calls_of_twice[name]) == (2 * executed[name], 2)
    assert more[f"{Path(__file__).name}:twice"] > 2 * executed[name]


def test_the_tracer_is_put_back_when_the_step_fails():
    before = sys.gettrace()
    with pytest.raises(ZeroDivisionError):
        instructions.count(lambda: 1 / 0)
    assert sys.gettrace() is before


@pytest.mark.parametrize("name", steps.NETWORKS)
def test_the_count_of_a_step_is_nearly_the_same_each_time(name, monkeypatch, capsys):
    for name_of, value in (("STALL", threads.STALL), ("_resume", 0), ("_number", threads._number)):
        monkeypatch.setattr(threads, name_of, value)  # put back, for the command changes them
    monkeypatch.setattr(sys, "argv", ["instructions.py", "--only", name, name, "--lines", "1"])
    instructions.main()
    heads = []
    for block in capsys.readouterr().out.split("\n\n")[1:]:
        head, function = block.splitlines()
        assert head.startswith(f"{name}, batch 32: ") and ".py:" in function
        heads.append(int(head.split()[3].replace(",", "")))
    first, second = heads
    assert abs(first - second) <= 0.01 * first


MOST = {"mlp": 4_900, "mlp-bn": 6_900, "conv": 8_600, "conv-bn": 13_600}


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="other versions have other instructions")
@pytest.mark.parametrize("name", steps.NETWORKS)
def test_a_step_executes_no_more_instructions_than_it_did(name, monkeypatch):
    for name_of, value in (("STALL", 10**12), ("_resume", 0), ("_number", threads._number)):
        monkeypatch.setattr(threads, name_of, value)
    step = steps.step(libraries.load("minigrad", 2), name, 32).run
    for _ in range(3):
        step()
    executed, _ = instructions.count(step)
    for function in [function for function in executed if function.startswith("poisoned_memory.py:")]:
        del executed[function]  # the plugin's np.empty, where the tests run with it
    assert 0.5 * MOST[name] < executed.total() < MOST[name], executed.most_common(10)
