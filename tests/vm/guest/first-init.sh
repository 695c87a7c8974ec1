#!/bin/busybox sh
# First process of the test machine: loads what the disk needs, mounts it, hands over to systemd.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/modules/$module"; done < /modules/order
tries=0
until [ -b /dev/vda ] || [ $tries -ge 300 ]; do
  tries=$((tries + 1))
  $b usleep 100000
done
$b mount -t ext4 -o noatime /dev/vda /root || exec $b sh
$b mount --move /dev /root/dev
$b umount /sys /proc
exec $b switch_root /root /lib/systemd/systemd
