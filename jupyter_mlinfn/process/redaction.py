"""What a program we start may know of our environment, and what a log may repeat.

A job's environment is an allow-list: a server started by a hub carries ``JUPYTERHUB_API_TOKEN``,
a shell often carries API keys, and everything in a job's environment ends up in ``/proc``, in
printed environments and in notebooks that are shared. A name that is not listed is not passed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECRET_NAME = re.compile(
    r"(?:TOKEN|SECRET|PASSW|API_?KEY|CREDENTIAL|PRIVATE_?KEY|ACCESS_?KEY|COOKIE)", re.IGNORECASE
)
"""Never passed on, whatever list or prefix allows it."""

_JOB_NAMES = frozenset(
    {
        # who and where the person is: programs find their configuration and caches by these
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "PATH",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "TERM",
        "HOSTNAME",
        "PWD",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_DATA_DIRS",
        "XDG_CONFIG_DIRS",
        # where shared libraries, compilers and environment modules of this machine lie
        "LD_LIBRARY_PATH",
        "MODULEPATH",
        "MODULESHOME",
        "LOADEDMODULES",
        "ROOTSYS",
        "MANPATH",
        "VIRTUAL_ENV",
        "CUDA_HOME",
        "CUDA_PATH",
        "CUDA_ROOT",
        "NVIDIA_DRIVER_CAPABILITIES",
        # where interpreters other than Python look for their packages
        "R_HOME",
        "R_LIBS",
        "R_LIBS_USER",
        "R_LIBS_SITE",
        "JULIA_DEPOT_PATH",
        "JULIA_LOAD_PATH",
        "JULIA_PROJECT",
        # caches and configuration of what notebooks commonly use: folders, no contents
        "MPLCONFIGDIR",
        "IPYTHONDIR",
        "NUMBA_CACHE_DIR",
        "HF_HOME",
        "TORCH_HOME",
        "KERAS_HOME",
        # the job meets the same Jupyter folders as the person
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_PATH",
        "JUPYTER_CONFIG_PATH",
        "JUPYTER_RUNTIME_DIR",
        # grid certificates and Kerberos: paths of files, readable by the person alone
        "X509_USER_PROXY",
        "X509_CERT_DIR",
        "X509_VOMS_DIR",
        "KRB5CCNAME",
        "KRB5_CONFIG",
        # how the network is reached; values with a password in them are left out below
        "http_proxy",
        "https_proxy",
        "ftp_proxy",
        "no_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "FTP_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    }
)

_JOB_PREFIXES = ("LC_", "CONDA_", "MAMBA_", "CVMFS_", "SPACK_")
"""Locale, the active conda set-up, shared software trees."""

_OWN_NAMES = frozenset(
    {"JUPYTER_PREFER_ENV_PATH", "JUPYTER_NO_CONFIG", "JUPYTER_ALLOW_INSECURE_WRITES"}
)
"""More that our own detached programs need to find the same folders and configuration."""

_OF_ONE_JOB = (
    "MLINFN_JOB",
    "MLINFN_ATTEMPT",
    "MLINFN_OUTPUT",
    "MLINFN_PARAM_",
    "MLINFN_LOCK",
    "MLINFN_CHECKPOINTS",
    "MLINFN_ENDS_AT",
    "MLINFN_GRACE_SECONDS",
)

_LOADER_NAMES = re.compile(r"(?:PYTHON|LD_|DYLD_)[A-Z0-9_]*")

_USERINFO = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_GUARDED = r"[\w-]*(?:token|secret|passw(?:or)?d|api[_-]?key|credential)[\w-]*"
_ASSIGNED = re.compile(rf"(?i)(\b{_GUARDED}[\"']?\s*[=:]\s*|--{_GUARDED}\s+)[\"']?[^\s\"',;&]+")
_AUTHORISATION = re.compile(r"(?i)\b(authorization\s*[=:]\s*)(?:(?:bearer|token|basic)\s+)?\S+")


def is_secret_name(name: str) -> bool:
    """Whether an environment variable of this name must never be passed on."""
    return bool(_SECRET_NAME.search(name)) or name.startswith("JUPYTERHUB_")


def job_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What of ``environ`` a job may see."""
    return {
        name: value
        for name, value in environ.items()
        if (name in _JOB_NAMES or name.startswith(_JOB_PREFIXES))
        and not is_secret_name(name)
        and not _USERINFO.search(value)
    }


def own_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What of ``environ`` our own detached programs get: no secret, nothing that bends Python.

    What marks a job stays behind: a program started from inside one does not belong to it.
    """
    kept = job_environment(environ)
    for name, value in environ.items():
        ours = name in _OWN_NAMES or (
            name.startswith("MLINFN_") and not name.startswith(_OF_ONE_JOB)
        )
        if ours and not is_secret_name(name):
            kept[name] = value
    return kept


def clean_loader(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without what makes a Python or a dynamic linker load foreign things."""
    return {k: v for k, v in environ.items() if not _LOADER_NAMES.fullmatch(k)}


def redact(text: str) -> str:
    """``text`` with passwords in URLs, authorisation headers and ``…token=…`` values masked."""
    masked = _USERINFO.sub("***", text)
    masked = _AUTHORISATION.sub(r"\1***", masked)
    return _ASSIGNED.sub(r"\1***", masked)


_KNOWN = re.compile(
    r"(?:gh[oprsu]_|github_pat_|glpat-|hf_|sk-|npm_|pypi-|xox[abeoprs]-)[A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bAIza[A-Za-z0-9_-]{35}"
    r"|\b[Bb]earer +[A-Za-z0-9._~+/=-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"
)
"""Tokens that can be told by their form alone."""

_GIVEN = re.compile(
    r"""(?ix)
    ( (?: token | secret | passw(?:or)?d | passphrase | api[_-]?key | access[_-]?key
        | private[_-]?key | credential | authori[sz]ation )
      [\w-]{0,40} \\?["']? [ \t]{0,8} (?: :=? | = ) [ \t]{0,8} )
    (?: (\\?["']) [^"'\n]+                                # in quotes, as JSON writes them too
      | (?= [^\s"',;&()]{0,60} [0-9] ) [^\s"',;&()]{6,}   # a bare word with a digit in it
    )
    """
)
"""A value given to a name that says it is a secret; nothing in it can be slow on long lines."""

_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_SECRET_FILE = re.compile(
    r"(?:^|/)(?:\.env[^/]*|\.?netrc|\.npmrc|\.pypirc|\.git-credentials|credentials[^/]*"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)|[^/]*\.(?:pem|key|p12|pfx|keytab))\"?$"
)


def redact_changes(text: str) -> str:
    """The output of ``git diff`` without what looks like a secret.

    Changes of files that hold secrets by their name are left out whole. A secret that looks like
    any other word stays: it is for the person to keep those out of a repository.
    """
    parts = re.split(r"^(?=diff --git )", text, flags=re.MULTILINE)
    return "".join(_redact_file(part) for part in parts)


def _redact_file(part: str) -> str:
    first = part.partition("\n")[0]
    if first.startswith("diff --git ") and _SECRET_FILE.search(first):
        return f"{first}\n(left out: this file may hold secrets)\n"
    part = _KEY_BLOCK.sub("*** (private key)", part)
    part = _KNOWN.sub("***", _USERINFO.sub("***", part))
    part = _AUTHORISATION.sub(r"\1***", part)
    return _GIVEN.sub(lambda found: f"{found[1]}{found[2] or ''}***", part)
