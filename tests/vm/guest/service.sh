# Installing the package as a person does, and the service under systemd.

unified() { [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] && [ "$(cat /proc/1/comm)" = systemd ]; }
check 'the machine has systemd and cgroup v2 alone' unified

check 'the package installs' dpkg --force-unsafe-io -i ./slipway.deb
check 'the group slipway exists' getent group slipway

service_runs() {
  systemctl is-enabled slipwayd && systemctl is-active slipwayd && return
  systemctl status --no-pager slipwayd
  journalctl -u slipwayd --no-pager | tail -n 30
  return 1
}
check 'the service is enabled and runs' service_runs

socket_rights() { same "$(stat -c '%a %U:%G' /run/slipway.sock)" '660 root:slipway'; }
check 'the socket is for root and the group' socket_rights
check 'the daemon answers' slipway version
check 'an image is loaded' slipway load -i ./busybox.tar
