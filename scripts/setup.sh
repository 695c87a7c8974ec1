#!/usr/bin/env bash
# Installs what is missing: Debian packages of scripts/packages.txt (as root), npm packages of the lock file.
# Silent about what is already there; never says where packages come from.
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

fail() { echo "setup: $1" >&2; exit 1; }
# Package tools print addresses of mirrors: those are left out of what we show.
show_log() { sed -E 's#[a-z]+://[^ ]*##g' "$log" | tail -n 20 >&2; }

command -v npm >/dev/null || fail 'npm is missing: install Node 20 or later with npm, then run this again'
[ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 20')" = true ] || fail "Node 20 or later is needed, this is $(node -v)"

missing=()
while read -r name file _; do
  case $name in ''|'#'*) continue ;; esac
  case $file in
    -) dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name") ;;
    *) [ -e "$file" ] || missing+=("$name") ;;
  esac
done < scripts/packages.txt

if [ ${#missing[@]} -gt 0 ]; then
  [ "$(id -u)" = 0 ] || fail "missing packages: ${missing[*]}; install them, or run this as root"
  command -v apt-get >/dev/null || fail "missing packages: ${missing[*]}; no apt-get here to install them"
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # Services of the test peers (a registry, containerd) must not start on the host because we install them.
  guard=/usr/sbin/policy-rc.d
  if [ ! -e $guard ]; then
    printf '#!/bin/sh\nexit 101\n' > $guard
    chmod +x $guard
    trap 'rm -f "$log" /usr/sbin/policy-rc.d' EXIT
  fi
  install() { apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" >"$log" 2>&1 </dev/null; }
  if ! install; then
    apt-get update >"$log" 2>&1 </dev/null || { show_log; fail 'the package lists could not be fetched'; }
    install || { show_log; fail 'some packages could not be installed'; }
  fi
fi

# npm ci removes node_modules first: only when the lock differs from the one that was installed.
want=$(sha256sum package-lock.json | cut -d' ' -f1)
if [ "$(cat node_modules/.slipway-lock 2>/dev/null)" != "$want" ]; then
  echo 'setup: installing the npm packages of the lock file'
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >"$log" 2>&1 </dev/null || { show_log; fail 'npm ci failed'; }
  echo "$want" > node_modules/.slipway-lock
fi
node_modules/.bin/node -e 0 || fail 'the packaged Node does not run on this machine'
