# The daemon dies, is restarted and upgraded; containers do not notice.

# One line a tenth of a second: its number, and whether the name of the server was found.
start_counter() {
  slipway run -d --name counter --network back busybox sh -c '
    i=0
    while :; do
      i=$((i + 1))
      if nslookup server >/dev/null 2>&1; then echo "$i found"; else echo "$i lost"; fi
      sleep 0.1
    done'
}
check 'a container that counts and looks up a name starts' start_counter
eventually 20 sh -c 'slipway logs counter | grep -q found'

web_pid=$(pid_of web)
counter_pid=$(pid_of counter)
untouched() {
  same "$(pid_of web) $(pid_of counter)" "$web_pid $counter_pid" && kill -0 "$web_pid" && kill -0 "$counter_pid"
}

# back_after COMMAND...: another daemon answers afterwards.
back_after() {
  old=$(daemon_pid)
  "$@" || return 1
  eventually 60 sh -c "[ \"\$(systemctl show --property MainPID --value slipwayd)\" != $old ] && slipway version >/dev/null 2>&1"
}
kill_daemon() { kill -9 "$(daemon_pid)"; }

check 'a killed daemon is started again by systemd' back_after kill_daemon
check 'the containers have the same processes' untouched
check 'the port still answers' from_loopback

systemctl stop slipwayd
check 'the port answers while the daemon is stopped' from_loopback
alive_without() { kill -0 "$web_pid" && kill -0 "$counter_pid"; }
check 'containers live while the daemon is stopped' alive_without
sleep 1
check 'the service starts again' systemctl start slipwayd
check 'the containers are known again' untouched

check 'systemctl restart brings a new daemon' back_after systemctl restart slipwayd
check 'systemctl restart leaves containers alone' untouched
check 'an upgrade of the package brings a new daemon' back_after dpkg --force-unsafe-io -i ./slipway.deb
check 'an upgrade leaves containers alone' untouched

no_line_lost() {
  slipway logs counter > counter.log
  cut -d' ' -f1 counter.log > numbers
  seq 1 "$(wc -l < numbers)" | cmp - numbers
}
check 'no log line is lost or doubled' no_line_lost
names_found() { ! grep lost counter.log; }
check 'no lookup of a name failed meanwhile' names_found

exit_meanwhile() {
  slipway run -d --name brief busybox sh -c 'sleep 3; exit 9'
  systemctl stop slipwayd
  sleep 4
  systemctl start slipwayd
  same "$(slipway inspect --format '{{.State.Status}} {{.State.ExitCode}}' brief)" 'exited 9'
}
check 'an exit while the daemon was stopped is known' exit_meanwhile
