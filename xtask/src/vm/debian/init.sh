#!/usr/bin/busybox sh
# The first process in a VM with a Debian root: puts the files of the run onto that root, then hands over to systemd.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in /payload/usr/lib/modules/*.ko*; do
    [ -e "$module" ] && insmod "$module"
done
# Which drive gets which number is a matter of chance.
for disk in /sys/block/nvme[0-9]n1; do
    read -r serial <"$disk/device/serial"
    [ "$serial" = root ] && mount -t ext4 -o noatime "/dev/${disk##*/}" /sysroot
done
cp -a /payload/. /sysroot/ || exit 1
umount /proc /sys
mount --move /dev /sysroot/dev
exec switch_root /sysroot /usr/lib/systemd/systemd
