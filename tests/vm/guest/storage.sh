# --storage-opt size= where the filesystem counts: a second engine with its data on xfs and on ext4.

# disk KIND MAKE...: at /mnt/KIND.
disk() {
  kind=$1
  shift
  mkdir -p "/mnt/$kind" && truncate -s 400M "/var/tmp/$kind.img" && "$@" "/var/tmp/$kind.img" &&
    mount -o loop,prjquota "/var/tmp/$kind.img" "/mnt/$kind"
}
second() { slipway -H unix:///run/second/second.sock "$@"; }
second_up() { second version > /dev/null 2>&1; }
second_start() {
  mkdir -p /run/second
  slipwayd --instance second --data-root "/mnt/$1/data" --run-root /run/second --host unix:///run/second/second.sock \
    --pidfile /var/tmp/second.pid --storage-opt overlay2.size=30m > "/var/tmp/second-$1.log" 2>&1 &
  eventually 20 second_up || { tail -n 6 "/var/tmp/second-$1.log"; return 1; }
}
second_gone() { ! kill -0 "$1" 2> /dev/null; }
second_stop() {
  pid=$(cat /var/tmp/second.pid)
  kill "$1" "$pid" && eventually 30 second_gone "$pid"
}
second_end() { second_stop -TERM && eventually 30 umount "/mnt/$1"; }
root_size() { second exec "$1" df -k / | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2; }

limits_hold() {
  second load -q -i /payload/busybox.tar &&
    second run -d --name small --storage-opt size=10m busybox sleep 1000000 &&
    second run -d --name usual busybox sleep 1000000 &&
    same "$(root_size small) $(root_size usual)" '10240 30720' &&
    same "$(second inspect --format '{{.HostConfig.StorageOpt}}' small)" 'map[size:10m]' &&
    ! second exec small sh -c 'dd if=/dev/zero of=/fill bs=1M count=20 2>&1' > small.txt &&
    grep -qi 'no space left\|quota exceeded' small.txt &&
    second exec usual dd if=/dev/zero of=/fill bs=1M count=20
}
limits_stay() {
  second_stop -KILL && second_start "$1" && same "$(root_size small)" 10240 && second rm -f small usual &&
    eventually 20 no_limits "$1" && second system prune -af
}
no_limits() { ! xfs_quota -f -x -c 'report -p -n -b' "/mnt/$1" | awk '$4 > 0 && /^#/' | grep -q .; }

for kind in xfs ext4; do
  case $kind in
    xfs) check 'a disk with xfs' disk xfs mkfs.xfs -q ;;
    ext4) check 'a disk with ext4' disk ext4 mke2fs -q -t ext4 -O quota,project -E quotatype=prjquota ;;
  esac
  check "$kind: an engine on it, with a default size" second_start $kind
  check "$kind: a container's own size and the default hold, and df shows them" limits_hold
  check "$kind: they outlive a crash, and go with their containers" limits_stay $kind
  check "$kind: nothing is mounted there any more" second_end $kind
done

refused() {
  ! slipway create --storage-opt size=10m busybox true 2> refused.txt && grep -q "supported only for overlay over xfs with 'pquota'" refused.txt
}
check 'where nothing counts it is refused' refused
