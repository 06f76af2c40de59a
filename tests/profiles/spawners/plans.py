"""The two plans at the ends: everything that can be asked for, and nothing at all."""

from __future__ import annotations

from datetime import UTC, datetime

from jupyter_mlinfn.model.areas import Area, BucketStore
from jupyter_mlinfn.model.plans import Identity, Limits, Mount, Plan, Pool, Resource
from jupyter_mlinfn.profiles.spawners.sites import DockerSite, KubeSite, LocalSite, Toleration

GIB = 2**30
UNTIL = datetime(2026, 11, 22, 17, 40, tzinfo=UTC)
DEVICE = "MIG-51a1a100-0000-5000-8000-000000000003"
LEASE = "lease-7f3a"
DIGEST = "sha256:" + "ab" * 32
GOLD, PLAIN = f"registry.invalid/ml@{DIGEST}", "registry.invalid/plain:1"

ADA = Identity(name="Ada {username} Lovelace", slug="ada-lovelace--x", groups=frozenset({"u/ml"}))
SLICE = Pool(
    name="mig-1g10", title="A100 slice, 10 GB", model="NVIDIA A100 80GB PCIe", mig="1g.10gb",
    memory=10 * GIB, slices=1,
)  # fmt: skip

HOME = Mount(kind="nfs", source="nfs.example.org:/home/ada", target="/home/ada", read_only=False)
EVERYWHERE = (
    HOME,
    Mount(kind="bind", source="/srv/{x}/groups", target="/home/shared", read_only=False),
    Mount(kind="bind", source="/srv/envs", target="/envs", read_only=True),
    Mount(kind="bind", source="/srv/envs", target="/opt/envs", read_only=True),
    Mount(kind="cvmfs", source="sft.cern.ch", target="/cvmfs/sft.cern.ch", read_only=True),
    Mount(kind="tmpfs", source="", target="/scratch", read_only=False, size=2 * GIB),
    Mount(kind="bucket", source="s3://ada", target="/bucket", read_only=False),
)
AREA = Area(
    name="home", title='Home of "Ada" $(HOME) {username}', kind="private", path="/home/ada",
    writable=True, survives=True, audience="you", batch=("slurm",), quota=50 * GIB,
)  # fmt: skip
BUCKET = Area(
    name="objects", title="Objects", kind="bucket", path="", writable=True, survives=True,
    audience="you", batch=("slurm",), bucket="s3://people/homes/ada",
    store=BucketStore(
        endpoint="https://minio.example.org", audience="minio", role="arn:minio:iam:::role/people",
    ),
)  # fmt: skip

NOTHING = Plan(identity=ADA, profile="plain", title="Plain", image=PLAIN, cpu=1, memory=2 * GIB)
EVERYTHING = Plan(
    identity=ADA,
    profile="gold",
    title="All there is",
    image=GOLD,
    cpu=2.5,
    memory=16 * GIB,
    shm=8 * GIB,
    pool=SLICE,
    on_full="wait",
    mounts=EVERYWHERE,
    areas=(AREA, BUCKET),
    environment=(("OMP_NUM_THREADS", "2"), ("WORDS", "{not} a $(TEMPLATE) $$")),
    privileges=frozenset({"fuse", "userns"}),
    collaborative=True,
    limits=Limits(longest=43200, idle=7200),
    charge="u/ml",
    backends=("slurm", "local"),
    queues=("gpu",),
    environments=("/envs/ml", "/envs/base"),
    ports=(8787,),
)
EVERYTHING_OF_A_CLUSTER = EVERYTHING.model_copy(
    update={
        "mounts": (
            *EVERYWHERE,
            Mount(kind="pvc", source="data/users/ada", target="/data", read_only=False),
        ),
        "resources": (Resource(name="xilinx.com/fpga-u55c", count=2),),
    }
)
EVERYTHING_OF_A_MACHINE = EVERYTHING.model_copy(update={"image": None, "mounts": ()})

DOCKER = DockerSite(
    network="hub", roots=("/srv",), groups=(2001,), service="http://hub:10101/services/mlinfn/"
)
KUBE = KubeSite(
    roots=("/srv",),
    groups=(2001,),
    fuse_resource="smarter-devices/fuse",
    labels=(("hub.jupyter.org/network-access-hub", "true"),),
    tolerations=(
        Toleration(key="reserved", value="ml", effect="NoSchedule", groups=frozenset({"u/ml"})),
        Toleration(key="slices", effect="NoSchedule", pools=frozenset({"mig-1g10"})),
        Toleration(key="others", groups=frozenset({"u/others"})),
    ),
    service="http://hub:10101/services/mlinfn/",
)
LOCAL = LocalSite(service="http://127.0.0.1:10101/services/mlinfn/")
