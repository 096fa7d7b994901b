#!/usr/bin/env bash
# Makes .environment/ beside this file with PyTorch, JAX and zuko, and says which peers can run.
# Safe to run twice. PyTorch's Linux wheel brings CUDA libraries (6 GB on disk, not used here);
# without the room or the package index, Debian's python3-torch serves if it is there or, as
# root, can be installed. PYTHON names the interpreter to use (default: python3).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
environment=.environment
needed_gb=12

say() { printf '%s\n' "$*" >&2; }
can_import() { "$environment/bin/python" -c "import $1" 2>/dev/null; }
install() { "$environment/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check "$@" >&2; }
make() { "$1" -m venv $2 "$environment" >&2 || { say "cannot make a virtual environment with $1 (Debian: python3-venv)"; exit 1; }; }

# A run that was cut off may leave an environment without pip: start that one again.
if [ -e "$environment" ] && ! "$environment/bin/python" -m pip --version >/dev/null 2>&1; then
  rm -rf "$environment"
fi
[ -e "$environment" ] || make "${PYTHON:-python3}" ""

if ! can_import torch; then
  free_gb=$(($(df -Pk . | awk 'NR == 2 { print $4 }') / 1024 / 1024))
  if [ "$free_gb" -lt "$needed_gb" ]; then
    say "torch: $free_gb GB free, $needed_gb wanted; trying Debian's package instead"
  else
    say "torch: installing from the package index"
    install -r requirements-torch.txt || say "torch: the package index did not serve it"
  fi
fi
if ! can_import torch && [ -x /usr/bin/apt-get ]; then
  if ! /usr/bin/python3 -c "import torch" 2>/dev/null && [ "$(id -u)" = 0 ]; then
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-torch python3-venv; } >&2
  fi
  if /usr/bin/python3 -c "import torch" 2>/dev/null; then
    rm -rf "$environment"
    make /usr/bin/python3 --system-site-packages
  fi
fi
# With Debian's torch the pinned numpy would not fit it, so JAX then takes what is there.
if ! can_import jax; then
  say "jax: installing from the package index"
  install -r requirements-jax.txt || say "jax: the package index did not serve it"
fi
if can_import torch && ! can_import zuko; then
  say "zuko: installing from the package index"
  install -r requirements-nsf.txt || say "zuko: the package index did not serve it"
fi

for peer in "torch_original torch" "torch_newton torch" "jax_newton jax" "nsf zuko"; do
  read -r program module <<<"$peer"
  if can_import "$module"; then printf '%s available\n' "$program"; else printf '%s unavailable\n' "$program"; fi
done
