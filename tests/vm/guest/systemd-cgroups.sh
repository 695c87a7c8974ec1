# Containers as scopes of systemd (native.cgroupdriver=systemd): limits, update, numbers, freezer, out of memory, and what is left.

options() { sed -i "s|^SLIPWAYD_OPTIONS=.*|SLIPWAYD_OPTIONS=\"$*\"|" /etc/default/slipway && systemctl restart slipwayd && slipway version > version.txt; }
check 'a container runs as before' slipway run -d --name former --memory 64m busybox sleep 1000000
check 'the daemon takes systemd for its cgroups' options --exec-opt native.cgroupdriver=systemd
driver() { same "$(slipway info --format '{{.CgroupDriver}} {{.CgroupVersion}}')" 'systemd 2'; }
check 'info tells so' driver

former() {
  same "$(group_of former)" "/sys/fs/cgroup/slipway/$(slipway inspect --format '{{.Id}}' former)" && slipway pause former && slipway unpause former &&
    slipway update --memory 80m former && same "$(cat "$(group_of former)/memory.max")" 83886080 && slipway exec former true
}
check 'what runs from before stays where it is, and its limits are found there' former

start_scope() {
  slipway run -d --name scope --memory 96m --memory-swap 128m --cpu-shares 512 --cpu-period 50000 --cpu-quota 20000 --cpuset-cpus 0 --pids-limit 60 \
    --device-read-bps /dev/vda:1mb busybox sleep 1000000
}
check 'a container starts' start_scope
unit=slipway-$(slipway inspect --format '{{.Id}}' scope).scope
group=$(group_of scope)
is_scope() { same "$group" "/sys/fs/cgroup/system.slice/$unit" && systemctl is-active "$unit"; }
check 'it is a scope of system.slice' is_scope
limits() { each memory.max 100663296 memory.swap.max 33554432 cpu.weight 20 cpu.max '20000 50000' cpuset.cpus 0 pids.max 60 io.max '254:0 rbps=1048576 wbps=max riops=max wiops=max'; }
check 'it has its limits' limits
reloaded() { systemctl daemon-reload && limits; }
check 'and keeps them when systemd reads its units again' reloaded

changed() { each memory.max 83886080 memory.swap.max 20971520 cpu.weight 39 cpu.max '10000 50000' cpuset.cpus 0-1 pids.max 200; }
update_scope() {
  slipway update --memory 80m --memory-swap 100m --cpu-shares 1024 --cpu-quota 10000 --cpuset-cpus 0-1 --pids-limit 200 scope && changed &&
    same "$(systemctl show -p MemoryMax -p TasksMax --value "$unit" | sort -n | tr '\n' ' ')" '200 83886080 ' && systemctl daemon-reload && changed
}
check 'update changes them, for systemd too' update_scope

works() {
  slipway exec scope cat /proc/self/cgroup > inside.txt && same "$(cat inside.txt)" '0::/' &&
    slipway stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' scope | grep -Eq '^[0-9]+ [0-9.]+[KM]iB / 80MiB$' &&
    slipway top scope | grep -q sleep && slipway pause scope && each cgroup.freeze 1 && slipway unpause scope && each cgroup.freeze 0
}
check 'exec, stats, top and pause find it there' works
restarts() { for i in 1 2 3; do slipway restart -t 0 scope || return 1; done; slipway exec scope true; }
check 'it is started again and again' restarts
keeps() { old=$(pid_of scope) && back_systemd && same "$(pid_of scope)" "$old" && slipway exec scope true; }
back_systemd() { systemctl kill -s KILL --kill-whom=main slipwayd && eventually 60 sh -c 'slipway version > version.txt 2>&1'; }
check 'it does not notice that the daemon was killed' keeps

eater='dd if=/dev/zero of=/dev/shm/x bs=1M count=60'
killed() {
  slipway run --name "$1" --memory 20m --memory-swap 20m --shm-size 80m busybox $eater
  same "$(slipway inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}}' "$1")" 'true 137'
}
out_of_memory() { for i in 1 2 3; do killed "eater$i" || return 1; done; }
check 'what takes too much memory is told as OOMKilled' out_of_memory

sliced() {
  slipway run -d --name sliced --cgroup-parent test-containers.slice busybox sleep 1000000 &&
    same "$(group_of sliced | sed 's|/slipway-.*||')" /sys/fs/cgroup/test.slice/test-containers.slice
}
check 'a slice of its own' sliced
refused() { ! slipway run --rm --cgroup-parent /elsewhere busybox true 2> slice.txt && grep -q 'should be a valid slice named as "xxx.slice"' slice.txt; }
check 'a parent that is no slice is refused' refused
runc_scope() {
  slipway run -d --name runc-scope --runtime runc --memory 50m busybox sleep 1000000 && same "$(cat "$(group_of runc-scope)/memory.max")" 52428800 &&
    group_of runc-scope | grep -q '/system.slice/slipway-.*scope$' && slipway exec runc-scope true
}
check 'runc makes scopes, too' runc_scope

no_scope() { same "$(systemctl list-units --all --plain --no-legend 'slipway-*.scope')" '' && same "$(find /sys/fs/cgroup -name 'slipway-*.scope')" ''; }
check 'nothing of them is left' sh -c 'slipway rm -f scope sliced runc-scope eater1 eater2 eater3 former'
check 'neither unit nor cgroup' eventually 20 no_scope
