"""The published JSON Schema: not stale, and of one mind with the reader."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from jupyter_mlinfn.profiles.document import Backup, Ceiling, Document, Times
from jupyter_mlinfn.profiles.reading import read_text
from jupyter_mlinfn.profiles.saying import TABLES, keys_of
from jupyter_mlinfn.profiles.schema import NAME, json_schema, text
from tests.profiles.files import TEXT

ROOT = Path(__file__).parents[2]


def test_the_published_schema_is_not_stale() -> None:
    published = (ROOT / "docs" / NAME).read_text(encoding="utf-8")
    assert published == text(), f"run: mlinfn hub schema > docs/{NAME}"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


def offers() -> dict[str, str]:
    files = (ROOT / "deploy" / "profiles").glob("*.toml")
    return {"tests": TEXT} | {file.name: file.read_text(encoding="utf-8") for file in files}


@pytest.mark.parametrize("offer", offers().values(), ids=offers().keys())
def test_right_files_are_right_by_the_schema(offer: str) -> None:
    Draft202012Validator(json_schema()).validate(json.loads(json.dumps(tomllib.loads(offer))))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("schema = 1", "schema = 2"),
        ("[ceiling]", "[celing]"),
        ('"64GiB"', '"lots"'),
        ("cpu = 16", 'cpu = "16"'),
        ('kind = "bind"', 'kind = "bnd"'),
        ('mig = "1g.10gb"', 'mig = "1g"'),
        ('privileges = ["fuse"]', 'privileges = ["SYS_ADMIN"]'),
        ("ports = [8787]", "ports = [22]"),
        ('on_full = "wait"', "privileged = true"),
        ("[volume.home]", '[volume."Home dir"]'),
    ],
)
def test_wrong_files_are_wrong_by_the_schema(right: str, wrong: str) -> None:
    assert right in TEXT
    document = tomllib.loads(TEXT.replace(right, wrong, 1))
    assert not Draft202012Validator(json_schema()).is_valid(document)


def test_the_reference_page_names_every_key() -> None:
    page = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    tables = [Document, Ceiling, Backup, *TABLES.values(), Times]
    missing = {key for table in tables for key in keys_of(table) if f"`{key}`" not in page} - {
        "ceiling",
        "profile",
        *TABLES,
    }
    assert not missing


def test_the_small_file_of_the_reference_page_is_right() -> None:
    page = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    small = page.split("## A small file")[1].split("```toml\n")[1].split("```")[0]
    assert [pool.name for pool in read_text(small, "profiles.md").book.pools] == ["t4"]
