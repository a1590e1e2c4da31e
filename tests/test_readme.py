"""The README: every snippet runs and prints what is shown below it, commands and links exist, Quick start holds two commands of one line."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

import qdot
from qdot import cli

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.(\d+))?(?:e([-+]?\d+))?(?![\w.]*\w)")


class Block(NamedTuple):
    """One fenced block: language, text, section (title of the nearest ## heading above), line."""

    language: str
    text: str
    section: str
    line: int


def blocks(text: str) -> list[Block]:
    """Every fenced block of a Markdown text, in order."""
    found: list[Block] = []
    section, fence, start = "", None, 0
    body: list[str] = []
    for i, line in enumerate(text.splitlines(), start=1):
        if fence is None and line.startswith("## "):
            section = line[3:]
        if not line.startswith("```"):
            body.append(line)
        elif fence is None:
            fence, start, body = line[3:], i, []
        else:
            found.append(Block(fence, "\n".join(body), section, start))
            fence = None
    return found


BLOCKS = blocks(TEXT)


def shown_below(block: Block) -> str:
    """The output that the README shows for a block: the ```text block right after it."""
    follower = BLOCKS[BLOCKS.index(block) + 1]
    assert follower.language == "text", f"README line {block.line}: no output is shown"
    return follower.text


def same_output(printed: str, shown: str) -> None:
    """Equal words; numbers equal to one unit of the last digit shown or to twice the tolerance of qdot; an error bound need only be below 1e-9."""
    for now, then in zip(printed.split("\n"), shown.split("\n"), strict=True):
        assert " ".join(NUMBER.sub("#", now).split()) == " ".join(NUMBER.sub("#", then).split())
        bound = max(then.find("error bound"), then.find("error_bound"))
        for got, expected in zip(NUMBER.finditer(now), NUMBER.finditer(then), strict=True):
            if bound >= 0 and expected.start() > bound:
                assert abs(float(got[0])) < 1e-9
            else:
                unit = 10.0 ** (int(expected[2] or 0) - len(expected[1] or ""))
                assert abs(float(got[0]) - float(expected[0])) <= max(1.01 * unit, 2e-9 * abs(float(expected[0]))), f"{now!r} for {then!r}"


def test_every_python_snippet_runs_and_prints_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    snippets = [b for b in BLOCKS if b.language == "python"]
    assert len(snippets) == 8
    names: dict[str, object] = {}
    for block in snippets:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block.text, f"README.md:{block.line}", "exec"), names)
        same_output(printed.getvalue().rstrip("\n"), shown_below(block))


def test_every_command_outside_quick_start_runs_and_prints_what_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    commands = [b for b in BLOCKS if b.language == "sh" and b.section != "Quick start"]
    assert len(commands) == 1
    for block in commands:
        program, *arguments = shlex.split(block.text)
        assert program == "qdot"
        assert cli.main(arguments) == 0
        same_output("\n".join(line.rstrip() for line in capsys.readouterr().out.strip("\n").split("\n")), shown_below(block))


def test_the_scenario_shown_is_the_example_that_the_command_runs() -> None:
    (scenario,) = [b for b in BLOCKS if b.language == "toml"]
    command = BLOCKS[BLOCKS.index(scenario) + 1]
    shipped = (ROOT / command.text.split()[-1]).read_text(encoding="utf-8")
    assert scenario.text.strip() == "\n".join(line for line in shipped.splitlines() if not line.startswith("#")).strip()


def test_quick_start_holds_two_commands_of_one_line_that_make_their_own_environment() -> None:
    commands = [b.text for b in BLOCKS if b.section == "Quick start"]
    assert [b.language for b in BLOCKS if b.section == "Quick start"] == ["sh", "sh"]
    assert all("\n" not in c and c.startswith("python3 -m venv .venv && .venv/bin/pip install -q ") for c in commands)
    assert commands[0].endswith("&& .venv/bin/qdot reproduce")
    assert commands[1].endswith("&& .venv/bin/python -m pytest -q")


def test_links_lead_to_files_and_the_picture_is_small() -> None:
    prose = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)#:]+)\)", prose)
    assert "docs/picture.png" in links
    for link in links:
        assert (ROOT / link).is_file(), link
    assert (ROOT / "docs/picture.png").stat().st_size < 150_000


def test_the_table_of_commands_is_that_of_the_program() -> None:
    assert set(re.findall(r"^\| `qdot (\w+)", TEXT, re.MULTILINE)) == set(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]


def test_every_dependency_has_its_line_of_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    reasons = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    needed = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    packages = {re.split(r"[\[<>=]", r)[0] for r in needed}
    assert {p for p in packages if not re.search(rf"^\|.*\b{p}\b.*\|", reasons, re.MULTILINE)} == set()
    assert set(re.findall(r"^\| `(\w+)`", reasons, re.MULTILINE)) == set(project["optional-dependencies"])


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == qdot.__version__
    assert f"version: {qdot.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## [{qdot.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_outputs_that_differ_are_seen() -> None:
    same_output("a 1.2345 error bound 3e-12", "a 1.2344 error bound 1e-13")
    for printed, shown in (("a 1.2346", "a 1.2344"), ("a 1.2", "b 1.2"), ("x error bound 1e-8", "x error bound 1e-13"), ("g2(0) = 1e-05", "g2(0) = 3e-05")):
        with pytest.raises(AssertionError):
            same_output(printed, shown)
