#!/bin/sh
# The command of a VM with a Debian root, run by vm.service. Serial lines and /out are as in other VMs: ttyS0 is the
# kernel's and takes our verdict, ttyS1 takes the command's output, /out goes onto the disk that the host has attached.
export HOME=/root

# Gives the variables `columns` and `rows`, exports the command's environment, and sets the command as "$@".
. /etc/vm/command
stty -F /dev/ttyS1 raw -echo cols "$columns" rows "$rows"

cd /root
"$@" </dev/null >/dev/ttyS1 2>&1 &
wait $!
status=$?

if [ -n "$(ls -A /out)" ]; then
    for disk in /sys/block/nvme[0-9]n1; do
        read -r serial <"$disk/device/serial"
        [ "$serial" = out ] || continue
        tar -C /out -cf "/dev/${disk##*/}" . || echo "vm: cannot save /out" >/dev/ttyS0
    done
    sync
fi
# Setting modes waits until all output has left, whoever still holds the line open.
stty -F /dev/ttyS1 raw -echo
printf '\nvm: exit %s\n' "$status" >/dev/ttyS0
stty -F /dev/ttyS0 -echo
