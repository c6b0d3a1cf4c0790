#!/bin/sh
# Boots one machine in the mount namespace this script was started in, which ends with it: whatever happens
# to the machine or to the daemon, no mount of it is ever left on the host.
#
#   boot-machine.sh ROOT LOWER UPPER WORK CGROUP NAMESPACE NAME UUID
set -eu
root=$1 lower=$2 upper=$3 work=$4 cgroup=$5 namespace=$6 name=$7 uuid=$8

echo $$ > "$cgroup/cgroup.procs"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" "$root"

# What an EC2 guest reads to know that it is one; nspawn completes this /sys with the namespace's own devices.
mount -t tmpfs -o mode=0555,nosuid,nodev,noexec tmpfs "$root/sys"
mkdir -p "$root/sys/fs/cgroup" "$root/sys/hypervisor"
echo "$uuid" > "$root/sys/hypervisor/uuid"

# Guests of Debian 13 know only the unified hierarchy, also where the host still mixes both.
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec systemd-nspawn --quiet --directory="$root" --machine="$name" --hostname=localhost \
    --boot --register=no --keep-unit --notify-ready=yes --capability=CAP_NET_ADMIN \
    --network-namespace-path="/run/netns/$namespace" \
    --resolv-conf=off --timezone=off --link-journal=no --console=read-only
