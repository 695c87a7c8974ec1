# Containers, their limits in cgroup v2, their output and exit codes.

hello() { same "$(slipway run --rm busybox echo hello)" hello; }
check 'run prints the container output' hello

exit_code() { slipway run --rm busybox sh -c 'exit 7'; same $? 7; }
check 'run ends with the exit code of the container' exit_code

start_limited() {
  slipway run -d --name limited --memory 64m --pids-limit 50 --cpus 0.5 busybox sleep 1000000
}
check 'a container with limits starts' start_limited

limit() { same "$(cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(pid_of limited)/cgroup")/$1")" "$2"; }
check 'the memory limit stands in cgroup v2' limit memory.max 67108864
check 'the pids limit stands in cgroup v2' limit pids.max 50
check 'the cpu limit stands in cgroup v2' limit cpu.max '50000 100000'

memory_hog() {
  slipway run --name hog --memory 32m busybox sh -c 'x=a; while :; do x=$x$x; done'
  same $? 137 && same "$(slipway inspect --format '{{.State.OOMKilled}}' hog)" true
}
check 'a memory hog is killed: exit 137, OOMKilled' memory_hog

filtered() { slipway run --rm busybox grep Seccomp: /proc/self/status | grep -qw 2; }
check 'the system call filter is active' filtered

all_lines() {
  slipway run --name talker busybox seq 1 2000 >/dev/null
  slipway logs talker > talker.log
  seq 1 2000 | cmp - talker.log
}
check 'logs have every line in order' all_lines

follow_ends() {
  slipway run -d --name short busybox sh -c 'echo one; sleep 2; echo two'
  same "$(timeout 60 slipway logs -f short | tr '\n' ' ')" 'one two '
}
check 'logs -f ends with the container' follow_ends

exec_inside() { same "$(slipway exec limited hostname)" "$(slipway inspect --format '{{.Config.Hostname}}' limited)"; }
check 'exec runs in the container' exec_inside

stdin_through() { same "$(echo through | slipway run --rm -i busybox cat)" through; }
check 'run -i passes standard input' stdin_through
