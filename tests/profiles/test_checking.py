"""What is wrong between the tables of a file: one row for each rule, with the place it is told at.

A row changes one thing of the right file of ``files.py``; exactly one problem must come of it,
there, with these words.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlinfn.profiles.places import ProfilesError
from jupyter_mlinfn.profiles.reading import load, read_text
from tests.profiles.files import TEXT, book

SHA = "sha256:" + "0" * 64
HOME = 'source = "/srv/data/homes/{user}"\ntarget = "/home/jovyan"\nmode = "rw"\ncreate = true\n'
PROFILE = '[[profile]]\nname = "cpu"'


def volume(**keys: str) -> str:
    """One more volume, before the profiles."""
    lines = "\n".join(f"{key} = {value}" for key, value in keys.items())
    return f'[volume.more]\ntitle = "More"\n{lines}\n\n{PROFILE}'


ROWS = [
    # names
    ('images = ["lab"]', 'images = ["lba"]', "profile.cpu.images", "mean 'lab'?"),
    ('"none", "mig-small"', '"nnoe", "mig-small"', "profile.gpu-small.accelerators",
     "mean 'none'?"),
    ("resources = { fpga", "resources = { fgpa", "profile.gpu-small.resources.fgpa", "'fpga'?"),
    ('"home", "collab"', '"home", "colab"', "profile.gpu-small.volumes", "mean 'collab'?"),
    ('["cms", "scratch"]', '["cms", "home"]', "profile.gpu-small.optional_volumes", "always, or"),
    ('name = "staff"', 'name = "cpu"', "profile.cpu.name", "two profiles named 'cpu'"),
    ('images = ["lab"]', 'images = ["lab", "lab"]', "profile.cpu.images", "'lab' is in the list"),
    ("cpu = [1, 0.5]", "cpu = [1, 0.5, 1.0]", "profile.cpu.cpu", ": 1 is in the list twice"),
    ('memory = ["2GiB"]', 'memory = ["2GiB", "2048MiB"]', "profile.cpu.memory",
     ": 2GiB is in the list twice"),
    ("[resource.fpga]", "[accelerator.none]\ntitle = 'x'\nmodel = 'x'\n[resource.fpga]",
     "accelerator.none", "stands for no accelerator"),
    # ceilings
    ("cpu = [1, 0.5]", "cpu = [32]", "profile.cpu.cpu", "ceiling of 16"),
    ('memory = ["2GiB"]', 'memory = ["65GiB"]', "profile.cpu.memory", "ceiling of 64GiB"),
    ('shm = "1GiB"', 'shm = "2GiB"', "profile.gpu-small.shm", "above 1536MiB"),
    ('max = "12h"', 'max = "25h"', "profile.gpu-small.time.max", "ceiling of 24 h"),
    ("slices = 3", "slices = 2", "profile.gpu-small.accelerators", "3 sevenths"),
    ('warn = "20min"', 'warn = "2h"', "profile.gpu-small.time.warn", "too early"),
    ('memory = ["2GiB"]', 'memory = ["2GiB"]\ntime = { warn = "1h" }',
     "profile.cpu.time.warn", "nothing to warn of"),
    ('mig = "3g.40gb"', 'mig = "1g.10gb"', "accelerator.mig-large.model", "one of them only"),
    ('mig = "3g.40gb"', 'mig = "3g.40gb"\nslices = 2', "accelerator.mig-large.slices",
     "3 sevenths"),
    # images
    ('lab:1.2"', 'lab"', "image.lab.reference", "no tag and no digest"),
    ('"harbor.example.org/ok/lab:1.2"', '"quay.example.org/lab:1"', "image.lab.reference",
     "Allowed ([ceiling] registries): harbor.example.org/ok/"),
    ('"harbor.example.org/ok/",', '"harbor.example.org/ok:1/", "harbor.example.org/ok/",',
     "ceiling.registries", "last slash"),
    # volumes: whole
    ('kind = "tmpfs"', 'kind = "tmpfs"\nsource = "/x"', "volume.scratch.source", "no source"),
    ('quota = "4GiB"', "", "volume.scratch", "needs a size"),
    ('source = "cms.cern.ch"\n', "", "volume.cms", "kind cvmfs needs it"),
    ('target = "/scratch"\n', "", "volume.scratch", "where the session sees it"),
    ('target = "/cvmfs/cms.cern.ch"', 'target = "/c"\nmode = "rw"\ngroups = ["a"]',
     "volume.cms.mode", "read-only"),
    ('target = "/scratch"', 'target = "/scratch"\ncreate = true', "volume.scratch.create", "bind"),
    (PROFILE, volume(kind='"nfs"', source='"s.example.org:/x"', target='"/x"',
     backup='{ source = "/srv/backups/more", target = "/y" }'), "volume.more.backup", "are copied"),
    ('target = "/backups/{group}"', 'target = "/backups/x"', "volume.collab.backup.target",
     "{group} must be in it"),
    ('target = "/home/jovyan"', 'target = "/home/{group}"', "volume.home.target", 'each = "group"'),
    ('groups = ["users/ai-infn", "cms"]\n', "", "volume.collab.each", "'groups' is missing"),
    # volumes: sources
    (HOME, HOME.replace("{user}", "all"), "volume.home.mode", "Everybody could write"),
    (PROFILE, volume(kind='"nfs"', source='"/x"', target='"/x"'), "volume.more.source",
     "server:/path"),
    (PROFILE, volume(kind='"nfs"', source='"-o:/x"', target='"/x"'), "volume.more.source",
     "server:/path"),
    (PROFILE, volume(kind='"nfs"', source='"s.example.org:/"', target='"/x"'), "volume.more.source",
     "whole disk"),
    (PROFILE, volume(kind='"pvc"', source='"../x"', target='"/x"'), "volume.more.source",
     "claim-{user}"),
    (PROFILE, volume(kind='"pvc"', source='"x-{usr}"', target='"/x"'), "volume.more.source",
     "stands for nothing"),
    (PROFILE, volume(kind='"bucket"', source='"https://s3.example.org/x"'), "volume.more.source",
     "s3://bucket-{user}"),
    ('"cms.cern.ch"', '"/cvmfs/cms.cern.ch"', "volume.cms.source", "cms.cern.ch"),
    # volumes: buckets
    *((PROFILE, volume(kind='"bucket"', source='"s3://x-{user}"', store=store), field, words)
      for store, field, words in (
        ("{}", "volume.more.store.endpoint", "missing"),
        ('{ endpoint = "http://s3.example.org" }', "volume.more.store.endpoint", "in clear"),
        ('{ endpoint = "http://10.0.0.7:9000" }', "volume.more.store.endpoint", "in clear"),
        ('{ endpoint = "https://a:b@s3.example.org" }', "volume.more.store.endpoint", "host alone"),
        ('{ endpoint = "https://s3.example.org/x" }', "volume.more.store.endpoint", "host alone"),
        ('{ endpoint = "https://{user}.example.org" }', "volume.more.store.endpoint", "host alone"),
        ('{ endpoint = "file:///etc/passwd" }', "volume.more.store.endpoint", "host alone"),
        ('{ endpoint = "https://s", sts = "s" }', "volume.more.store.sts", "host alone"),
        ('{ endpoint = "https://s", keys = "static" }', "volume.more.store.keys", "web-identity"),
        ('{ endpoint = "https://s", region = "a b" }', "volume.more.store.region", "us-east-1"),
        ('{ endpoint = "https://s", role = "people" }', "volume.more.store.role", "ARN"),
        ('{ endpoint = "https://s", access_key = "A" }', "volume.more.store.access_key", "no key"),
        ('{ endpoint = "https://s", secret_key = "A" }', "volume.more.store.secret_key", "no key"),
    )),
    *((PROFILE, volume(kind='"bucket"', source=f'"{source}"'), "volume.more.source", "s3://")
      for source in ("s3://x-{user}/../y", "s3://x-{user}//y", "s3://x-{user}/./y", "s3://X",
                     "s3://x-{user}/*", "s3://x-{user}/a b", "s3://a:b@x-{user}", "s3:///{user}")),
    (PROFILE, volume(kind='"nfs"', source='"s.example.org:/x/{user}"', target='"/x"',
     store='{ endpoint = "https://s" }'), "volume.more.store", "kind bucket"),
    (PROFILE, volume(kind='"bucket"', source='"s3://all"', mode='"rw"'), "volume.more.mode",
     "Everybody could write"),
    (PROFILE, volume(kind='"bucket"', source='"s3://all/{user}"').replace(
        "[volume.more]", '[volume.s]\ntitle = "S"\nkind = "bucket"\nsource = "s3://all"\n[volume.more]'
     ), "volume.s.source", "keys to all of 'more'"),
    ('"/srv/backups/groups/{group}"', '"/srv/elsewhere/{group}"', "volume.collab.backup.source",
     "not below a root"),
    ('"/srv/data", "/srv/backups"]', '"/srv/data", "/srv/backups", "/srv/{user}"]',
     "ceiling.roots", "no braces"),
    # volumes: other people's
    (PROFILE, volume(kind='"bind"', source='"/srv/data/homes/public"', target='"/p"'),
     "volume.more.source", "one place for some names"),
    (PROFILE, volume(kind='"bind"', source='"/srv/data/homes/{user}/work"', target='"/w"'),
     "volume.more.source", "put a link"),
    (PROFILE, volume(kind='"bind"', source='"/srv/data/groups"', target='"/all"'),
     "volume.more.source", "sees all of 'collab'"),
    ('"/srv/backups/groups/{group}"', '"/srv/data/groups/{group}/.old"',
     "volume.collab.backup.source", "put a link"),
    ('"/srv/backups/groups/{group}"', '"/srv/data/groups/{group}"',
     "volume.collab.backup.source", "one place"),
    ('"/srv/backups/groups/{group}"', '"/srv/data/homes/{group}"',
     "volume.collab.backup.source", "one place"),
    (PROFILE, volume(kind='"bind"', source='"/srv/backups/groups"', target='"/old"'),
     "volume.more.source", "sees all of the copies of 'collab'"),
    (HOME, HOME + 'backup = { source = "/srv/backups/homes", target = "/old" }\n',
     "volume.home.backup.source", "Everybody's copies"),
    ('target = "/scratch"', 'target = "/home/jovyan"', "profile.gpu-small.optional_volumes",
     "mounted at one place"),
    ('target = "/scratch"', 'target = "/collab/x"', "profile.gpu-small.optional_volumes",
     "mounted at one place"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "field", "words"), ROWS)
def test_one_thing_wrong_is_one_problem_at_its_place(
    right: str, wrong: str, field: str, words: str
) -> None:
    assert right in TEXT
    with pytest.raises(ProfilesError) as caught:
        read_text(TEXT.replace(right, wrong, 1), "p.toml")
    assert [problem.field for problem in caught.value.problems] == [field]
    assert words in caught.value.problems[0].text


@pytest.mark.parametrize(
    ("right", "other"),
    [
        ('"harbor.example.org/ok/lab:1.2"', f'"harbor.example.org/ok/a/b/lab@{SHA}"'),
        ('"harbor.example.org/ok/lab:1.2"', f'"harbor.example.org/ok/lab:1.2@{SHA}"'),
        ('"harbor.example.org/ok/lab:1.2"', '"registry.example.org:5000/exact/lab:1"'),
        (HOME, HOME.replace('source = "/srv/data/homes/{user}"', 'source = "/srv/data/x-{user}"')),
        # everybody reads a folder in which each has one to write
        (PROFILE, volume(kind='"bind"', area='"shared"', source='"/srv/data/s/{user}"',
         target='"/mine"', mode='"rw"') .replace("[volume.more]", '[volume.s]\ntitle = "S"\n'
         'kind = "bind"\nsource = "/srv/data/s"\ntarget = "/s"\n[volume.more]')),
        # two volumes show one folder
        (PROFILE, volume(kind='"bind"', source='"/srv/data/homes/{user}"', target='"/again"')),
    ],
)  # fmt: skip
def test_what_is_right_is_left_alone(right: str, other: str) -> None:
    assert right in TEXT
    book(TEXT.replace(right, other, 1))


def test_without_registries_a_digest_is_needed() -> None:
    text = TEXT.replace("registries", "# registries")
    with pytest.raises(ProfilesError) as caught:
        read_text(text, "p.toml")
    assert [problem.field for problem in caught.value.problems] == [
        "image.lab.reference", "image.staff.reference",
    ]  # fmt: skip
    book(text.replace(":1.2", f"@{SHA}").replace("staff:3", f"staff@{SHA}"))


@pytest.mark.parametrize("name", ["ml-infn", "ai-infn"])
def test_the_shipped_examples_are_right(name: str) -> None:
    known = load(Path(__file__).parents[2] / "deploy" / "profiles" / f"{name}.toml")
    assert all(profile.groups for profile in known.profile)
    if name == "ai-infn":
        shapes = {pool.mig for pool in known.pools}
        assert {"1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb", None} <= shapes
        models = {pool.model for pool in known.pools if pool.mig is None}
        assert models == {"NVIDIA A30", "Tesla T4", "Quadro RTX 5000"}
    else:
        assert [p.images for p in known.profile if p.collaborative] == [("lab-collaborative",)]
        assert {v.kind for v in known.volume.values()} == {"bind", "cvmfs"}
