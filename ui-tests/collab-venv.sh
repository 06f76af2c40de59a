#!/bin/bash
# A virtual environment with real-time collaboration on top of .venv, for the story that
# submits a shared notebook. It sees everything of .venv by a .pth file and holds only what
# .venv lacks, so it is made in seconds. Done already: nothing happens.
set -eu
cd "$(dirname "$0")/.."
wanted=ui-tests/collab-requirements.txt
venv=.venvs/collab
if ! cmp -s "$wanted" "$venv/made-from.txt"; then
  rm -rf "$venv"
  .venv/bin/python -m venv "$venv"
  base=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  own=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  echo "import site; site.addsitedir('$base')" >"$own/of-the-checkout.pth"
  "$venv/bin/python" -m pip install -q -r "$wanted"
  cp "$wanted" "$venv/made-from.txt"
fi
