#!/usr/bin/env bash
# Install Debian's Slurm for up.sh, where that can be done; otherwise say why not, and let the tests skip themselves.
if command -v slurmctld slurmd sbatch munged >/dev/null; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Slurm is not installed, and cannot be without root and apt-get: its tests are skipped" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
packages="slurmctld slurmd slurm-client munge"
log=$(mktemp)
# shellcheck disable=SC2086
if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends $packages; } >"$log" 2>&1; then
    tail -n 3 "$log" >&2
    echo "Slurm could not be installed: its tests are skipped" >&2
fi
rm -f "$log"
