"""No secret goes into a job's environment or into a log."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.process.redaction import (
    clean_loader,
    job_environment,
    own_environment,
    redact,
)

SECRETS = {
    "JUPYTERHUB_API_TOKEN": "hush",
    "JUPYTERHUB_USER": "hush",
    "JPY_API_TOKEN": "hush",
    "CONDA_TOKEN": "hush",
    "CONDA_PASSWORD": "hush",
    "LC_SECRET": "hush",
    "OPENAI_API_KEY": "hush",
    "AWS_SECRET_ACCESS_KEY": "hush",
    "GITHUB_TOKEN": "hush",
    "MY_PASSWD": "hush",
    "MLINFN_TOKEN": "hush",
    "anything": "hush",
    "http_proxy": "http://me:hush@proxy:3128",
    "LD_PRELOAD": "hush",
    "PYTHONPATH": "hush",
    "PYTHONSTARTUP": "hush",
}
WANTED = {
    "HOME": "/home/me",
    "PATH": "/bin",
    "LC_ALL": "C",
    "TZ": "Europe/Rome",
    "LD_LIBRARY_PATH": "/opt/lib",
    "CONDA_PREFIX": "/opt/conda",
    "https_proxy": "http://proxy:3128",
}


def test_a_job_sees_what_it_needs_and_no_secret() -> None:
    assert job_environment({**SECRETS, **WANTED}) == WANTED


def test_our_own_programs_see_no_secret_and_nothing_of_one_job() -> None:
    ours = {"MLINFN_GPUS": "simulated", "JUPYTER_DATA_DIR": "/data"}
    one_job = {
        "MLINFN_JOB": "aaaaaaaaaa",
        "MLINFN_JOB_DIR": "/x",
        "MLINFN_ATTEMPT_TOKEN": "t",
        "MLINFN_PARAM_x": "1",
        "MLINFN_LOCK_FDS": "7",
    }
    assert own_environment({**SECRETS, **WANTED, **ours, **one_job}) == {**WANTED, **ours}


def test_loader_variables_go() -> None:
    environ = {"PYTHONPATH": "x", "LD_PRELOAD": "x", "HOME": "/", "pythonish": "stays"}
    assert clean_loader(environ) == {"HOME": "/", "pythonish": "stays"}


@pytest.mark.parametrize(
    "text",
    [
        "https://me:hush@host/path",
        "Authorization: Bearer hush",
        "authorization=token hush",
        "GET /?token=hush&x=1",
        "--api-key hush",
        "--password=hush",
        'the "secret": "hush"',
        "AWS_SECRET_ACCESS_KEY=hush",
    ],
)
def test_secrets_in_text_are_masked(text: str) -> None:
    assert "hush" not in redact(text)
    assert "***" in redact(text)


@pytest.mark.parametrize("text", ["the token count 5", "cell 3 of 4", "https://host/path?x=1"])
def test_other_text_stays(text: str) -> None:
    assert redact(text) == text
