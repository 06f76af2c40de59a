"""HTCondor by its own Python bindings (``htcondor2``), in a program of their own."""
