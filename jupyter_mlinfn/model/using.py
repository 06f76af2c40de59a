"""What a running attempt uses at this moment, as it is seen from inside the job."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Using(BaseModel):
    """``cpus``: whole CPUs busy (1.5 is one and a half). ``memory`` and ``peak_memory``: bytes of
    the whole process tree. ``gpus_busy``: percent, the mean of the attempt's own accelerators;
    ``None`` without one, or where the driver does not tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    cpus: float | None = None
    memory: int | None = None
    peak_memory: int | None = None
    gpus_busy: float | None = None
    at: AwareDatetime
