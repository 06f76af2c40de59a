#!/bin/bash
# A virtual environment with real-time collaboration on top of .venv, for the story that
# submits a shared notebook. It sees everything of .venv by a .pth file and holds only what
# .venv lacks, so it is made in seconds. Done already: nothing happens.
set -eu
cd "$(dirname "$0")/.."
version=4.4.2
venv=.venvs/collab
stamp=$venv/.made-$version
[ -e "$stamp" ] && exit 0
rm -rf "$venv"
.venv/bin/python -m venv "$venv"
base=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
own=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "import site; site.addsitedir('$base')" >"$own/of-the-checkout.pth"
"$venv/bin/python" -m pip install -q "jupyter-collaboration==$version"
touch "$stamp"
