"""What is recorded of a repository: true, complete or said why not; and nothing of it is run."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.exactness.git import KEPT, Capture, capture
from jupyter_mlinfn.process.redaction import redact_changes
from tests.jobs.exactness.repositories import git, needs_git, repository, touches

PATIENT = 60.0


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def look(folder: Path) -> Capture:
    return capture(folder, deadline=PATIENT)


def test_no_repository_is_nothing(tmp_path: Path) -> None:
    assert look(tmp_path) == Capture(None)


@needs_git
def test_a_clean_commit(repo: Path) -> None:
    (repo / "sub").mkdir()
    found = look(repo / "sub")
    assert found.state is not None
    assert found.state.commit == git(repo, "rev-parse", "HEAD")
    assert (found.state.branch, found.state.dirty, found.state.note) == ("main", False, None)
    assert (found.state.folder, found.state.diff_size, found.changes) == (str(repo), 0, None)


@needs_git
def test_changes_are_kept_with_their_hash_whether_staged_or_not(repo: Path) -> None:
    (repo / "code.py").write_text("rate = 2\n", encoding="utf-8")
    (repo / "new.py").write_text("x = 1\n", encoding="utf-8")
    git(repo, "add", "new.py")
    found = look(repo)
    assert found.state is not None
    assert found.changes is not None
    assert found.state.dirty
    assert not found.state.masked
    assert found.state.diff_file == "git.diff"
    assert found.state.diff_sha256 == hashlib.sha256(found.changes).hexdigest()
    assert b"-rate = 1\n+rate = 2" in found.changes
    assert b"+x = 1" in found.changes


@needs_git
def test_a_change_of_the_same_size_within_the_same_second_is_seen(repo: Path) -> None:
    """git tells these by the time of the index, which a copy must keep."""
    facts = (repo / "code.py").stat()
    index = repo / ".git" / "index"
    os.utime(index, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    (repo / "code.py").write_text("rate = 7\n", encoding="utf-8")
    os.utime(repo / "code.py", ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    found = look(repo)
    assert found.state is not None
    assert found.state.dirty


@needs_git
def test_the_repository_is_left_as_it_was(repo: Path) -> None:
    (repo / "code.py").touch()
    before = {path: path.stat().st_mtime_ns for path in (repo / ".git").rglob("*")}
    look(repo)
    assert {path: path.stat().st_mtime_ns for path in (repo / ".git").rglob("*")} == before


@needs_git
def test_before_the_first_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    found = look(tmp_path)
    assert found.state is not None
    assert (found.state.commit, found.state.branch, found.state.dirty) == (None, "main", True)
    assert found.state.note is not None


@needs_git
def test_a_detached_head_has_no_branch(repo: Path) -> None:
    git(repo, "checkout", "--quiet", "--detach")
    found = look(repo)
    assert found.state is not None
    assert found.state.branch is None
    assert found.state.commit == git(repo, "rev-parse", "HEAD")


@needs_git
def test_a_worktree_and_packed_branches(repo: Path, tmp_path: Path) -> None:
    git(repo, "branch", "other/branch")
    git(repo, "worktree", "add", "--quiet", str(tmp_path / "tree"), "other/branch")
    git(repo, "pack-refs", "--all")
    (tmp_path / "tree" / "code.py").write_text("rate = 3\n", encoding="utf-8")
    found = look(tmp_path / "tree")
    assert found.state is not None
    assert (found.state.branch, found.state.dirty) == ("other/branch", True)
    assert found.state.commit == git(repo, "rev-parse", "HEAD")
    assert look(repo).state is not None
    assert look(repo).state.dirty is False  # type: ignore[union-attr]


@needs_git
def test_the_sha256_form_of_repositories(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--object-format=sha256")
    (tmp_path / "a").write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    (tmp_path / "a").write_text("2\n")
    found = look(tmp_path)
    assert found.state is not None
    assert found.state.commit is not None
    assert (len(found.state.commit), found.state.dirty) == (64, True)


@needs_git
def test_of_many_changes_only_the_hash_is_kept(repo: Path) -> None:
    (repo / "data.txt").write_text("line\n" * (KEPT // 5 + 1))
    found = look(repo)
    assert found.state is not None
    assert found.state.diff_size is not None
    assert found.state.diff_size > KEPT
    assert found.state.diff_sha256 is not None
    assert (found.state.diff_file, found.changes) == (None, None)


@needs_git
def test_more_changes_than_are_read_are_told_as_such(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mlinfn.jobs.exactness.git.READ", 1000)
    (repo / "data.txt").write_text("line\n" * 1000)
    found = look(repo)
    assert found.state is not None
    assert (found.state.dirty, found.state.diff_sha256) == (True, None)
    assert "more than" in (found.state.note or "")


def test_without_git_commit_and_branch_are_known_all_the_same(
    repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = look(repo)
    assert found.state is not None
    assert found.state.commit is not None
    assert (found.state.branch, found.state.dirty) == ("main", None)
    assert "git is not installed" in (found.state.note or "")


def test_a_git_that_does_not_answer_holds_nobody_up(
    repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    found = capture(repo, deadline=0.3)
    assert found.state is not None
    assert "did not answer" in (found.state.note or "")
    assert found.state.commit is not None


@needs_git
@pytest.mark.parametrize(
    "setting",
    [
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "filter.evil.clean",
        "filter.evil.process",
        "diff.evil.textconv",
        "diff.evil.command",
        "core.sshCommand",
        "core.askPass",
        "alias.diff",
    ],
)
def test_no_program_a_repository_names_is_run(repo: Path, tmp_path: Path, setting: str) -> None:
    marker = tmp_path / "was-run"
    command = touches(marker)
    git(repo, "config", setting, f"!{command}" if setting.startswith("alias") else command)
    (repo / ".gitattributes").write_text("* filter=evil diff=evil\n")
    for name in ("post-index-change", "fsmonitor-watchman", "pre-commit"):
        hook = repo / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{command}\n")
        hook.chmod(0o755)
    (repo / "code.py").write_text("rate = 2\n", encoding="utf-8")
    found = look(repo)
    assert found.state is not None
    assert found.state.dirty
    assert not marker.exists()


@needs_git
def test_the_settings_above_are_ones_that_git_does_run(repo: Path, tmp_path: Path) -> None:
    """Or the test above could not fail: here git is asked as people ask it."""
    marker = tmp_path / "was-run"
    git(repo, "config", "filter.evil.clean", touches(marker))
    (repo / ".gitattributes").write_text("* filter=evil\n")
    (repo / "code.py").write_text("rate = 2\n", encoding="utf-8")
    git(repo, "diff")
    assert marker.exists()


@needs_git
def test_a_submodule_is_not_entered(repo: Path, tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner")
    git(repo, "submodule", "--quiet", "add", str(inner), "inner")
    git(repo, "commit", "--quiet", "-m", "with a submodule")
    marker = tmp_path / "was-run"
    git(repo / "inner", "config", "core.fsmonitor", touches(marker))
    (repo / "inner" / "code.py").write_text("rate = 2\n", encoding="utf-8")
    outside = look(repo)
    assert outside.state is not None
    assert outside.state.dirty is False
    inside = look(repo / "inner")
    assert inside.state is not None
    assert inside.state.folder == str(repo / "inner")
    assert inside.state.dirty
    assert not marker.exists()


@pytest.mark.parametrize(
    "content", ["", "ref: ../../../etc/passwd\n", "ref: refs/heads/../../x\n", "x" * 100_000, "\0"]
)
def test_a_head_that_is_none_is_said(repo: Path, content: str) -> None:
    (repo / ".git" / "HEAD").write_text(content)
    found = look(repo)
    assert found.state is not None
    assert found.state.commit is None
    assert found.state.note is not None


def test_pipes_in_the_place_of_files_hold_nobody_up(repo: Path) -> None:
    for name in ("index", "HEAD"):
        path = repo / ".git" / name
        path.unlink()
        os.mkfifo(path)
        found = look(repo)
        assert found.state is not None
        assert found.state.note is not None


def test_a_file_that_points_nowhere(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /nowhere/at/all\n")
    found = look(tmp_path)
    assert found.state is not None
    assert found.state.note is not None


@needs_git
def test_a_damaged_repository_is_said_not_raised(repo: Path) -> None:
    (repo / ".git" / "index").write_bytes(b"DIRC\0\0\0\2 and nonsense")
    found = look(repo)
    assert found.state is not None
    assert found.state.commit is not None
    assert "git said" in (found.state.note or "")


SECRETS = {
    "a name that tells": '+password = "correct horse"',
    "in a notebook": '+    "api_token = \\"abcdef\\"\\n",',
    "in YAML": "+  secret_key: a1b2c3d4e5",
    "in an address": "+url = https://ada:swordfish1@example.org/x",
    "by its form": "+x = 'ghp_0123456789abcdefghijABCDEFGHIJ012345'",
    "a header": "+h = {'Authorization': 'Bearer a1b2c3d4'}",
    "a key": "+-----BEGIN RSA PRIVATE KEY-----\n+MIIEowIB\n+-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("line", SECRETS.values(), ids=SECRETS.keys())
def test_secrets_are_masked(line: str) -> None:
    words = ("correct horse", "abcdef", "a1b2c3d4", "swordfish1", "0123456789abc", "MIIEow")
    kept = redact_changes(f"diff --git a/x b/x\n@@ -1 +1 @@\n-x\n{line}\n y\n")
    assert not any(word in kept for word in words)
    assert "***" in kept
    assert "-x" in kept


def test_ordinary_code_is_not_masked() -> None:
    text = "+tokenizer = AutoTokenizer.from_pretrained(name)\n+max_tokens = 512\n+x = y[1:2]\n"
    assert redact_changes(text) == text


def test_files_of_secrets_are_left_out_whole() -> None:
    text = "diff --git a/.env b/.env\n+A=hunter2\ndiff --git a/x.py b/x.py\n+y = 1\n"
    kept = redact_changes(text)
    assert "hunter2" not in kept
    assert "+y = 1" in kept


@needs_git
def test_a_token_in_the_changes_is_in_no_record(repo: Path) -> None:
    (repo / "code.py").write_text('token = "swordfish-1234"\n', encoding="utf-8")
    found = look(repo)
    assert found.state is not None
    assert found.changes is not None
    assert found.state.masked
    assert b"swordfish" not in found.changes
    assert found.state.diff_sha256 != hashlib.sha256(found.changes).hexdigest()


@pytest.mark.parametrize("piece", ["token-", "a-", "password=", "://a@", "eyJaaaaaaaa.", "gh"])
def test_long_lines_take_no_long_time(piece: str) -> None:
    """Each of these would take hours if its time grew with the square of the length."""
    redact_changes("+" + piece * (2**20 // len(piece)))
