"""The documentation mentions what exists, names nothing that does not, and its links lead somewhere."""

import re
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from market import cli
from market.settings import Settings
from market.web.render import ROOT

PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
README = (ROOT / "README.md").read_text()
GUIDES = ("pedagang", "pembeli", "petugas", "kantor", "bendahara", "auditor", "kota", "admin")


@lru_cache
def verbs() -> frozenset[str]:
    """Every verb of the command line, as it is typed: "market db upgrade"."""
    built: list[ArgumentParser] = []
    with pytest.MonkeyPatch.context() as patch:
        # The parser is wanted, not what it would run.
        patch.setattr(cli, "execute", lambda parser, *_: built.append(parser) or 0)
        cli.main([])
    return frozenset(_leaves(built[0], "market"))


def _leaves(parser: ArgumentParser, path: str) -> Iterator[str]:
    below = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    if not below:
        yield path
    for action in below:
        for name, child in action.choices.items():
            yield from _leaves(child, f"{path} {name}")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_setting_is_explained() -> None:
    missing = [name for name in Settings.model_fields if f"`MARKET_{name.upper()}`" not in OPERATIONS]
    assert missing == []


def test_no_setting_is_explained_that_does_not_exist() -> None:
    named = set(re.findall(r"`MARKET_([A-Z_]+)`", OPERATIONS))
    assert named - {name.upper() for name in Settings.model_fields} == set()


def test_every_verb_is_explained() -> None:
    assert [verb for verb in sorted(verbs()) if f"`{verb}" not in OPERATIONS] == []


def test_no_verb_is_explained_that_does_not_exist() -> None:
    named = set(re.findall(r"^\| `(market [a-z -]+?)(?: [A-Z-].*)?`", OPERATIONS, re.MULTILINE))
    assert named - set(verbs()) == set()


def test_every_make_target_is_explained() -> None:
    assert [name for name in targets() if f"`make {name}`" not in OPERATIONS] == []


def test_every_make_target_named_exists() -> None:
    for page in PAGES:
        named = set(re.findall(r"`make ([a-z-]+)", page.read_text()))
        assert named <= targets(), page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'<img [^>]*src="([^"]+)"', text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            heads = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}, target


def test_paths_named_in_the_docs_exist() -> None:
    for page in PAGES:
        for name in re.findall(
            r"`((?:docs|market|tests|bench|templates|locale|requirements)/[\w./-]+)`", page.read_text()
        ):
            assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_every_kind_of_user_has_a_page() -> None:
    for guide in GUIDES:
        text = (ROOT / "docs" / "guide" / f"{guide}.md").read_text()
        assert "## In English" in text, guide
        assert f"docs/guide/{guide}.md" in README, f"the README leads to {guide}"


def test_the_site_shows_every_page() -> None:
    listed = set(
        re.findall(r"^ +- ([\w./-]+\.md)$|^  - (README\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    )
    named = {name for pair in listed for name in pair if name}
    written = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    records = {name for name in written if name.startswith("decisions/0")}  # their own list leads to them
    assert written - named - records == set(), "name it in the nav of mkdocs.yml"


def test_decisions_are_numbered_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    records = sorted(path.name for path in folder.glob("0*.md"))
    assert [name[:4] for name in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    assert [name for name in records if name not in listed] == []


def test_the_readme_says_the_two_commands_and_shows_three_pictures() -> None:
    assert "make run" in README
    assert "make test" in README
    assert len(re.findall(r"!\[[^\]]+\]\(docs/screenshots/[^)]+\)|<img [^>]*src=\"docs/screenshots/", README)) >= 3


def test_the_dockerfile_copies_what_exists() -> None:
    """No engine runs here, so nothing is built: what can be read is read. More in tests/scale/test_deploy.py."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE) for word in line.split()[:-1]
    ]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not set(copied) & set(ignored)
    assert re.search(r"^USER (?!root)", dockerfile, re.MULTILINE)
