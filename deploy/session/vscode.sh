# VS Code (code-server) for the session image; run by its Dockerfile when VSCODE is not 0.
set -eu
export npm_config_cache=/tmp/npm
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
  build-essential libkrb5-dev libsecret-1-dev libx11-dev libxkbfile-dev npm python3
npm install --global n
n "$NODE"
hash -r
npm install --global --unsafe-perm "code-server@$CODE_SERVER"
apt-get purge -y -qq build-essential
rm -rf /var/lib/apt/lists/* "$npm_config_cache"
