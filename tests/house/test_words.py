"""Names come from `docs/glossary.md`: no drawer for odds and ends, no second word for a thing."""

import ast
import re

from tests.house.tree import ROOT, SRC, functions_in, modules_under, name_of, syntax_of

DRAWERS = {
    "base",
    "common",
    "core",
    "helper",
    "helpers",
    "manager",
    "managers",
    "misc",
    "util",
    "utils",
}
SUFFIXES = ("Base", "Helper", "Helpers", "Info", "Manager", "Util", "Utils")
VERBS_THAT_SAY_NOTHING = ("do_", "handle_", "process_")
# Words of the glossary's last column that no class of ours may have for a name.
NEVER_A_CLASS = {
    "account", "activity", "alarm", "attachment", "blob", "confirmation", "cron", "execution",
    "instance", "integration", "job", "journal", "lock", "org", "pipeline", "plugin", "queue",
    "recurrence", "signal", "suspend", "task", "tick", "workflow",
}  # fmt: skip


def never_words() -> set[str]:
    """What the glossary's last column refuses."""
    rows = re.findall(
        r"^\|.*\|.*\|([^|]*)\|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE
    )
    return {word.strip() for row in rows for word in row.split(",")}


def classes() -> list[tuple[str, str]]:
    """Every class of the sources with where it stands."""
    return [
        (f"{name_of(path)}:{node.lineno}", node.name)
        for path in modules_under(SRC)
        for node in ast.walk(syntax_of(path))
        if isinstance(node, ast.ClassDef)
    ]


def test_no_folder_or_module_is_a_drawer() -> None:
    drawers = [
        name_of(path)
        for path in modules_under(SRC)
        if {part.removesuffix(".py") for part in path.relative_to(SRC).parts} & DRAWERS
    ]
    assert drawers == [], "name it for what it holds, with a noun of the glossary"


def test_no_class_is_named_for_what_it_is_made_of() -> None:
    found = [f"{where} {name}" for where, name in classes() if name.endswith(SUFFIXES)]
    assert found == [], f"none of {', '.join(SUFFIXES)}: say what it does"


def test_no_class_has_a_word_that_the_glossary_refuses() -> None:
    found = [f"{where} {name}" for where, name in classes() if name.lower() in NEVER_A_CLASS]
    assert found == [], "docs/glossary.md has the word to use instead"


def test_no_function_hides_behind_an_empty_verb() -> None:
    found = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in modules_under(SRC)
        for node in functions_in(syntax_of(path))
        if node.name.lstrip("_").startswith(VERBS_THAT_SAY_NOTHING) or node.name.endswith("_helper")
    ]
    assert found == [], "use the verb that says what is done"


def test_these_words_are_the_glossary_s() -> None:
    assert never_words() >= NEVER_A_CLASS
