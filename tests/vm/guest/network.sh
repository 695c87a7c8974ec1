# Published ports, names, and the bridge as the host's tools see it.

start_web() {
  slipway run -d --name web -p 8080:80 busybox httpd -f -p 80 -h /www
}
check 'a web server with a published port starts' start_web

from_loopback() { eventually 20 page 127.0.0.1:8080 | grep -q 'It works'; }
check 'its page is fetched from 127.0.0.1' from_loopback

from_address() { page 10.0.2.15:8080 | grep -q 'It works'; }
check "its page is fetched from the host's own address" from_address

from_itself() { slipway exec web wget -q -O - http://10.0.2.15:8080/ | grep -q 'It works'; }
check 'it reaches its own published port' from_itself

taken() { ! slipway run --rm -p 8080:80 busybox true 2> taken.txt && grep -q 'port is already allocated' taken.txt; }
check 'a port in use is refused' taken

bridge_seen() { ip -4 addr show slipway0 | grep -q 172.17.0.1/16 && ip link show master slipway0 | grep -q .; }
check 'the bridge and its ports are seen by ip' bridge_seen

make_network() { slipway network create back; }
check 'a network is created' make_network
start_named() { slipway run -d --name server --network back busybox httpd -f -p 80 -h /www; }
check 'a container joins it' start_named

by_name() { slipway run --rm --network back busybox wget -q -O - http://server/ | grep -q 'It works'; }
check 'another container reaches it by name' by_name

# parents.test.ts asks the kernel itself, and is content with one that has none.
check 'the kernel has ipvlan and VLANs for the suites that need them' modprobe -a ipvlan 8021q
