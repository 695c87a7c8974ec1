# Checkpoint and restore by Debian's criu and runc, under AppArmor and on cgroup v2.

counting='i=0; trap "exit 7" TERM; while true; do i=$((i+1)); echo n $i; sleep 0.2; done'
last() { slipway logs --tail 1 "$1" | tr -d '\r' | cut -c3-; }
past() { now=$(last "$1") && [ "${now:-0}" -gt "$2" ]; }
counter() {
  name=$1
  shift
  slipway run -d --name "$name" --runtime runc "$@" busybox sh -c "$counting" && eventually 60 past "$name" 2
}
check 'criu works on this kernel' criu check
check 'a container counts' counter counter --memory 64m --user 1000:1000

leaves_running() {
  was=$(pid_of counter) && slipway checkpoint create --leave-running counter live && same "$(pid_of counter)" "$was" &&
    at=$(last counter) && eventually 60 past counter "$at"
}
check '--leave-running: it goes on' leaves_running
ends() {
  slipway checkpoint create counter c1 && same "$(slipway inspect --format '{{.State.Status}} {{.State.ExitCode}}' counter)" 'exited 137' &&
    same "$(slipway checkpoint ls counter | tr '\n' ' ')" 'CHECKPOINT NAME c1 live '
}
check 'without, it ends' ends
no_gaps() { slipway logs counter | cut -c3- | awk '$1 != NR { print "line", NR, "is", $1; wrong = 1 } END { exit wrong }'; }
goes_on() { at=$(last counter) && slipway start --checkpoint c1 counter && eventually 60 past counter $((at + 2)) && no_gaps; }
check 'the restored one counts on where it was, and so does its log' goes_on
in_place() {
  pid=$(pid_of counter) && same "$(cat "$(group_of counter)/memory.max")" 67108864 &&
    same "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" 1000 && same "$(awk '/^Seccomp:/ { print $2 }' "/proc/$pid/status")" 2 &&
    grep -q 'enforce' "/proc/$pid/attr/current"
}
check 'it has its limit, user, filter and profile' in_place
used() { same "$(slipway exec counter echo inside)" inside && slipway kill -s TERM counter && same "$(slipway wait counter)" 7; }
check 'exec and exit code' used

serves() { page "127.0.0.1:$(slipway port site 80/tcp | head -n 1 | sed 's/.*://')" | grep -q memory; }
server='mkdir /www; echo memory > /www/index.html; exec httpd -f -p 80 -h /www'
site() { slipway run -d --name site --runtime runc -p 127.0.0.1::80 --tmpfs /www2 busybox sh -c "$server" && eventually 60 serves; }
check 'a web server serves' site
moved() { slipway checkpoint create site c1 && slipway start --checkpoint c1 site && eventually 60 serves; }
check 'and serves again, restored on its published port' moved

screen() {
  counter screen -t && slipway checkpoint create screen c1 && at=$(last screen) && slipway start --checkpoint c1 screen &&
    eventually 60 past screen "$at"
}
check 'a terminal comes back' screen
under_new_daemon() {
  counter kept && systemctl restart slipwayd && slipway checkpoint create kept c1 && at=$(last kept) && systemctl restart slipwayd &&
    slipway start --checkpoint c1 kept && eventually 60 past kept "$at"
}
check 'a container that another daemon started is written, and restored by a third' under_new_daemon
daemon_with() {
  sed -i "s|^SLIPWAYD_OPTIONS=.*|SLIPWAYD_OPTIONS=\"$*\"|" /etc/default/slipway && systemctl restart slipwayd && slipway version > version.txt
}
in_scope() { group_of scoped | grep -q '\.scope$' && same "$(cat "$(group_of scoped)/memory.max")" 67108864; }
scoped() {
  daemon_with --exec-opt native.cgroupdriver=systemd && counter scoped --memory 64m && slipway checkpoint create scoped c1 && at=$(last scoped) &&
    slipway start --checkpoint c1 scoped && eventually 60 past scoped "$at" && in_scope
}
check 'in a scope of systemd, too' scoped
slipway rm -f counter site screen kept scoped > /dev/null
check 'the daemon goes back to its own cgroups' daemon_with
gone() { [ -z "$(find /var/lib/slipway/containers -name inventory.img)" ]; }
check 'checkpoints go with their containers' gone
