# What every suite of the test machine uses.
count=0

# check NAME COMMAND...: the command's exit code is the result, its output is shown only when it failed.
check() {
  name=$1
  shift
  count=$((count + 1))
  if output=$("$@" 2>&1); then
    echo "ok $count - $name"
  else
    echo "not ok $count - $name"
    echo "$output" | tail -n 25 | sed 's/^/# /'
  fi
}

# eventually SECONDS COMMAND...: until it succeeds.
eventually() {
  left=$(($1 * 5))
  shift
  until "$@"; do
    left=$((left - 1))
    [ $left -gt 0 ] || return 1
    sleep 0.2
  done
}

same() { [ "$1" = "$2" ] || { echo "expected: $2"; echo "got:      $1"; return 1; }; }
pid_of() { slipway inspect --format '{{.State.Pid}}' "$1"; }
daemon_pid() { systemctl show --property MainPID --value slipwayd; }
page() { curl -sS --max-time 5 "http://$1/"; }
group_of() { echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(pid_of "$1")/cgroup")"; }

# each FILE VALUE...: files of the cgroup in $group, all of them, so that one run tells every difference.
each() {
  wrong=0
  while [ $# -gt 0 ]; do
    same "$1: $(cat "$group/$1")" "$1: $2" || wrong=1
    shift 2
  done
  return $wrong
}

network_up() {
  ip link set lo up
  ip link set eth0 up
  ip address add 10.0.2.15/24 dev eth0
  ip route add default via 10.0.2.2
  echo 'nameserver 10.0.2.3' > /etc/resolv.conf
}
