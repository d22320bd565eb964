"""The pages are true in what a machine can check: their shape, their links, and what they name."""

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT, name_of, tracked_files

DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]
LINES_MAX = 60
PAGES = [path for path in tracked_files() if path.suffix == ".md"]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(
    r"`((?:src|tests|docs|migrations|deploy|bundles|\.ci)/[\w./-]+|\w+\.toml|Makefile)`"
)
# Built from parts, so that this file does not find itself.
MACHINE = re.compile(r"(?<![\w.~}])/(?:" + "|".join(["root", "work"]) + r")/\w|/home/[a-z]\w+/")
REGISTRY = re.compile(
    "|".join([r"py" + r"pi\.org", r"python" + r"hosted\.org", r"npm" + r"js\.(?:org|com)"])
)


def text_of(path: Path) -> str:
    """The file's text; of a file that is not text, nothing."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def enforced_by(page: Path) -> str:
    """The last section of a decision."""
    return page.read_text().partition("## Enforced by")[2]


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_index_lists_every_decision() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    assert LINK.findall(index) == [path.name for path in DECISIONS]


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_is_one_page_in_five_parts(page: Path) -> None:
    text = page.read_text()
    assert re.match(rf"# {page.name[:4]} · \S", text), "the title is `# NNNN · …`"
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert len(text.splitlines()) <= LINES_MAX, "one page"


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_ends_in_what_enforces_it(page: Path) -> None:
    named = PATH.findall(enforced_by(page))
    assert named, "name a file or a check"
    assert [it for it in named if not (ROOT / it).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [it for it in LINK.findall(page.read_text()) if not re.match(r"[a-z]+:", it)]
    dead = [it for it in targets if not (page.parent / it.removeprefix("/")).exists()]
    assert dead == []


def test_nothing_names_one_machine_or_one_registry() -> None:
    found = [
        f"{name_of(path)}: {match[0]}"
        for path in tracked_files()
        for match in [*MACHINE.finditer(text_of(path)), *REGISTRY.finditer(text_of(path))]
    ]
    assert found == []


def test_promise_67_no_page_calls_a_workspace_a_sandbox() -> None:
    called = re.compile(
        r"workspace[^.\n]{0,60}\bsandbox|sandbox[^.\n]{0,60}\bworkspace", re.IGNORECASE
    )
    pages = [*PAGES, *(ROOT / "src/perdure/api").rglob("*.py")]
    assert [name_of(page) for page in pages if called.search(text_of(page))] == []
