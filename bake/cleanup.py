"""What is removed from a builder before its disk becomes an image: the last thing to run on it.

Choices worth knowing:

- `/etc/machine-id` is emptied, neither removed nor set to `uninitialized`: both of those make systemd see a
  *first boot*, on which it applies presets and would enable every unit the spec disabled. Empty, it gets a
  new id at boot all the same.
- `/var/lib/cloud` goes, so that cloud-init meets a new instance: it makes host keys, installs the launch key
  and writes its sudo rule anew. The default user stays, without a password.
- What runs on after the clean-up must not write: journald keeps nothing (`Storage=none`, until the next
  boot), login records go nowhere, and services that log or save state while stopping are stopped first.
- The sudo rule and the authorized keys go last. Nobody can log in then: the image is taken from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bake.errors import CleanupIncomplete

if TYPE_CHECKING:
    from bake.machine import Machine

CLEANUP_SECONDS = 600.0

# Whoever holds a log open would write its farewell into it at shutdown.
_STOP_WRITERS = """
for held in $(find /proc/[0-9]*/fd -lname '/var/log/*'); do
    unit=$(sed -n 's|.*/\\([^/]*\\.service\\).*|\\1|p' "${held%/fd/*}/cgroup" | head -n 1)
    case $unit in ''|ssh*|systemd-journald.service|user@*) ;; *) systemctl stop "$unit";; esac
done
"""

_QUIETEN = """
systemctl stop apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service
systemctl stop man-db.timer logrotate.timer dpkg-db-backup.timer rsyslog.service syslog.socket auditd.service
systemctl stop systemd-random-seed.service systemd-update-utmp.service
mkdir -p /run/systemd/journald.conf.d
printf '[Journal]\\nStorage=none\\nForwardToSyslog=no\\n' > /run/systemd/journald.conf.d/zz-amibake.conf
systemctl restart systemd-journald.service
swapoff -a
"""

_FORGET_CLOUD = """
if command -v cloud-init; then cloud-init clean --logs --configs all || cloud-init clean --logs; fi
find /var/lib/cloud -mindepth 1 -delete
rm -f /etc/netplan/50-cloud-init.yaml /etc/network/interfaces.d/50-cloud-init*
rm -f /etc/ssh/sshd_config.d/50-cloud-init.conf
rm -f /etc/udev/rules.d/70-persistent-net.rules /etc/systemd/network/10-cloud-init-*
find /var/lib/dhcp /var/lib/dhcpcd /var/lib/NetworkManager /var/lib/systemd/network -type f -delete
"""

_FORGET_BUILD = """
rm -f /usr/sbin/policy-rc.d /etc/apt/apt.conf.d/*proxy*
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/lib/dpkg/*-old
find /tmp /var/tmp /var/crash /var/lib/systemd/coredump -xdev -mindepth 1 -delete
find /var/mail/ /var/spool/mail/ /var/spool/cron/crontabs -xdev -mindepth 1 -delete
rm -f /var/lib/systemd/timers/* /var/lib/logrotate/status
for home in /root /home/*; do
    rm -rf "$home"/.cache "$home"/.pip "$home"/.ansible "$home"/.local/state
    rm -f "$home"/.*_history "$home"/.lesshst "$home"/.viminfo "$home"/.wget-hsts
    rm -f "$home"/.sudo_as_admin_successful "$home"/.ssh/known_hosts*
done
"""

_FORGET_IDENTITY = """
rm -f /etc/ssh/ssh_host_*key /etc/ssh/ssh_host_*key.pub /etc/hostname
rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
test -L /var/lib/dbus/machine-id || rm -f /var/lib/dbus/machine-id
: > /etc/machine-id
test -L /etc/resolv.conf || mountpoint -q /etc/resolv.conf || rm -f /etc/resolv.conf
getent passwd | while IFS=: read -r name _ id _; do
    if [ "$id" -eq 0 ] || { [ "$id" -ge 1000 ] && [ "$id" -lt 60000 ]; }; then passwd -l "$name"; fi
done
"""

_FORGET_LOGS = """
find /var/log/journal -xdev -type f -delete
find /var/log -xdev -type f \\( -name '*.gz' -o -name '*.xz' -o -name '*.[0-9]' -o -name '*.old' \\) -delete
find /var/log/journal -mindepth 1 -type d -delete
find /var/log -xdev -type f -exec truncate -s 0 {} +
for record in wtmp btmp lastlog; do
    test -f /var/log/$record && mount --bind /dev/null /var/log/$record
done
"""

_LOCK_THE_DOOR = """
fstrim -a
rm -f /etc/sudoers.d/90-cloud-init-users
rm -f /root/.ssh/authorized_keys* /home/*/.ssh/authorized_keys*
sync
"""

# What this machine does not have cannot be removed, and that is no failure: the probe decides.
SCRIPT = (
    "exec 3>&1 >/dev/null 2>&1\n"
    + _STOP_WRITERS + _QUIETEN
    + _FORGET_CLOUD + _FORGET_BUILD + _FORGET_IDENTITY + _FORGET_LOGS
    + _LOCK_THE_DOOR
    + "exec >&3 2>&1\n"
)  # fmt: skip

_GONE = """
    /etc/ssh/ssh_host_* /etc/ssh/sshd_config.d/50-cloud-init.conf /etc/netplan/50-cloud-init.yaml
    /etc/hostname /etc/sudoers.d/90-cloud-init-users /etc/apt/apt.conf.d/*proxy* /usr/sbin/policy-rc.d
    /root/.ssh/authorized_keys* /home/*/.ssh/authorized_keys*
    /root/.ssh/known_hosts* /home/*/.ssh/known_hosts*
    /root/.*_history /home/*/.*_history /root/.cache /home/*/.cache /root/.pip /home/*/.pip
    /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/lib/cloud/*
    /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /var/lib/dhcp/*.leases
    /var/crash/* /var/mail/* /var/spool/cron/crontabs/* /var/log/journal/* /tmp/* /var/tmp/*
"""

# A line for each trace left; silent on a clean machine. Changes nothing.
PROBE = (
    f"for path in {' '.join(_GONE.split())}; do\n"
    """    if test -e "$path" || test -L "$path"; then echo "$path"; fi
done
test ! -s /etc/machine-id || echo '/etc/machine-id is not empty'
test -e /etc/machine-id || echo '/etc/machine-id is missing: the next boot would be a first boot'
for path in /etc/resolv.conf /var/lib/dbus/machine-id; do
    if test -f $path && test ! -L $path && ! mountpoint -q $path; then echo $path; fi
done
find /var/log -xdev -type f -size +0
awk -F: '$2 ~ /^[A-Za-z0-9$]/ { print "password of " $1 }' /etc/shadow
"""
)


def clean(machine: Machine) -> None:
    """Remove every trace of the build, and look again, in one script: afterwards nobody can log in.

    Raises CleanupIncomplete with what is left.
    """
    result = machine.run(SCRIPT + PROBE + "echo clean-up ended\n", timeout_seconds=CLEANUP_SECONDS)
    left = result.stdout.splitlines()
    if not result.ok or not left or left.pop() != "clean-up ended":
        raise CleanupIncomplete(
            f"the clean-up did not run to its end (exit code {result.exit_code})\n{result.output[-1000:]}",
            hint="bake again: a half-cleaned builder must not become an image",
        )
    if left:
        raise CleanupIncomplete(
            f"traces of the build are left: {', '.join(left[:20])}",
            hint="a service still writes: mask it in the spec, or stop it in bake/cleanup.py",
        )
