"""A real hub and a real OpenID provider: who comes in, who stays in, who gets a token.

One hub and one provider for all tests; each test has people of its own.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import pytest
import requests

from tests.systems import iam as provider
from tests.systems.daemons import Missing, started
from tests.systems.hub import PART, Hub, Person
from tests.systems.iam import Forgery

pytestmark = pytest.mark.system

GROUP, ADMINS = "users/ai-infn", "admins/ai-infn"
AUDIENCE = "https://s3.example.org"
COUNT = itertools.count()
LINES = """
import os
from pathlib import Path
from jupyter_mlinfn.hub.login.configuring import Iam, login
login(c, 'iam', groups=lambda: ['users/ai-infn', 'a/admin'], iam=Iam(
    issuer=os.environ['TEST_ISSUER'], client='hub-iam', secret_file=Path('client-secret'),
    callback=os.environ['TEST_CALLBACK'], admin_groups=frozenset({'admins/ai-infn'}),
    session_audiences=('https://s3.example.org',)))
c.Authenticator.auth_refresh_age = 300
c.Authenticator.admin_users = {'boss'}
"""


class Site:
    """A hub whose people come from a provider."""

    def __init__(self) -> None:
        self.hub = Hub()
        callback = f"{self.hub.url}/hub/oauth_callback"
        self.iam = provider.start([callback])
        secret = self.hub.work / "client-secret"
        secret.write_text(self.iam.secret)
        secret.chmod(0o600)
        self.hub.lines = (LINES,)
        told = {"TEST_ISSUER": self.iam.issuer, "TEST_CALLBACK": callback}
        self.hub.environment |= told
        try:
            started(self.hub, PART)
        except Missing:
            self.iam.stop()
            raise

    def stop(self) -> None:
        self.hub.stop()
        self.iam.stop()

    def arrive(self, login: str) -> tuple[Person, requests.Response]:
        """Somebody opens the hub and goes through its login; where that ends."""
        person = Person(self.hub, login)
        return person, self.iam.log_in(
            person.browser, f"{self.hub.url}/hub/oauth_login?next=/hub/home", login
        )

    def inside(self, login: str, *groups: str) -> Person:
        """Somebody of those groups, logged in."""
        self.iam.person(login, *groups)
        person, page = self.arrive(login)
        assert page.status_code == 200, said(page)
        assert page.url.startswith(self.hub.url), page.url
        return person

    def session(self, person: Person) -> str:
        """Start her session; its hub token."""
        answer = person.page("spawn", allow_redirects=False)
        assert answer.status_code == 302, said(answer)
        self.hub.until_ready(person.name)
        return self.environment(person.name)["JUPYTERHUB_API_TOKEN"]

    def environment(self, name: str) -> dict[str, str]:
        """What her session was started with."""
        (found,) = (one for one in self.hub.session_files() if one["user"] == name)
        environment: dict[str, str] = found["environment"]
        return environment

    def token(self, hub_token: str, asked: Any = None) -> requests.Response:
        """Ask for a token of the provider."""
        return self.hub.ask("POST", "mlinfn/token", asked or {}, token=hub_token)

    def start_by_rest(self, person: Person) -> requests.Response:
        """Start her session with an API token of hers."""
        made = self.hub.ask("POST", f"users/{person.name}/tokens", {"note": "a script"})
        return self.hub.ask("POST", f"users/{person.name}/server", token=made.json()["token"])


def said(answer: requests.Response) -> str:
    """What a page says, without the page around it."""
    text = re.sub(r"(?s)<(script|style|head)\b.*?</\1>|<[^>]*>", " ", answer.text)
    return f"{answer.status_code} {' '.join(text.split())[:600]}"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    try:
        running = Site()
    except Missing as error:
        pytest.skip(f"hub and provider: {error}")
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def _calm(site: Site) -> Iterator[None]:
    yield
    site.iam.mood(silent=False, keyless=False, forgery=None)


def user(site: Site, name: str) -> dict[str, Any]:
    told: dict[str, Any] = site.hub.ask("GET", f"users/{name}").json()
    return told


def test_a_member_comes_in_with_full_paths_and_a_name_for_others(site: Site) -> None:
    site.inside("ada", GROUP, "lhcb", "b/admin", "odd:group, with space")
    told = user(site, "ada")
    assert set(told["groups"]) == {GROUP, "lhcb", "b/admin", "odd:group, with space"}
    assert told["user_info"]["display_name"] == "Ada of the tests"
    assert not told["admin"]


def test_who_is_in_no_group_of_the_hub_is_told_so(site: Site) -> None:
    site.iam.person("eve", "users/other", "b/admin", "users/ai-infn2", "USERS/AI-INFN", "admin")
    _, page = site.arrive("eve")
    assert page.status_code == 403
    assert page.text.count("none of your groups opens this hub") == 1
    assert "<h1>403 : Not allowed</h1>" in page.text
    assert site.hub.ask("GET", "users/eve").status_code == 404


def test_administrators_are_so_while_their_group_says_it(site: Site) -> None:
    site.inside("grace", ADMINS)
    assert user(site, "grace")["admin"]
    site.iam.person("grace", GROUP)
    site.arrive("grace")
    assert not user(site, "grace")["admin"]


def test_a_new_user_name_brings_no_right_of_another(site: Site) -> None:
    """Renamed at IAM to a name that administers the hub: the account of now gets nothing of it."""
    person = site.inside("mallory", GROUP)
    site.iam.person("mallory", GROUP, username="boss")
    site.session(person)
    assert not user(site, "mallory")["admin"]
    assert user(site, "mallory")["user_info"]["name"] == "mallory"
    site.hub.stop_session("mallory")
    site.iam.person("mallory", GROUP)


def test_names_stay_apart(site: Site) -> None:
    for number, name in enumerate(("a_b", "ab", "A", "a", "é", "e\u0301", "n" * 300, "..", "root")):
        site.iam.person(f"name{number}", GROUP, username=name)
        _, page = site.arrive(f"name{number}")
        assert page.status_code == 200, said(page)
    names = {one["name"] for one in site.hub.ask("GET", "users").json()}
    assert {"a_b", "ab", "a"} <= names
    assert not names & {"A", "é", "..", "root", "n" * 300}
    assert len({n for n in names if "--" in n}) == 6


def test_a_name_stays_with_who_had_it_first(site: Site) -> None:
    site.inside("lise", GROUP)
    site.iam.person("thief", GROUP, username="lise")
    _, page = site.arrive("thief")
    assert page.status_code == 403
    assert "belongs to another person" in page.text


@pytest.mark.parametrize("forgery", get_args(Forgery))
def test_identity_tokens_that_nobody_may_believe(site: Site, forgery: Forgery) -> None:
    login = f"forged-{forgery}"
    site.iam.person(login, GROUP)
    site.iam.mood(forgery=forgery)
    _, page = site.arrive(login)
    assert page.status_code == 403, said(page)
    assert "cannot be trusted" in page.text or "two different people" in page.text
    assert "Traceback" not in page.text
    assert site.hub.ask("GET", f"users/{login}").status_code == 404


def test_a_callback_of_somebody_else_is_no_login(site: Site) -> None:
    """A code without the state of this browser: forged, or of another person's login."""
    browser = requests.Session()
    answer = browser.get(f"{site.hub.url}/hub/oauth_callback?code=x&state=y", timeout=60)
    assert answer.status_code == 400


def test_a_silent_provider_lets_nobody_in_and_says_why(site: Site) -> None:
    site.iam.person("mae", GROUP)
    person = Person(site.hub, "mae")
    page = person.page("oauth_login", allow_redirects=False)
    front = person.browser.get(page.headers["Location"], timeout=60)
    answer = person.browser.post(
        front.url, data={"login": "mae"}, timeout=60, allow_redirects=False
    )
    back = person.browser.get(answer.headers["Location"], timeout=60, allow_redirects=False)
    site.iam.mood(silent=True)
    last = person.browser.get(back.headers["Location"], timeout=60)
    assert last.status_code == 503
    assert "does not answer" in last.text


def test_who_was_removed_starts_nothing_by_form_or_by_rest(site: Site) -> None:
    person = site.inside("iris", GROUP)
    site.iam.person("iris", "users/other")
    answer = person.page("spawn", allow_redirects=False)
    assert answer.status_code == 403, said(answer)
    assert "none of your groups opens this hub" in answer.text
    answer = site.start_by_rest(person)
    assert answer.status_code == 403, said(answer)
    assert "none of your groups opens this hub" in answer.json()["message"]
    assert not any(one["user"] == "iris" for one in site.hub.session_files())


def test_a_changed_group_is_known_at_the_next_start(site: Site) -> None:
    person = site.inside("nina", GROUP)
    site.iam.person("nina", GROUP, "users/gpu")
    site.session(person)
    assert set(user(site, "nina")["groups"]) == {GROUP, "users/gpu"}


def test_who_is_gone_from_the_provider_starts_nothing(site: Site) -> None:
    person = site.inside("olga", GROUP)
    site.iam.remove("olga")
    answer = site.start_by_rest(person)
    assert answer.status_code == 403, said(answer)
    assert "Log in to the hub again" in answer.json()["message"]
    answer = person.page("spawn", allow_redirects=False)
    assert answer.status_code in (302, 403), said(answer)


def test_silence_keeps_people_in_and_starts_nothing(site: Site) -> None:
    person = site.inside("ruth", GROUP)
    site.iam.mood(silent=True)
    answer = site.start_by_rest(person)
    assert answer.status_code == 503, said(answer)
    assert "does not answer" in answer.json()["message"]
    assert person.page("home").status_code == 200
    site.iam.mood(silent=False)
    site.session(person)


def test_expired_access_tokens_are_renewed_and_rotation_is_followed(site: Site) -> None:
    person = site.inside("vera", GROUP)
    site.iam.side("asked", "clear")
    for _ in range(3):
        site.iam.forget("AccessToken")
        site.session(person)
        site.hub.stop_session("vera")
    assert 400 not in site.iam.grants("refresh_token")


def test_a_forged_identity_token_at_a_refresh_starts_nothing(site: Site) -> None:
    person = site.inside("tove", GROUP)
    site.iam.forget("AccessToken")
    site.iam.mood(forgery="audience")
    answer = site.start_by_rest(person)
    assert answer.status_code == 403, said(answer)
    assert "cannot be trusted" in answer.json()["message"]
    site.iam.mood(forgery=None)
    site.session(person)
    site.hub.stop_session("tove")


def test_many_at_once_do_not_burn_the_refresh_token(site: Site) -> None:
    # somebody new at a second try: who asked eight times is slowed
    wilma = f"wilma{next(COUNT)}"
    person = site.inside(wilma, GROUP)
    hub_token = site.session(person)
    site.iam.forget("AccessToken")
    site.iam.side("asked", "clear")
    asked = [{}, {"audience": AUDIENCE}, {"scopes": ["openid"]}, {"scopes": ["openid", "iam"]}]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: site.token(hub_token, one), asked * 2))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert set(site.iam.grants("refresh_token")) == {200}
    site.iam.forget("AccessToken")
    site.hub.stop_session(wilma)
    site.session(person)


def test_a_session_gets_a_token_of_its_own(site: Site) -> None:
    hub_token = site.session(site.inside("xenia", GROUP))
    answer = site.token(hub_token)
    assert answer.status_code == 200, said(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json()
    assert told["expires_at"].endswith(("Z", "+00:00"))
    assert introspect(site, told["access_token"])["sub"] == site.iam.person("xenia", GROUP)
    assert "offline_access" not in told["scopes"]
    assert site.token(hub_token).json() == told
    other = site.token(hub_token, {"audience": AUDIENCE, "scopes": ["openid"]}).json()
    about = introspect(site, other["access_token"])
    assert (about["audience"], about["scope"]) == (AUDIENCE, "openid")


def introspect(site: Site, token: str) -> dict[str, Any]:
    told: dict[str, Any] = requests.post(
        f"{site.iam.issuer}introspect",
        data={"token": token},
        auth=("hub-iam", site.iam.secret),
        timeout=60,
    ).json()
    return told


def test_what_gets_no_token(site: Site) -> None:
    person = site.inside("yolanda", GROUP)
    hub_token = site.session(person)
    script = site.hub.ask("POST", "users/yolanda/tokens", {"note": "Server at /user/yolanda/"})
    refused = {
        "no-token": site.hub.ask("POST", "mlinfn/token", {}, token="f" * 32),
        "not-a-session": site.hub.ask("POST", "mlinfn/token", {}),
        "audience": site.token(hub_token, {"audience": "https://evil.example"}),
        "scopes": site.token(hub_token, {"scopes": ["offline_access"]}),
        "bad-input": site.token(hub_token, {"user": "ada"}),
        "too-long": site.token(hub_token, {"audience": "x" * 5000}),
    }
    assert {code: answer.json()["code"] for code, answer in refused.items()} == {
        code: code for code in refused
    }
    assert [answer.status_code for answer in refused.values()] == [401, 403, 403, 403, 400, 400]
    assert site.token(script.json()["token"]).json()["code"] == "not-a-session"
    for headers in ({}, {"Sec-Fetch-Mode": "no-cors"}, {"Origin": "https://evil.example"}):
        by_cookie = person.browser.post(
            f"{site.hub.url}/hub/api/mlinfn/token", json={}, headers=headers, timeout=60
        )
        assert by_cookie.status_code in (401, 403)
        assert "access_token" not in by_cookie.text
    assert person.page("api/mlinfn/token").status_code == 405


def test_who_was_removed_gets_no_token_either(site: Site) -> None:
    hub_token = site.session(site.inside("zoe", GROUP))
    assert site.token(hub_token).status_code == 200
    site.iam.person("zoe")
    # what the hub was told less than a minute ago holds for a token, never for a start
    answer = site.hub.ask("POST", "users/zoe/servers/other", {})
    assert answer.status_code == 403, said(answer)
    answer = site.token(hub_token)
    assert (answer.status_code, answer.json()["code"]) == (403, "not-in-a-group")


def test_who_has_to_log_in_again_is_told_so_by_the_token_handler(site: Site) -> None:
    hub_token = site.session(site.inside("hedy", GROUP))
    site.iam.forget("RefreshToken")
    answer = site.token(hub_token, {"scopes": ["openid"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "sign-in-again")


def test_a_session_that_asks_without_an_end_is_slowed(site: Site) -> None:
    hub_token = site.session(site.inside("berta", GROUP))
    answers = [site.token(hub_token) for _ in range(13)]
    assert answers[-1].status_code == 429
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def test_no_secret_leaves_the_hub(site: Site) -> None:
    """Neither a session nor the log of the hub knows a secret of the provider."""
    person = site.inside("cora", GROUP)
    site.session(person)
    hidden = [site.iam.secret, site.hub.environment["JUPYTERHUB_CRYPT_KEY"]]
    environment = json.dumps(site.environment("cora"))
    log = site.hub.log("hub")
    assert not [one for one in hidden if one in environment + log]
    assert "eyJ" not in environment + log
    assert "refresh_token" not in environment


def test_an_account_without_a_login_is_started_by_others_alone(site: Site) -> None:
    """An account of a group has no tokens, and who may start it can (JupyterHub 6.1.1: 500)."""
    assert site.hub.ask("POST", "users/collab").status_code in (201, 409)
    own = site.start_by_rest(Person(site.hub, "collab"))
    assert own.status_code == 403, said(own)
    assert "Log in to the hub again" in own.json()["message"]
    answer = site.hub.ask("POST", "users/collab/server")
    assert answer.status_code in (201, 202), said(answer)
    site.hub.until_ready("collab")
    site.hub.stop_session("collab")


def test_a_killed_hub_knows_the_newest_refresh_token(site: Site) -> None:
    person = site.inside("nora", GROUP)
    hub_token = site.session(person)
    site.iam.side("asked", "clear")
    assert site.token(hub_token, {"audience": AUDIENCE}).status_code == 200
    assert site.iam.grants("refresh_token") == [200]
    site.hub.kill("hub")
    site.hub.begin()
    site.iam.forget("AccessToken")
    # the next one is safe also where the rest of the answer cannot be judged
    site.iam.mood(keyless=True)
    assert site.token(hub_token).json()["code"] == "provider-silent"
    site.iam.mood(keyless=False)
    assert site.token(hub_token, {"scopes": ["openid"]}).status_code == 200
    assert set(site.iam.grants("refresh_token")) == {200}


def test_the_other_claim_profile_and_groups_that_the_hub_keeps_itself(site: Site) -> None:
    """The last one: the hub is started again as a client of the profile ``wlcg``."""
    told = LINES.replace("hub-iam", "hub-wlcg").replace("iam=Iam(", "iam=Iam(profile='wlcg',")
    told = told.replace("profile=", "mirror_groups=False, profile=")
    site.hub.end("hub")
    site.hub.lines = (told, "c.JupyterHub.load_groups = {'system': {'users': ['dora']}}")
    site.hub.begin()
    site.inside("dora", GROUP)
    assert user(site, "dora")["groups"] == ["system"]
    site.iam.person("emma", "ai-infn", "users")
    _, page = site.arrive("emma")
    assert page.status_code == 403, said(page)
    assert "none of your groups" in page.text


def test_the_programs_of_who_was_removed_are_told_why(site: Site) -> None:
    """After a restart, as after five minutes, the hub asks the provider about who comes."""
    site.inside("quinn", GROUP)
    scopes = {"note": "a script", "scopes": ["self"]}
    token = site.hub.ask("POST", "users/quinn/tokens", scopes).json()["token"]
    assert site.hub.ask("GET", "user", token=token).json()["name"] == "quinn"
    site.iam.person("quinn", "users/other")
    site.hub.kill("hub")
    site.hub.begin()
    for verb, path in (("GET", "user"), ("POST", "users/quinn/server")):
        answer = site.hub.ask(verb, path, {}, token=token)
        assert answer.status_code == 403, said(answer)
        assert answer.json()["status"] == 403
        assert "none of your groups opens this hub" in answer.json()["message"]
    assert not any(one["user"] == "quinn" for one in site.hub.session_files())
