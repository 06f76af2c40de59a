"""The configuration of this package: ``c.Mlinfn.…`` in ``jupyter_mlinfn_config.py``.

The server extension and the ``mlinfn`` program read the same file from Jupyter's configuration
path, so that both see the same data folder and the same limits.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from traitlets import Bool, Dict, Enum, Float, Int, List, Unicode, default
from traitlets.config import Config
from traitlets.config.loader import (
    ConfigFileNotFound,
    JSONFileConfigLoader,
    PyFileConfigLoader,
)

from jupyter_mlinfn.kubernetes_settings import KubernetesTraits
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.quantities import parse_memory

_SUFFIX = {JSONFileConfigLoader: ".json", PyFileConfigLoader: ".py"}


def _amount(text: str, name: str) -> int:
    """Bytes of the setting ``name``. Raises :class:`InputError`, which names it."""
    try:
        return parse_memory(text, field=f"Mlinfn.{name}")
    except InputError as error:
        text = f"The setting {name}: {error.text}"
        raise InputError(text, code=error.code, field=error.field) from error


class Mlinfn(KubernetesTraits):
    """Settings shared by server and program; every one has a default that works."""

    data_dir = Unicode(
        help="Folder of jobs and caches. Default: 'mlinfn' in Jupyter's data directory.",
    ).tag(config=True)

    job_cpus = Int(
        0, help="CPUs that jobs on this machine may use together; 0 means what is available."
    ).tag(config=True)

    job_memory = Unicode(
        "",
        help="Memory that jobs on this machine may use together, such as '16GiB'; "
        "empty means what is available less reserve_memory.",
    ).tag(config=True)

    reserve_memory = Unicode(
        "1GiB", help="Memory kept back for the interactive user when job_memory is not set."
    ).tag(config=True)

    output_folder = Unicode(
        "results/{stem}-{id}",
        help="Where a job's output goes, relative to the notebook's folder.",
    ).tag(config=True)

    environment_folders = List(
        Unicode(), help="Further folders whose virtual and conda environments are listed."
    ).tag(config=True)

    channels = List(
        Unicode(),
        help="Conda channels for packages where a request names none: names, addresses or "
        "folders. Default: MLINFN_CHANNELS (separated by commas), else conda-forge.",
    ).tag(config=True)

    allowed_channels = List(
        Unicode(),
        help="Channels that people may use beside those of 'channels'; empty allows every one.",
    ).tag(config=True)

    denied_packages = List(
        Unicode(), help="Names of packages that may not be installed; '*' stands for any letters."
    ).tag(config=True)

    pip_allowed = Bool(
        True, help="Whether packages of pip may be installed into own environments."
    ).tag(config=True)

    pip_indexes = List(
        Unicode(),
        help="Addresses of the indexes that pip packages come from, the first is asked first; "
        "empty means what pip itself is configured for.",
    ).tag(config=True)

    environment_max_size = Unicode(
        "", help="How large one own environment may become, such as '20GiB'; empty: no limit."
    ).tag(config=True)

    environment_max_files = Int(
        0, min=0, help="How many files one own environment may have; 0: no limit."
    ).tag(config=True)

    managed_environments = List(
        Unicode(),
        help="Where managed environments lie: prefixes, folders of prefixes, published "
        "environments, image files. Default: MLINFN_MANAGED_ENVIRONMENTS, separated by ':'.",
    ).tag(config=True)

    shared_jobs = List(
        Unicode(),
        help="Folders where people share jobs with each other, such as your group's area. Default: "
        "MLINFN_SHARED_JOBS, separated by ':'.",
    ).tag(config=True)

    areas = List(
        Dict(),
        help="The storage areas of this session, each with name, title, kind, path, writable, "
        "survives and audience (docs/storage.md). Default: MLINFN_AREAS, as a hub tells them; "
        "else the one folder that the server shows.",
    ).tag(config=True)

    conda_program = Unicode(
        "",
        help="A conda, mamba or micromamba program that conda-lock is to solve with; empty: none "
        "is needed, the built-in solver is used.",
    ).tag(config=True)

    container_root = Unicode(
        "",
        help="A squashfs or SIF file with the root of a Linux system. With it people may pack SIF "
        "files that run by themselves ('apptainer exec FILE.sif python'); empty: they hold the "
        "environment alone.",
    ).tag(config=True)

    cuda_version = Unicode(
        "",
        help="The CUDA version to choose packages for, such as '12.8', where the GPUs are not on "
        "this machine; empty means what the driver here supports.",
    ).tag(config=True)

    retention_days = Float(
        0.0,
        min=0.0,
        help="Remove records and logs of jobs that ended more than so many days ago, when no job "
        "waits or runs; 0 keeps them until you clean up. Output folders always stay.",
    ).tag(config=True)

    hash_limit = Unicode(
        "4GiB", help="Inputs above this size are recorded by size and time only."
    ).tag(config=True)

    backends = List(
        Unicode(),
        help="Names of the back-ends to offer beside this machine; empty offers all there are. "
        "Default: MLINFN_BACKENDS, as a hub tells them, separated by ','; told none, none.",
    ).tag(config=True)

    queues = List(
        Unicode(),
        help="Names of the queues to offer, of any back-end that has queues; empty offers all. "
        "Default: MLINFN_QUEUES, as a hub tells them, separated by ','.",
    ).tag(config=True)

    places = List(
        Unicode(),
        help="Where a job may go whose place is chosen automatically, the preferred first, such "
        "as ['local', 'slurm']; empty: everywhere, of places alike this machine first.",
    ).tag(config=True)

    answer_seconds = Float(
        min=0.5,
        help="Seconds a form or a dry run waits for what all places say; one that takes longer "
        "counts as silent. Default: MLINFN_ANSWER_SECONDS, else 2.",
    ).tag(config=True)

    shared_folders = Dict(
        key_trait=Unicode(),
        value_trait=List(Unicode()),
        help="Folders that all machines of a batch system see, such as {'slurm': ['/home', "
        "'/data']}. A job that needs another one is then refused before it is submitted; of a "
        "back-end that is not named here nobody knows.",
    ).tag(config=True)

    gpu_types = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="Memory of the GPU types of batch systems whose names do not tell it, such as "
        "{'v100l': '32GiB'}.",
    ).tag(config=True)

    slurm_programs = Unicode(
        "", help="Folder of Slurm's programs (sbatch, squeue, …); empty: they are on the path."
    ).tag(config=True)

    slurm_options = Dict(
        key_trait=Enum(
            [
                *("queue", "evictable_queue", "charge", "qos", "gpu_model", "grace"),
                *("far_folder", "far_python"),
            ]
        ),
        value_trait=Unicode(),
        help="What jobs on Slurm get that name none: 'queue' (partition), 'evictable_queue' (for "
        "jobs that may be evicted), 'charge' (account), 'qos', 'gpu_model' (type of the gres). "
        "'grace': seconds that Slurm gives a job it evicts (KillWait or GraceTime, less some; 25). "
        "'far_folder' and 'far_python': where slurm_ssh leads to a site that sees none of your "
        "folders, a folder there for jobs, and the Python there that has jupyter_mlinfn.",
    ).tag(config=True)

    slurm_ssh = Unicode(
        "",
        help="The machine on which Slurm's programs are run by ssh, as your ssh configuration "
        "names it or as user@host; empty: this one. Its nodes must see the same folders, or "
        "slurm_options names a 'far_folder'.",
    ).tag(config=True)

    slurm_ssh_config = Unicode(
        "", help="The ssh configuration for slurm_ssh; empty: ~/.ssh/config, as in a terminal."
    ).tag(config=True)

    slurm_poll_seconds = Float(
        2.0, min=0.5, help="Slurm is asked about its jobs at most every so many seconds."
    ).tag(config=True)

    htcondor_options = Dict(
        key_trait=Enum(
            [
                "pool",
                "schedd",
                "tokens",
                "filesystem_domain",
                "requirements",
                "charge",
                "gpu_model",
                "transfer",
                "far_python",
            ]
        ),
        value_trait=Unicode(),
        help="HTCondor where its own configuration on this machine does not tell: 'pool' (address "
        "of the collector), 'schedd' (name of the one to submit to), 'tokens' (folder of its "
        "IDTOKENS), 'filesystem_domain' (the name under which the machines share their folders). "
        "'transfer': 'yes' where the machines see none of the person's folders (these go through "
        "the schedd), with 'far_python' (the Python there that has jupyter_mlinfn). "
        "For jobs: 'requirements' (an expression all machines must fulfil), and what jobs get that "
        "name none: "
        "'charge' (accounting group), 'gpu_model' (name of the device).",
    ).tag(config=True)

    htcondor_poll_seconds = Float(
        2.0, min=0.5, help="HTCondor is asked about its jobs at most every so many seconds."
    ).tag(config=True)

    mail_host = Unicode(
        "",
        help="The mail server that notices at the end of jobs go through, as name or name:port; "
        "empty: nobody is told by e-mail. Machines that run jobs must reach it.",
    ).tag(config=True)

    mail_sender = Unicode("", help="The sender of those e-mails.").tag(config=True)

    mail_security = Enum(
        ["starttls", "tls", "none"], "starttls", help="How the mail server is spoken to."
    ).tag(config=True)

    mail_to = Unicode("", help="Your own address, to which those e-mails go.").tag(config=True)

    webhook_hosts = List(
        Unicode(),
        help="The only hosts (name or name:port) whose web addresses notices may go to; empty: "
        "every public one, by https to its usual port.",
    ).tag(config=True)

    webhook_private = Bool(
        False, help="Whether the hosts of webhook_hosts may lie in the network here, and take http."
    ).tag(config=True)

    secrets = Dict(
        key_trait=Unicode(),
        value_trait=Dict(key_trait=Unicode(), value_trait=Unicode()),
        help="Secrets that jobs may ask for by name, such as {'proxy': {'kind': 'x509', 'file': "
        "'/tmp/x509up_u1000'}}. Kinds: x509, token, s3, other. Instead of 'file', 'variable' names "
        "an environment variable of whoever submits.",
    ).tag(config=True)

    live_idle_minutes = Float(
        20.0,
        help="Close the live connection after so many minutes without user input, so that an "
        "open panel never keeps an idle server alive.",
    ).tag(config=True)

    gpu_interval = Float(1.0, help="Seconds between two GPU samples.").tag(config=True)

    gpus_simulated = Bool(
        False, help="Show simulated GPUs (for a look at the panel on a machine without one)."
    ).tag(config=True)

    @default("data_dir")
    def _default_data_dir(self) -> str:
        from jupyter_core.paths import jupyter_data_dir

        return str(Path(jupyter_data_dir()) / "mlinfn")

    @default("channels")
    def _default_channels(self) -> list[str]:
        named = os.environ.get("MLINFN_CHANNELS", "").split(",")
        return [name.strip() for name in named if name.strip()] or ["conda-forge"]

    @default("managed_environments")
    def _default_managed_environments(self) -> list[str]:
        named = os.environ.get("MLINFN_MANAGED_ENVIRONMENTS", "").split(os.pathsep)
        return [path for path in named if path]

    @default("shared_jobs")
    def _default_shared_jobs(self) -> list[str]:
        named = os.environ.get("MLINFN_SHARED_JOBS", "").split(os.pathsep)
        return [path for path in named if path]

    @default("backends")
    def _default_backends(self) -> list[str]:
        told = os.environ.get("MLINFN_BACKENDS")
        if told is None:
            return []
        return [name for name in told.split(",") if name] or ["local"]

    @default("queues")
    def _default_queues(self) -> list[str]:
        return [name for name in os.environ.get("MLINFN_QUEUES", "").split(",") if name]

    @default("answer_seconds")
    def _default_answer_seconds(self) -> float:
        return float(os.environ.get("MLINFN_ANSWER_SECONDS") or 2)

    @default("gpus_simulated")
    def _default_gpus_simulated(self) -> bool:
        return os.environ.get("MLINFN_GPUS") == "simulated"

    @property
    def named_backends(self) -> dict[str, list[str]]:
        """The names of back-ends that people wrote, by setting."""
        return {"backends": self.backends, "places": self.places}

    @property
    def job_memory_bytes(self) -> int | None:
        """``job_memory`` in bytes; ``None`` when it is to be found out."""
        return _amount(self.job_memory, "job_memory") if self.job_memory else None

    @property
    def reserve_memory_bytes(self) -> int:
        """``reserve_memory`` in bytes."""
        return _amount(self.reserve_memory, "reserve_memory")

    @property
    def hash_limit_bytes(self) -> int:
        """``hash_limit`` in bytes."""
        return _amount(self.hash_limit, "hash_limit")

    @property
    def environment_max_size_bytes(self) -> int | None:
        """``environment_max_size`` in bytes; ``None`` when there is no limit."""
        text = self.environment_max_size
        return _amount(text, "environment_max_size") if text else None

    @property
    def user(self) -> str:
        """The person's name as the system knows it."""
        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            return str(os.getuid())


def load_settings() -> Mlinfn:
    """Settings for a program: every ``jupyter_mlinfn_config.{json,py}`` on Jupyter's path.

    Later folders of the path are the system's, earlier ones the person's: the person's win,
    as in the server. A file that cannot be read raises what its loader raises: a broken
    configuration is never silently replaced by defaults.
    """
    from jupyter_core.paths import jupyter_config_path

    config = Config()
    for folder in reversed(jupyter_config_path()):
        for loader in (JSONFileConfigLoader, PyFileConfigLoader):
            try:
                name = f"jupyter_mlinfn_config{_SUFFIX[loader]}"
                config.merge(loader(name, folder).load_config())
            except ConfigFileNotFound:
                continue
    return Mlinfn(config=config)
