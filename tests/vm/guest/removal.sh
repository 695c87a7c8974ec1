# What is removed leaves nothing behind.

remove_all() { slipway rm -f -v $(slipway ps -aq) && same "$(slipway ps -aq)" ''; }
check 'all containers are removed' remove_all

nothing_left() {
  slipway network rm back
  same "$(ip -o link show type veth)" '' && same "$(grep -c ' /var/lib/slipway/.* overlay ' /proc/mounts)" 0 &&
    same "$(pgrep -c slipway-shim)" 0
}
check 'no link, mount or shim is left' eventually 20 nothing_left
check 'the package is removed' dpkg -r slipway
gone() { ! systemctl is-active slipwayd && [ ! -e /usr/bin/slipway ]; }
check 'the service is gone with it' gone
