import json

import pytest

from minigrad.training import Comparison, EpochRecord, write_json

HISTORY = [
    EpochRecord(1, 0.9, 0.5, 0.8, 0.60, seconds=30.0),
    EpochRecord(2, 0.5, 0.7, 0.4, 0.85, seconds=6.0),
    EpochRecord(3, 0.3, 0.8, 0.5, 0.80, seconds=7.0),
]


def test_the_figures_of_a_run():
    run = Comparison("norm").add("batch", 6530, HISTORY)
    assert run.result() == {
        "parameters": 6530,
        "epochs": 3,
        "seconds_per_epoch": 7.0,  # the median, not led astray by a first epoch that compiles
        "best_valid_acc": 0.85,
        "best_epoch": 2,
        "final_valid_acc": 0.80,
        "final_train_loss": 0.3,
        "final_valid_loss": 0.5,
        "note": "",
    }


def test_the_table_has_a_row_a_run_in_order():
    comparison = Comparison("norm")
    comparison.add("batch", 1_206_530, HISTORY)
    comparison.add("a longer name", 5, HISTORY[:1])
    heading, first, second = str(comparison).splitlines()
    assert heading.startswith("norm         ")
    assert first.split() == ["batch", "1,206,530", "7.0", "0.8500", "2", "0.3000", "0.5000"]
    assert second.split() == ["a", "longer", "name", "5", "30.0", "0.6000", "1", "0.9000", "0.8000"]
    assert len(heading) == len(first) == len(second)


def test_a_run_without_an_epoch_and_one_that_went_astray():
    comparison = Comparison("lr")
    comparison.add("1000", 10, []).note = "diverged in epoch 1"
    comparison.add("100", 10, [EpochRecord(1, 7e30, 0.1, 2e29, 0.1, seconds=1.0)])
    heading, first, second = str(comparison).splitlines()
    assert first.split(maxsplit=7) == ["1000", "10", *"-----", "diverged in epoch 1"]
    assert second.split()[-2:] == ["7e+30", "2e+29"] and len(second) == len(heading)
    assert comparison.results()["1000"]["best_epoch"] is None


def test_no_runs_make_a_heading():
    assert str(Comparison("norm")).splitlines()[0].startswith("norm  parameters")
    assert Comparison("norm").results() == {}


def test_a_history_that_grows_is_followed():
    history = []
    comparison = Comparison("norm")
    run = comparison.add("batch", 10, history)
    history.append(HISTORY[0])
    assert run.result()["epochs"] == 1 and "0.6000" in str(comparison)


def test_a_name_is_given_once():
    comparison = Comparison("norm")
    comparison.add("batch", 10, [])
    with pytest.raises(ValueError, match="there is a norm 'batch' already; give each run its own name"):
        comparison.add("batch", 11, HISTORY)
    assert len(comparison.runs) == 1 and comparison.runs[0].parameters == 10


def test_the_results_are_json(tmp_path):
    comparison = Comparison("norm")
    comparison.add("none", 10, [])
    comparison.add("batch", 10, HISTORY)
    write_json(tmp_path / "result.json", comparison.results())
    assert json.loads((tmp_path / "result.json").read_text()) == comparison.results()
