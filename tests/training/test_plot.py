import sys

import pytest

from minigrad.training import EpochRecord, plot_curves

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
