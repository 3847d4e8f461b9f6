#!/bin/sh
# Makes a freshly installed Debian root with container engines fit for a VM: mmdebstrap runs this with the root's folder as argument.
set -eu
root=$1

echo sockleak-vm >"$root/etc/hostname"
printf '127.0.0.1 localhost sockleak-vm\n' >"$root/etc/hosts"
# With an identity of its own it is not at its first boot, in which systemd would enable whatever has a preset.
echo 5ef0cca1ab1e4dec0ded0ff1ce0b0a75 >"$root/etc/machine-id"
: >"$root/etc/fstab"
mkdir "$root/out"

in_root() { chroot "$root" "$@"; }
in_root systemctl --quiet set-default multi-user.target
# Who wants them starts them.
in_root systemctl --quiet disable containerd.service docker.service docker.socket
in_root systemctl --quiet mask podman.service podman.socket podman-restart.service podman-auto-update.timer \
    podman-auto-update.service
# What nobody waits for here, and an emulated processor takes long for.
in_root systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    fstrim.timer motd-news.timer getty.target systemd-logind.service e2scrub_reap.service systemd-pstore.service \
    systemd-update-utmp.service systemd-update-utmp-runlevel.service remote-fs.target apparmor.service
