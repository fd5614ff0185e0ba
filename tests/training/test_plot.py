import sys

import pytest

from minigrad.training import Comparison, EpochRecord, plot_comparison, plot_curves

HISTORY = [EpochRecord(i, 1 / i, 1 - 0.1 / i, 0.9 / i, 1 - 0.05 / i, 6.0) for i in range(1, 5)]


@pytest.mark.parametrize("epochs", [1, 4])
def test_a_png_is_drawn(tmp_path, epochs):
    pytest.importorskip("matplotlib")
    plot_curves(HISTORY[:epochs], tmp_path / "curves.png", title="conv-bn")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_no_window_system_is_asked_for(tmp_path):
    pytest.importorskip("matplotlib")
    had = "matplotlib.pyplot" in sys.modules
    plot_curves(HISTORY, tmp_path / "curves.png")
    assert ("matplotlib.pyplot" in sys.modules) == had


def test_without_matplotlib_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"needs matplotlib.*pip install matplotlib"):
        plot_curves(HISTORY, tmp_path / "curves.png")
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="history is empty"):
        plot_curves([], tmp_path / "curves.png")


def compared(*lengths):
    """A comparison of runs of so many epochs."""
    comparison = Comparison("norm")
    for i, epochs in enumerate(lengths):
        comparison.add(f"run {i}", 10, HISTORY[:epochs])
    return comparison


def test_every_run_of_a_comparison_is_drawn_in_each_panel(tmp_path, monkeypatch):
    figure_module = pytest.importorskip("matplotlib.figure")
    figures = []

    class Figure(figure_module.Figure):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            figures.append(self)

    monkeypatch.setattr(figure_module, "Figure", Figure)
    plot_comparison(compared(4, 0, *[2] * 10), tmp_path / "curves.png", title="conv")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    (figure,) = figures
    for axes, field in zip(figure.axes, ("train_loss", "valid_loss", "train_acc", "valid_acc"), strict=True):
        assert (axes.get_ylabel(), axes.get_title()) == (
            "loss" if "loss" in field else "accuracy",
            "validation" if "valid" in field else "training (running)",
        )
        assert axes.get_xlim() == (0.5, 4.5) and list(axes.get_xticks()[1:-1]) == [1, 2, 3, 4]
        assert [len(line.get_xdata()) for line in axes.lines] == [4, 0, *[2] * 10]
        assert list(axes.lines[0].get_ydata()) == [getattr(record, field) for record in HISTORY]
        assert len({(line.get_color(), line.get_marker()) for line in axes.lines}) == 12
        widths = [line.get_linewidth() for line in axes.lines]
        assert widths == sorted(widths, reverse=True) and widths[-1] >= 1
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [f"run {i}" for i in range(12)]
    assert legend.get_title().get_text() == "norm" and figure.get_suptitle() == "conv"


def test_a_comparison_of_nothing_is_an_error(tmp_path):
    for comparison in (compared(), compared(0, 0)):
        with pytest.raises(ValueError, match="plot_comparison: no run has finished an epoch"):
            plot_comparison(comparison, tmp_path / "curves.png")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_a_comparison_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"plot_comparison: needs matplotlib.*pip install matplotlib"):
        plot_comparison(compared(1), tmp_path / "curves.png")
