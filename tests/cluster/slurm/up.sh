#!/usr/bin/env bash
# A toy Slurm on this machine, without systemd and without accounting: three nodes n1, n2, n3 of one core each.
#
#     up.sh DIR      DIR is to be new, and takes all that the daemons write; then: export SLURM_CONF=DIR/slurm.conf
#     down.sh DIR    ends it
#
# Needs root and Debian's slurmctld, slurmd, slurm-client and munge (install.sh).
set -euo pipefail
mkdir -p "$1"
dir=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
trap '"$here/down.sh" "$dir"; tail -n 5 "$dir"/log/* >&2' ERR
mkdir -p "$dir/log" "$dir/state" "$dir"/spool-n{1,2,3}
chmod 755 "$dir"

# Four ports that nobody listens on.
mapfile -t port < <(python3 - <<'EOF'
import socket
sockets = [socket.socket() for _ in range(4)]
for each in sockets:
    each.bind(("127.0.0.1", 0))
print(*(each.getsockname()[1] for each in sockets), sep="\n")
EOF
)
host=$(hostname -s)

# cred_expire: a job that is requeued otherwise waits two minutes until its old credential is worth nothing.
# NoInAddrAny, NoCtldInAddrAny: listen on the loopback alone.
# linuxproc, task/none: without systemd there may be no cgroups to put jobs into.
cat >"$dir/slurm.conf" <<EOF
ClusterName=toy
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${port[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool-%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=2,batch_sched_delay=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
KillWait=10
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=${port[1]} CPUs=1 RealMemory=4000 Gres=gpu:1
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=${port[2]} CPUs=1 RealMemory=4000 Gres=gpu:1
NodeName=n3 NodeHostname=$host NodeAddr=127.0.0.1 Port=${port[3]} CPUs=1 RealMemory=4000 Gres=gpu:1
PartitionName=main Nodes=n[1-3] Default=YES MaxTime=INFINITE State=UP
EOF
# No GPU: a device file that is there and that nobody uses as one.
echo "NodeName=n[1-3] Name=gpu File=/dev/null" >"$dir/gres.conf"

export SLURM_CONF=$dir/slurm.conf
(umask 077 && head -c 1024 /dev/urandom >"$dir/munge.key")
munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
    --log-file="$dir/log/munged.log" --seed-file="$dir/munged.seed"
slurmctld -c -f "$SLURM_CONF"
for node in n1 n2 n3; do
    slurmd -N "$node" -f "$SLURM_CONF"
done

for _ in $(seq 150); do
    idle=$(sinfo --noheader --Node --states=idle --format=%N 2>/dev/null | wc -l)
    if [ "$idle" = 3 ]; then
        exit 0
    fi
    sleep 0.2
done
echo "up.sh: the three nodes are not idle after 30 s" >&2
false
