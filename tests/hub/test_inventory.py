"""Which devices of a machine belong to which pool."""

from __future__ import annotations

from jupyter_mlinfn.hub.inventory import offered
from jupyter_mlinfn.model.accelerators import Accelerator, MigShape
from jupyter_mlinfn.model.plans import Pool

A100 = "NVIDIA A100 80GB PCIe"
SLICE = Pool(name="slice", title="Slice", model=A100, mig="1g.10gb")
WHOLE = Pool(name="whole", title="Whole", model=A100)


def gpu(uuid: str, *, cut: bool = False, lost: bool = False) -> Accelerator:
    state = "lost" if lost else "ok"
    return Accelerator(uuid=uuid, index=0, name=A100, cut=cut, state=state)


def mig(uuid: str, parent: str, shape: str) -> Accelerator:
    place = MigShape(profile=shape, gpu_instance=1, compute_instance=0)
    return Accelerator(uuid=uuid, index=0, name=f"{A100} MIG {shape}", parent=parent, mig=place)


def test_slices_go_by_their_gpus_model_and_shape_and_a_cut_gpu_is_no_device() -> None:
    seen = [
        gpu("GPU-1", cut=True),
        mig("MIG-1", "GPU-1", "1g.10gb"),
        mig("MIG-2", "GPU-1", "2g.20gb"),
        gpu("GPU-2"),
        gpu("GPU-3", lost=True),
        Accelerator(uuid="GPU-4", index=3, name="Tesla T4"),
    ]
    found = offered(seen, [SLICE, WHOLE], "here")
    assert [(one.uuid, one.pool, one.parent) for one in found] == [
        ("MIG-1", "slice", "GPU-1"),
        ("GPU-2", "whole", None),
    ]
    assert {one.host for one in found} == {"here"}
