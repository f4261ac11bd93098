#!/usr/bin/env bash
# End the toy Slurm of up.sh, its jobs with it, and wait until its processes are gone: down.sh DIR
set -uo pipefail
dir=$(cd "$1" && pwd) || exit 0
export SLURM_CONF=$dir/slurm.conf
if [ -e "$dir/slurmctld.pid" ]; then
    timeout 5 scancel --state=PENDING --quiet 2>/dev/null
    timeout 5 scancel --signal=KILL --full --quiet --state=RUNNING 2>/dev/null
    for _ in $(seq 50); do
        [ -z "$(timeout 5 squeue --noheader 2>/dev/null)" ] && break
        sleep 0.1
    done
fi
pids=$(cat "$dir"/slurmd-n?.pid "$dir/slurmctld.pid" "$dir/munged.pid" 2>/dev/null)
for pid in $pids; do
    kill "$pid" 2>/dev/null
done
for _ in $(seq 100); do
    left=
    for pid in $pids; do
        if kill -0 "$pid" 2>/dev/null; then left="$left $pid"; fi
    done
    [ -z "$left" ] && exit 0
    sleep 0.1
done
for pid in $left; do
    kill -KILL "$pid" 2>/dev/null
done
exit 0
