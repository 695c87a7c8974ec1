# Device rules, which cgroup v2 knows as a program in the kernel; user namespaces.

by_device() {
  slipway run --rm --device /dev/vdb:/dev/disk:r busybox sh -c \
    'dd if=/dev/disk of=/dev/null bs=512 count=1 && ! dd if=/dev/zero of=/dev/disk bs=512 count=1 2> /tmp/e && grep "not permitted" /tmp/e'
}
check '--device gives what it says and no more' by_device

by_node='mknod /tmp/d b 254 16 && dd if=/tmp/d of=/dev/null bs=512 count=1'
without() { ! slipway run --rm busybox sh -c "$by_node" 2> node.txt && grep -q 'not permitted' node.txt; }
check 'a node that the container made itself is of no use' without
check '--device-cgroup-rule allows it' slipway run --rm --device-cgroup-rule 'b 254:* r' busybox sh -c "$by_node"
check 'a privileged container reads every device' slipway run --rm --privileged busybox dd if=/dev/vdb of=/dev/null bs=512 count=1

null_works() { slipway run --rm busybox sh -c 'echo x > /dev/null && head -c 4 /dev/zero | wc -c && head -c 1 /dev/urandom | wc -c && echo > /dev/full' 2> full.txt; grep -q 'No space' full.txt; }
check 'the usual devices work' null_works

denied() { ! slipway run --rm busybox unshare -U true 2> userns.txt && grep -q 'not permitted' userns.txt; }
check 'a container makes no user namespace' denied
nested='unshare -U -r sh -c "id -u && cat /proc/self/uid_map | tr -s \" \""'
allowed() { same "$(slipway run --rm --security-opt seccomp=unconfined --security-opt apparmor=unconfined busybox sh -c "$nested")" '0
 0 0 1'; }
check 'without the filter it does, with itself as root' allowed
