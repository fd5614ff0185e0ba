"""The README keeps its word: its example prints what it says, and its excerpts and links are real."""

import contextlib
import io
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_set_up_is_exactly_two_commands():
    (set_up, *_) = blocks("bash")
    train, test = set_up.splitlines()
    assert "examples/train_mnist.py" in train
    assert "pytest" in test


def test_examples_print_what_the_readme_says():
    examples = [block for block in blocks("python") if block.startswith("import minigrad")]
    assert len([line for line in examples[0].splitlines() if line.strip()]) <= 22
    for example, text in zip(examples, blocks("text"), strict=True):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(example, "README.md", "exec"), {})
        assert printed.getvalue() == text


def test_excerpts_stand_in_the_code():
    excerpts = [block for block in blocks("python") if not block.startswith("import minigrad")]
    assert len(excerpts) >= 3
    code = "\n".join(path.read_text() for folder in ("minigrad", "tests") for path in (ROOT / folder).rglob("*.py"))
    for excerpt in excerpts:
        for part in excerpt.strip("\n").split("\n\n\n"):  # two blank lines: parts from different places of one file
            assert part in code, f"the README quotes code that is not there:\n{part}"


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", README)
    assert links
    for link in links:
        assert link.startswith("https://") or (ROOT / link).exists(), link
