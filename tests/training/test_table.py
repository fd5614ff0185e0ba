import io

from minigrad.training import EpochRecord, EpochTable


def test_figures_stand_under_their_headings():
    heading = EpochTable.heading()
    ends = [heading.index(name) + len(name) for name in ("epoch", "train loss", "train accuracy", "seconds")]
    for record in (
        EpochRecord(1, 0.25, 0.9, 0.125, 0.95, 6.0),
        EpochRecord(100, 12.345678, 1.0, 0.00001, 0.0, 1234.56),
        EpochRecord(2, float("nan"), 0.1, float("inf"), 0.1, 0.04),
    ):
        row = EpochTable.row(record)
        assert len(row) == len(heading)
        assert all(row[end - 1] != " " and row[end : end + 2].strip() == "" for end in ends)
    assert EpochTable.row(EpochRecord(7, 0.25, 0.9, 0.125, 0.95, 6.0)).split() == [
        *("7", "0.2500", "0.9000", "0.1250", "0.9500", "6.0")
    ]


def test_headings_first_then_a_row_an_epoch(problem):
    stream = io.StringIO()
    history = problem.trainer(EpochTable(stream)).fit(problem.train, problem.valid, epochs=2)
    assert stream.getvalue().splitlines() == [EpochTable.heading(), *map(EpochTable.row, history)]


def test_a_run_that_is_taken_up_again_shows_its_earlier_rows(problem):
    stream = io.StringIO()
    trainer = problem.trainer(EpochTable(stream))
    trainer.history = [EpochRecord(1, 1.0, 0.5, 1.0, 0.5, 2.0)]
    trainer.fit(problem.train, problem.valid, epochs=2)
    assert len(stream.getvalue().splitlines()) == 3


def test_standard_output_is_looked_up_when_it_is_written_to(problem, capsys):
    table = EpochTable()
    problem.trainer(table).fit(problem.train, problem.valid, epochs=1)
    assert capsys.readouterr().out.startswith("epoch")
