"""What the hub is told of the service and the culler."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlinfn.hub.service.definition import prefix_of, service_settings, services
from jupyter_mlinfn.hub.service.settings import read_settings
from jupyter_mlinfn.model.errors import InputError

SECRET = "postgresql://mlinfn:hunter2@db/leases"


def test_least_scopes_and_no_secret_where_others_see_it(tmp_path: Path) -> None:
    told = service_settings(leases=SECRET, state=tmp_path / "state", cull_every=30)
    programs, roles = services(told)
    assert [one["name"] for one in programs] == ["mlinfn", "mlinfn-culler"]
    assert roles == [
        {
            "name": "mlinfn-culler",
            "services": ["mlinfn-culler"],
            "scopes": [
                "list:users", "read:users:activity", "read:servers", "delete:servers",
            ],
        }
    ]  # fmt: skip
    assert not any(one.get("admin") for one in programs)
    assert "hunter2" not in json.dumps([programs, roles])
    assert "--cull-every=30" in programs[1]["command"]
    file = tmp_path / "state" / "service.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert read_settings(file) == told
    assert programs[1]["environment"]["MLINFN_HUB_SERVICE"] == told.address


def test_a_first_installation_ends_nothing() -> None:
    assert service_settings(leases=SECRET, state=Path("s")).reclaim.dry_run


def test_the_path_below_which_it_answers() -> None:
    told = service_settings(leases=SECRET, state=Path("s"), host="hub", port=7)
    assert told.listen == "http://hub:7"
    assert prefix_of(told.address) == "/services/mlinfn/"
    assert prefix_of("https://hub/x/services/mlinfn/") == "/x/services/mlinfn/"


def test_settings_that_cannot_be_read_are_named_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "service.json"
    file.write_text(json.dumps({"leases": SECRET, "reclaim": {"gap": -1}}), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_settings(file)
    assert "reclaim.gap" in refused.value.text
    assert "hunter2" not in refused.value.text
