"""What this machine offers, by HTTP."""

from __future__ import annotations

from jupyter_mlinfn.diagnosis import NEEDED, Diagnosis
from tests.server.serving import Server


async def test_the_document_is_that_of_the_terminal(server: Server) -> None:
    reply = await server.ask("GET", "doctor")
    assert reply.status == 200
    checks = {check.name: check for check in Diagnosis.model_validate(reply.json).checks}
    assert set(checks) >= NEEDED | {"images", "package-cache", "apptainer", "squashfs-tools"}
    assert all("could not be checked" not in check.text for check in checks.values())
    assert "unpacking" in checks["images"].text
