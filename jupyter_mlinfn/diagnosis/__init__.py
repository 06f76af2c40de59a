"""What this machine offers, what is missing and what to do: the checks behind ``mlinfn doctor``.

A check never ends the diagnosis: what cannot be looked at is itself a finding. Nothing is changed
or downloaded; a probe file in the data folder and a probe control group are removed again.
"""

from jupyter_mlinfn.diagnosis.asking import diagnose, failures
from jupyter_mlinfn.diagnosis.checks import NEEDED, Check, Diagnosis

__all__ = ["NEEDED", "Check", "Diagnosis", "diagnose", "failures"]
