"""What makes a run exact and how two runs compare: commit, node, outputs, difference, verdict."""
