"""No certificates on a machine: said in words, whatever was asked of the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.locks.condalock import Sources, lock_platforms
from jupyter_mlinfn.environments.locks.wishes import Wish
from jupyter_mlinfn.environments.search import PackageSearch
from jupyter_mlinfn.model.environment_tasks import Clone, Create, TaskRequest
from jupyter_mlinfn.model.errors import PartMissing
from tests.environments.engine.house import House

pytestmark = pytest.mark.slow

NOWHERE = "/nowhere/site.pem"


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let programs that are started from now on look for certificates elsewhere."""

    def look_at(file: str) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", file)
        monkeypatch.delenv("SSL_CERT_DIR", raising=False)

    return look_at


def test_which_file_and_what_to_set(
    house: House, tmp_path: Path, without: Callable[[str], None]
) -> None:
    """Solving asks channels, cloning from papers does not: both need the client."""
    house.create("one", "greeting")
    (tmp_path / "none.pem").write_text("no certificate\n")
    create, clone = Create(name="two", packages=("greeting",)), Clone(name="two", source="one")
    told: list[tuple[TaskRequest, str, str]] = [
        (create, NOWHERE, "which is not there"),
        (create, str(tmp_path / "none.pem"), "which holds none"),
        (clone, NOWHERE, "which is not there"),
    ]
    for request, file, why in told:
        without(file)
        result = house.do(request)
        assert (result.state, result.code, result.exit_code) == ("failed", "no-certificates", 3)
        assert f"SSL_CERT_FILE names {file}, {why}" in result.text
        assert "Set SSL_CERT_FILE to a file" in result.text
        assert "builder error" not in result.text
        assert not house.place("two").record.exists()


def test_a_search_says_it_too(house: House, tmp_path: Path, without: Callable[[str], None]) -> None:
    without(NOWHERE)
    search = PackageSearch(lambda: house.policy, tmp_path / "repodata")
    try:
        assert NOWHERE in (search.find("greeting").problem or "")
    finally:
        search.close()


def test_the_solver_for_conda_lock_says_it_too(
    small_channel: Path, tmp_path: Path, without: Callable[[str], None]
) -> None:
    without(NOWHERE)
    wish = Wish(channels=(small_channel.as_uri(),), conda=("greeting",))
    with pytest.raises(PartMissing) as refused:
        lock_platforms(wish, ("linux-64",), Sources((), cache=tmp_path / "cache"))
    assert refused.value.code == "no-certificates"
    assert NOWHERE in refused.value.text
