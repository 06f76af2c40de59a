"""Who may ask the broker for what: over HTTP, with every kind of token and of request."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.model.kubernetes import OWNER
from tests.hub.broker.answering import JOBS, PODS, PREFIX, SECRETS, Here
from tests.hub.broker.offers import ADA, BOB, allow, book, job

KUEUE = "/apis/kueue.x-k8s.io"
NAME = "mlinfn-abcdefghij"
V = f"{KUEUE}/v1beta2"
QUEUES = f"{V}/namespaces/jobs-ada"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    made = Here(tmp_path)
    made.answers["GET", KUEUE] = (200, {"versions": [{"version": "v1beta2"}]})
    made.answers["POST", JOBS] = (201, {"kind": "Job"})
    yield made
    made.stop()


@pytest.fixture
def manifest(tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "again"
    folder.mkdir()
    return job(allow(book(folder)))


def of(owner: str, name: str = NAME, uid: str = "u-1") -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": uid, "labels": {OWNER: owner}}}


def secret(name: str = NAME, owner: str = ADA.owner, **about: Any) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/managed-by": "jupyter-mlinfn", OWNER: owner,
        "jupyter-mlinfn/job": name.removeprefix("mlinfn-")[:10],
    }  # fmt: skip
    about = {"name": name, "labels": labels, **about}
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": about,
        "stringData": {"access.json": "hush-hush"},
    }  # fmt: skip


def code(answer: tuple[int, dict[str, Any]]) -> tuple[int, object]:
    return answer[0], answer[1].get("code")


# --- who --------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "nobody", "ada-session, x", "x" * 600])
@pytest.mark.parametrize("path", ["mlinfn/v1/session", JOBS, PODS, KUEUE])
def test_without_a_token_that_the_hub_knows_nothing_is_said(
    here: Here, token: str, path: str
) -> None:
    assert code(here.ask("GET", path, token)) == (401, "no-token")
    assert not here.asked


@pytest.mark.parametrize(
    "token",
    ["ada-personal", "ada-all", "bob-shared", "ad", "admin", "culler", "other"],
)
def test_only_a_session_of_ones_own_is_answered(here: Here, token: str) -> None:
    assert code(here.ask("GET", JOBS, token)) == (403, "not-a-session")
    assert code(here.ask("POST", JOBS, token, {})) == (403, "not-a-session")
    assert not here.asked


def test_a_cookie_is_no_token(here: Here) -> None:
    assert here.ask("GET", JOBS, "", Cookie="jupyterhub-user-ada=ada-session")[0] == 401


def test_pages_of_other_sites_are_refused(here: Here) -> None:
    told = here.ask("GET", JOBS, Origin="https://evil.example.org")
    assert code(told) == (403, "foreign-origin")


def test_a_session_is_told_where_its_jobs_go(here: Here) -> None:
    status, told = here.ask("GET", "mlinfn/v1/session")
    assert status == 200
    assert (told["namespace"], told["owner"]) == ("jobs-ada", ADA.owner)
    assert here.ask("GET", "mlinfn/v1/session", "bob-session")[1]["namespace"] == "jobs-bob"


def test_who_left_the_group_or_whose_session_ended_makes_nothing(
    here: Here, manifest: dict[str, Any]
) -> None:
    assert here.ask("POST", JOBS, body=manifest)[0] == 201
    assert here.ask("GET", f"{QUEUES}/localqueues")[0] == 404  # looking relies on the last word
    here.people["ada"]["groups"] = []
    assert here.ask("POST", JOBS, body=manifest)[0] == 403
    here.people["ada"]["groups"] = ["users/ai-infn"]
    assert here.ask("POST", JOBS, body=manifest)[0] == 201
    here.people["ada"]["servers"][""]["stopped"] = True
    assert code(here.ask("POST", JOBS, body=manifest)) == (403, "no-session")
    here.people["ada"] = None
    assert code(here.ask("PUT", f"{SECRETS}/{NAME}", body=secret())) == (403, "no-session")
    assert len([one for one in here.asked if one[0] == "POST"]) == 2


def test_who_left_still_sees_and_removes_what_is_hers(here: Here) -> None:
    here.people["ada"]["groups"] = []
    here.answers["GET", f"{JOBS}/{NAME}"] = (200, of(ADA.owner))
    here.answers["DELETE", f"{JOBS}/{NAME}"] = (200, {})
    assert here.ask("GET", f"{JOBS}/{NAME}")[0] == 200
    assert here.ask("DELETE", f"{JOBS}/{NAME}")[0] == 200


# --- whose ------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
def test_what_is_another_persons_is_not_there(here: Here, verb: str) -> None:
    here.answers["GET", f"{JOBS}/{NAME}"] = (200, of(BOB.owner))
    here.answers["DELETE", f"{JOBS}/{NAME}"] = (200, {})
    assert code(here.ask(verb, f"{JOBS}/{NAME}")) == (404, "not-found")
    assert [one[0] for one in here.asked] == ["GET"]


@pytest.mark.parametrize("below", ["", "/log"])
def test_pods_of_others_are_not_there(here: Here, below: str) -> None:
    here.answers["GET", f"{PODS}/p"] = (200, {"metadata": {"name": "p"}})
    assert here.ask("GET", f"{PODS}/p{below}")[0] == 404
    assert len(here.asked) == 1


@pytest.mark.parametrize("space", ["jobs-bob", "kube-system", "default", "jobs-ada%2F..", "-"])
def test_another_namespace_is_not_there(here: Here, space: str, manifest: dict[str, Any]) -> None:
    place = JOBS.replace("jobs-ada", space)
    assert code(here.ask("GET", place)) == (404, "not-found")
    assert code(here.ask("POST", place, body=manifest)) == (404, "not-found")
    assert not here.asked


def test_lists_are_of_ones_own_alone(here: Here) -> None:
    here.answers["GET", JOBS] = (200, {"items": []})
    assert here.ask("GET", JOBS)[0] == 200
    assert f"labelSelector=jupyter-mlinfn%2Fowner%3D{ADA.owner}" in here.asked[-1][1]
    for wrong in (f"{OWNER}={BOB.owner}", f"{OWNER}!={ADA.owner}", "a=b", f"{OWNER}={ADA.owner},x"):
        query = wrong.replace("=", "%3D").replace("/", "%2F")
        assert here.ask("GET", f"{JOBS}?labelSelector={query}")[0] == 400
    assert len(here.asked) == 1


def test_just_the_job_that_was_looked_at_is_removed(here: Here) -> None:
    here.answers["GET", f"{JOBS}/{NAME}"] = (200, of(ADA.owner, uid="u-7"))
    here.answers["DELETE", f"{JOBS}/{NAME}"] = (200, {})
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    assert here.ask("DELETE", f"{JOBS}/{NAME}", body=options)[0] == 200
    assert here.asked[-1][2] == options | {"preconditions": {"uid": "u-7"}}
    wrong = options | {"propagationPolicy": "Orphan"}
    assert here.ask("DELETE", f"{JOBS}/{NAME}", body=wrong)[0] == 400


# --- what -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "", "api/v1/namespaces", "api/v1/nodes", "apis/batch/v1/jobs", "version", "api",
        f"{JOBS}/{NAME}/status", f"{JOBS}/../../../nodes", f"{JOBS}/%2e%2e/secrets",
        f"{JOBS}/..%2f..%2fsecrets", f"{JOBS}/A", f"{JOBS}//", f"{PODS}/p/exec", f"{PODS}/p/attach",
        f"{PODS}/p/proxy/", f"{PODS}/p/ephemeralcontainers",
        "api/v1/namespaces/jobs-ada/configmaps", "api/v1/namespaces/jobs-ada/serviceaccounts",
        f"{V}/workloads", f"{V}/resourceflavors", f"{QUEUES}/workloads/x", f"{KUEUE}/../v1",
        "apis/rbac.authorization.k8s.io/v1/clusterroles", "mlinfn/v1/session/x",
    ],
)  # fmt: skip
def test_what_is_not_in_the_contract_is_not_there(here: Here, path: str) -> None:
    for verb in ("GET", "POST", "PUT", "DELETE"):
        assert here.ask(verb, path, body=b"{}")[0] == 404
    assert not here.asked


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("PATCH", f"{JOBS}/{NAME}"), ("PUT", f"{JOBS}/{NAME}"), ("POST", f"{JOBS}/{NAME}"),
        ("DELETE", JOBS), ("POST", PODS), ("DELETE", f"{PODS}/p"), ("GET", SECRETS),
        ("GET", f"{SECRETS}/{NAME}"), ("DELETE", SECRETS), ("POST", KUEUE), ("OPTIONS", JOBS),
        ("POST", f"{QUEUES}/localqueues"), ("POST", f"{SECRETS}/{NAME}"), ("PUT", SECRETS),
    ],
)  # fmt: skip
def test_other_verbs_are_refused(here: Here, verb: str, path: str) -> None:
    assert code(here.ask(verb, path, body=b"{}")) == (405, "verb")
    assert not here.asked


@pytest.mark.parametrize(
    "query",
    ["watch=true", "watch=1", "pretty=true", "limit=0", "limit=501", "limit=1&limit=2",
     "continue=%0A", "resourceVersion=0", "fieldSelector=status.phase!%3DSucceeded"],
)  # fmt: skip
def test_other_parameters_are_refused(here: Here, query: str) -> None:
    status, told = here.ask("GET", f"{JOBS}?{query}")
    assert (status, told.get("code")) == (400, "bad-input")
    assert not here.asked


def test_documents_are_json_and_not_too_long(here: Here, manifest: dict[str, Any]) -> None:
    plain = here.ask("POST", JOBS, body=manifest, Content_Type="text/plain")
    assert code(plain) == (400, "bad-input")
    form = here.ask("POST", JOBS, body=b"a=b", Content_Type="application/x-www-form-urlencoded")
    assert form[0] == 400
    assert code(here.ask("POST", JOBS, body=b" " * (256 * 2**10 + 1))) == (413, "too-long")
    assert here.ask("DELETE", f"{JOBS}/{NAME}", body=b" " * 5000)[0] == 413
    twice = json.dumps(manifest).replace('"kind":', '"kind": "Job", "kind":', 1).encode()
    assert code(here.ask("POST", JOBS, body=twice)) == (400, "bad-input")
    assert not here.asked


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [2**20 + 1, 5 * 2**20])
@pytest.mark.parametrize(
    ("path", "what", "most"), [(JOBS, "This Job", "256.0 KiB"), (SECRETS, "This Secret", "1.0 MiB")]
)
def test_a_body_of_any_length_is_refused_in_words(
    here: Here, path: str, what: str, most: str, size: int, chunked: bool
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", here.port, timeout=60)
    headers = {"Authorization": "token ada-session", "Content-Type": "application/json"}
    body = iter([b" " * 2**20, b" " * (size - 2**20)]) if chunked else b" " * size
    connection.request("POST", PREFIX + path[1:], body, headers, encode_chunked=chunked)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    assert (answer.status, told["status"], told["code"]) == (413, 413, "too-long")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert told["detail"].startswith(f"{what} is too long: it may have {most} at most. ")
    assert not here.asked


def test_what_is_refused_is_told_with_every_path(here: Here, manifest: dict[str, Any]) -> None:
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = "other:1"
    manifest["spec"]["suspend"] = False
    status, told = here.ask("POST", JOBS, body=manifest)
    assert (status, told["code"]) == (403, "not-offered")
    assert {one["field"] for one in told["problems"]} == {
        "spec.suspend", "spec.template.spec.containers.0.image",
    }  # fmt: skip
    assert not any(one[0] == "POST" for one in here.asked)


def test_kubernetes_is_told_what_was_checked_strictly(here: Here, manifest: dict[str, Any]) -> None:
    asked = f"{JOBS}?fieldValidation=Ignore&fieldManager=me"
    assert here.ask("POST", asked, body=manifest)[0] == 201
    verb, where, made = here.asked[-1]
    assert verb == "POST"
    assert "fieldValidation=Strict" in where
    assert made["metadata"]["namespace"] == "jobs-ada"


# --- secrets ----------------------------------------------------------------------------------


def test_a_secret_has_a_name_that_is_nobody_elses(here: Here) -> None:
    stored = f"{SECRETS}/{NAME}-{ADA.owner}"
    here.answers |= {("POST", SECRETS): (201, {}), ("PUT", stored): (200, {"data": "c2VjcmV0"})}
    here.answers["DELETE", stored] = (200, {})
    status, told = here.ask("POST", SECRETS, body=secret())
    assert (status, told["metadata"]["name"]) == (201, NAME)
    assert here.asked[-1][2]["metadata"]["name"] == f"{NAME}-{ADA.owner}"
    assert here.asked[-1][2]["type"] == "Opaque"
    status, told = here.ask("PUT", f"{SECRETS}/{NAME}", body=secret())
    assert status == 200
    assert "data" not in told
    assert here.ask("DELETE", f"{SECRETS}/{NAME}")[0] == 200
    assert "hush-hush" not in here.audit.read_text()


@pytest.mark.parametrize(
    "wrong",
    [
        secret("hub"), secret(owner=BOB.owner), secret(namespace="kube-system"),
        secret() | {"type": "kubernetes.io/service-account-token"}, secret() | {"data": {}},
        secret() | {"stringData": {"x": "y"}}, secret() | {"immutable": True},
        secret(annotations={"kubernetes.io/service-account.name": "hub"}),
        secret(finalizers=["x/y"]),
        secret(ownerReferences=[{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "1"}]),
        secret(ownerReferences=[
            {"apiVersion": "batch/v1", "kind": "Job", "name": "mlinfn-bbbbbbbbbb", "uid": "1"}]),
        secret(ownerReferences=[
            {"apiVersion": "batch/v1", "kind": "Job", "name": NAME, "uid": "1",
             "blockOwnerDeletion": True}]),
    ],
)  # fmt: skip
def test_secrets_of_another_form_are_refused(here: Here, wrong: dict[str, Any]) -> None:
    assert here.ask("POST", SECRETS, body=wrong)[0] in (400, 403)
    assert not here.asked


@pytest.mark.parametrize(("owner", "uid", "status"), [
    (ADA.owner, "1f", 200), (ADA.owner, "2f", 403), (BOB.owner, "1f", 404),
])  # fmt: skip
def test_a_secret_goes_with_ones_own_job(here: Here, owner: str, uid: str, status: int) -> None:
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": NAME, "uid": uid}
    here.answers["GET", f"{JOBS}/{NAME}"] = (200, of(owner, uid="1f"))
    here.answers["PUT", f"{SECRETS}/{NAME}-{ADA.owner}"] = (200, {})
    told = here.ask("PUT", f"{SECRETS}/{NAME}", body=secret(ownerReferences=[reference]))
    assert told[0] == status


# --- Kueue ------------------------------------------------------------------------------------


def test_of_the_queues_those_of_the_profile_are_shown(here: Here) -> None:
    local = [
        {"metadata": {"name": name}, "spec": {"clusterQueue": f"of-{name}"}}
        for name in ("default", "admins", "closed")
    ]
    behind = [{"metadata": {"name": f"of-{one}"}} for one in ("default", "admins", "other")]
    here.answers["GET", f"{QUEUES}/localqueues"] = (200, {"items": local})
    here.answers["GET", f"{V}/clusterqueues"] = (200, {"items": behind})
    told = here.ask("GET", f"{QUEUES}/localqueues")[1]["items"]
    assert [one["metadata"]["name"] for one in told] == ["default", "closed"]
    told = here.ask("GET", f"{V}/clusterqueues?limit=500")[1]["items"]
    assert [one["metadata"]["name"] for one in told] == ["of-default"]


def test_of_others_in_the_line_only_their_place_is_told(here: Here) -> None:
    def work(uid: str, queue: str) -> dict[str, Any]:
        labels = {"kueue.x-k8s.io/job-uid": uid}
        told = {"type": "QuotaReserved", "status": "True", "message": "of bob"}
        return {
            "metadata": {"name": f"job-{uid}", "labels": labels, "creationTimestamp": "t"},
            "spec": {"queueName": queue, "priority": 3, "podSets": ["sizes"]},
            "status": {"conditions": [told]},
        }

    mine, theirs = work("u-1", "default"), work("u-2", "default")
    here.answers["GET", JOBS] = (200, {"items": [of(ADA.owner)]})
    listed = {"items": [mine, theirs, work("u-3", "admins")]}
    here.answers["GET", f"{QUEUES}/workloads"] = (200, listed)
    told = here.ask("GET", f"{QUEUES}/workloads")[1]["items"]
    assert told[0] == mine
    assert told[1] == {
        "metadata": {"creationTimestamp": "t"},
        "spec": {"queueName": "default", "priority": 3},
        "status": {"conditions": [{"type": "QuotaReserved", "status": "True"}]},
    }
    assert len(told) == 2


# --- audit ------------------------------------------------------------------------------------


def test_each_write_is_a_line_and_holds_no_document(here: Here, manifest: dict[str, Any]) -> None:
    name = manifest["metadata"]["name"]
    here.ask("POST", JOBS, body=manifest)
    manifest["spec"]["suspend"] = False
    here.ask("POST", JOBS, body=manifest)
    here.ask("POST", JOBS, body={"kind": "Secret", "password": "hush-hush"})
    here.ask("DELETE", f"{JOBS}/{NAME}")
    here.ask("GET", JOBS)
    lines = here.lines_of_audit()
    assert [(one["verb"], one["name"], one["status"], one["code"]) for one in lines] == [
        ("POST", name, 201, ""), ("POST", name, 403, "not-offered"), ("POST", "", 400, "bad-input"),
        ("DELETE", NAME, 404, "not-found"),
    ]  # fmt: skip
    assert {(one["user"], one["server"], one["namespace"]) for one in lines} == {
        ("ada", "", "jobs-ada")
    }
    told = here.audit.read_text()
    assert "ada-session" not in told
    assert "hush-hush" not in told
    assert here.audit.stat().st_mode & 0o077 == 0
