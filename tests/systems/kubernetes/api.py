"""The plainest client of a Kubernetes API server, independent of the one under test."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

MERGE = "application/merge-patch+json"


class Said(Exception):
    """What the server answered instead of doing it; ``code`` is its HTTP status."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


@dataclass
class Api:
    """One server, as the holder of ``token``; ``ca`` is the file with its certificate."""

    port: int
    ca: str
    token: str
    _local: threading.local = field(default_factory=threading.local)

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """One request; the JSON it answered. Raises :class:`Said` and OSError."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body), kind
        for again in (False, True):
            connection = self._connection()
            try:
                connection.request(method, path, data, headers)
                answer = connection.getresponse()
                text = answer.read().decode()
                break
            except (OSError, http.client.HTTPException) as error:
                self._local.connection = None
                connection.close()
                if again or method == "POST":
                    raise OSError(str(error)) from error
        if answer.status >= 400:
            raise Said(answer.status, text[:2000])
        return json.loads(text) if text.startswith("{") else text

    def get(self, path: str) -> Any:
        """Read an object, a list or a text."""
        return self.call("GET", path)

    def find(self, path: str) -> Any | None:
        """Read an object; ``None`` when it is not there."""
        try:
            return self.get(path)
        except Said as error:
            if error.code == 404:
                return None
            raise

    def post(self, path: str, body: Any) -> Any:
        """Make an object."""
        return self.call("POST", path, body)

    def merge(self, path: str, body: Any) -> Any:
        """Change some of an object."""
        return self.call("PATCH", path, body, MERGE)

    def delete(self, path: str, **options: Any) -> Any:
        """Remove an object."""
        asked = {"kind": "DeleteOptions", "apiVersion": "v1", **options}
        return self.call("DELETE", path, asked)

    def apply(self, path: str, body: Any) -> Any:
        """Make an object as a whole, or leave it as it is when it is there."""
        try:
            return self.post(path, body)
        except Said as error:
            if error.code == 409:
                return self.get(f"{path}/{quote(body['metadata']['name'])}")
            raise

    def _connection(self) -> http.client.HTTPSConnection:
        found: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if found is None:
            context = ssl.create_default_context(cafile=self.ca)
            found = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)
            self._local.connection = found
        return found
