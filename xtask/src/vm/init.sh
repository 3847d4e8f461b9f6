#!/usr/bin/busybox sh
# The first process in the VM. Of its two serial lines, the kernel's takes our verdict, and the other one the command's output.
# /out goes as a tar archive straight onto the disk that the host has attached.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /run
# Not every kernel offers all of these, and nothing here depends on them.
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
ln -s /proc/self/fd /dev/fd
for module in /usr/lib/modules/*.ko*; do
    [ -e "$module" ] && insmod "$module"
done
ip link set lo up
hostname sockleak-vm
ulimit -n 65536
mkdir -p /run/haproxy

# Gives the variables `columns`, `rows`, `console` and `output`, exports the command's environment, and sets the command as "$@".
. /etc/vm/command
stty -F "$output" raw -echo cols "$columns" rows "$rows"

cd /root
"$@" </dev/null >"$output" 2>&1 &
wait $!
status=$?

if [ -n "$(ls -A /out)" ]; then
    tar -C /out -cf /dev/nvme0n1 . || echo "vm: cannot save /out" >"$console"
    sync
fi
# Setting modes waits until all output has left, whoever still holds the line open.
stty -F "$output" raw -echo
printf '\nvm: exit %s\n' "$status" >"$console"
stty -F "$console" -echo
reboot -f
