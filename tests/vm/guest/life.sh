# Health checks and restart policies, over a restart of the daemon too.

state() { slipway inspect --format "{{.State.$2}}" "$1"; }
health_is() { same "$(state sick Health.Status)" "$1"; }
start_sick() {
  slipway run -d --name sick --health-cmd 'test -e /ok' --health-interval 1s --health-timeout 30s --health-retries 2 busybox sleep 1000000
}
check 'a container with a health check starts' start_sick
check 'it becomes unhealthy' eventually 60 health_is unhealthy
recovers() { slipway exec sick touch /ok && eventually 60 health_is healthy; }
check 'and healthy again' recovers

given_up() { same "$(slipway inspect --format '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' failing)" '2 exited 3'; }
gives_up() { slipway run -d --name failing --restart on-failure:2 busybox sh -c 'exit 3' && eventually 60 given_up; }
check 'on-failure:2 tries twice more' gives_up

slipway run -d --name eternal --restart always busybox sleep 1000000 > /dev/null
slipway run -d --name halted --restart unless-stopped busybox sleep 1000000 > /dev/null
again() { [ "$(pid_of eternal)" != "$1" ] && [ "$(pid_of eternal)" != 0 ]; }
comes_back() { old=$(pid_of eternal) && kill -9 "$old" && eventually 60 again "$old"; }
check 'always: a killed one comes back' comes_back

# Both end while there is no daemon; one was stopped by its user before.
across() {
  slipway stop -t 0 halted && old=$(pid_of eternal) && systemctl stop slipwayd && kill -9 "$old" && systemctl start slipwayd &&
    eventually 60 again "$old" && same "$(state halted Status)" exited
}
check 'always comes back with the daemon, unless-stopped stays as its user left it' across
still_watched() { health_is healthy && slipway exec sick rm /ok && eventually 60 health_is unhealthy; }
check 'the health check goes on under the new daemon' still_watched
