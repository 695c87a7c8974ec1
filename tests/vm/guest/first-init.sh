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
# `suite=NAME` on the kernel's command line: that script of the payload is the first process, without systemd.
case " $($b cat /proc/cmdline) " in
  *' suite='*) suite=$($b sed 's/.*suite=\([a-z0-9-]*\).*/\1/' /proc/cmdline) ;;
  *) suite= ;;
esac
$b umount /sys /proc
[ -n "$suite" ] || exec $b switch_root /root /lib/systemd/systemd
exec $b switch_root /root /bin/sh -c "mkdir -p /payload && tar x -C /payload -f /dev/vdb && exec sh /payload/$suite.sh > /dev/ttyS1 2>&1"
