#!/usr/bin/env bash
# Makes .environment/ beside this file with PyTorch, JAX and zuko from the package index.
# Prints one line a peer: its name, "available" or "unavailable", and the interpreter to run it
# with (relative to this folder). Safe to run twice. PYTHON names the interpreter to start from.
# PyTorch's Linux wheel brings CUDA libraries (6 GB on disk, not used here); without the room or
# the index, Debian's python3-torch serves, from its own environment because it needs its own
# numpy; it is installed if this runs as root.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
main=.environment
debian=.environment/debian
needed_gb=12

say() { printf '%s\n' "$*" >&2; }
has() { "$1/bin/python" -c "import $2" >/dev/null 2>&1; }
install() { "$1/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check "${@:2}" >&2; }
make() { # DIRECTORY PYTHON [OPTION]: a virtual environment, anew if a run was cut off before pip
  "$1/bin/python" -m pip --version >/dev/null 2>&1 && return
  "$2" -m venv --clear "${@:3}" "$1" >&2 || { say "cannot make an environment with $2 (Debian: python3-venv)"; return 1; }
}

make $main "${PYTHON:-python3}" || exit 1
has $main jax || { say "installing jax"; install $main -r requirements-jax.txt || say "jax: not installed"; }

torch=$main
if ! has $main torch; then
  free_gb=$(($(df -Pk . | awk 'NR == 2 { print $4 }') / 1024 / 1024))
  if [ "$free_gb" -lt "$needed_gb" ]; then
    say "torch: $free_gb GB free, $needed_gb wanted"
  else
    say "installing torch"
    install $main -r requirements-torch.txt || say "torch: not installed"
  fi
fi
if ! has $main torch && [ -x /usr/bin/apt-get ]; then
  torch=$debian
  if ! /usr/bin/python3 -c "import torch" 2>/dev/null && [ "$(id -u)" = 0 ]; then
    say "installing Debian's python3-torch"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-torch python3-venv; } >&2
  fi
  /usr/bin/python3 -c "import torch" 2>/dev/null && make $debian /usr/bin/python3 --system-site-packages
fi
if has $torch torch && ! has $torch zuko; then
  say "installing zuko"
  install $torch --no-deps -r requirements-nsf.txt || say "zuko: not installed"
fi

for peer in "torch_original $torch torch" "torch_newton $torch torch" "torch_images $torch torch" "jax_newton $main jax" "nsf $torch zuko"; do
  read -r program environment module <<<"$peer"
  if has "$environment" "$module"; then
    printf '%s available %s\n' "$program" "$environment/bin/python"
  else
    printf '%s unavailable\n' "$program"
  fi
done
