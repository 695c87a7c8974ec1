# The machine's first process where the kernel has IPv6 switched off (ipv6.disable=1): no systemd, the package installed, its
# daemon started by hand. Output as in start.sh.
cd /payload || exit 1
. ./checks.sh

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
hostname slipway-vm
network_up

check 'the kernel has no IPv6' [ ! -e /proc/net/if_inet6 ]
check 'the package installs' dpkg --force-unsafe-io -i ./slipway.deb
slipwayd > slipwayd.log 2>&1 &
answers() { slipway version > version.txt 2>&1 || { tail -n 20 slipwayd.log; return 1; }; }
check 'the daemon starts and answers' eventually 60 answers
check 'an image is loaded' slipway load -i ./busybox.tar

check 'a container with a published port starts' slipway run -d --name web -p 8080:80 busybox httpd -f -p 80 -h /www
from_loopback() { eventually 20 page 127.0.0.1:8080 | grep -q 'It works'; }
check 'its page is fetched from 127.0.0.1' from_loopback
from_address() { page 10.0.2.15:8080 | grep -q 'It works'; }
check "its page is fetched from the host's own address" from_address
bindings() { same "$(slipway port web)" '80/tcp -> 0.0.0.0:8080'; }
check 'the port is published on IPv4 alone' bindings

names() {
  slipway network create back && slipway run -d --name server --network back busybox httpd -f -p 80 -h /www &&
    slipway run --rm --network back busybox wget -q -O - http://server/ | grep -q 'It works'
}
check 'a network has names' names

told() { pattern=$1; shift; "$@" > told.txt 2>&1 && { echo 'it did not fail'; return 1; }; grep -q "$pattern" told.txt || { cat told.txt; return 1; }; }
check 'a network with IPv6 is refused in clear words' told 'IPv6 is not available on this host' slipway network create --ipv6 six
check 'an IPv6 address to publish on, too' told 'IPv6 is not available on this host' slipway run --rm -p '[::1]:8081:80' busybox true
left() { same "$(slipway ps -aq | wc -l) $(slipway network ls -q | wc -l)" '2 4'; }
check 'nothing is left of what was refused' left

echo "1..$count"
echo 'end of the suite'
sync
busybox poweroff -f
