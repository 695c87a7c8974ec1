# Every limit as cgroup v2 has it, `update` of a running container, its numbers, and the freezer.

start_full() {
  slipway run -d --name full --memory 96m --memory-reservation 48m --memory-swap 128m --cpu-shares 512 \
    --cpu-period 50000 --cpu-quota 20000 --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 60 \
    --device-read-bps /dev/vda:1mb --device-write-iops /dev/vda:100 --ulimit nofile=512:1024 --shm-size 32m \
    --oom-score-adj 200 busybox sleep 1000000
}
check 'a container with every limit starts' start_full
group=$(group_of full)

check 'memory, swap and reservation' each memory.max 100663296 memory.low 50331648 memory.swap.max 33554432
check 'processor: weight, quota, set' each cpu.weight 20 cpu.max '20000 50000' cpuset.cpus 0 cpuset.mems 0
check 'processes' each pids.max 60
check 'rates of a device' each io.max '254:0 rbps=1048576 wbps=max riops=max wiops=100'

inside() {
  same "$(slipway exec full sh -c 'ulimit -n; cat /proc/1/oom_score_adj; df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2
    grep Cpus_allowed_list /proc/1/status | tr -d "\t"')" '512
200
32768
Cpus_allowed_list:0'
}
check 'what the processes see of them' inside

too_many() {
  ! slipway exec full sh -c 'for i in $(seq 100); do sleep 30 & done' 2> many.txt && grep -qi "can't fork\|temporarily unavailable" many.txt
}
check 'no more processes than allowed' too_many

update_all() {
  slipway update --memory 80m --memory-swap 100m --memory-reservation 40m --cpu-shares 1024 --cpu-quota 10000 --cpuset-cpus 0-1 \
    --pids-limit 200 --restart on-failure:3 full &&
    each memory.max 83886080 memory.swap.max 20971520 memory.low 41943040 cpu.weight 39 cpu.max '10000 50000' cpuset.cpus 0-1 pids.max 200 &&
    same "$(slipway inspect --format '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.Memory}}' full)" 'on-failure 83886080'
}
check 'update changes them while it runs' update_all

api_update() {
  curl -sf --unix-socket /run/slipway.sock -X POST -H 'Content-Type: application/json' -d "$1" http://slipway/v1.45/containers/full/update
}
rates_change() {
  api_update '{"BlkioDeviceReadBps":[{"Path":"/dev/vda","Rate":2097152}],"BlkioDeviceReadIOps":[{"Path":"/dev/vda","Rate":300}]}' &&
    each io.max '254:0 rbps=2097152 wbps=max riops=300 wiops=100'
}
check 'update changes rates of a device and leaves the others' rates_change

# weight_is BFQ COST: the weight as BFQ has it, or as the kernel's cost model does; without either the engine says that it is discarded.
weight_is() {
  if [ -e "$group/io.bfq.weight" ]; then same "$(head -n 1 "$group/io.bfq.weight" | tr -d 'a-z ')" "$1"
  elif [ -e "$group/io.weight" ]; then same "$(head -n 1 "$group/io.weight")" "default $2"
  else grep -qi 'weight discarded' weights.txt; fi
}
weights() {
  slipway run -d --name heavy --blkio-weight 300 busybox sleep 1000000 > weights.txt 2>&1 && (
    group=$(group_of heavy)
    weight_is 300 2930 && slipway update --blkio-weight 600 heavy >> weights.txt 2>&1 && weight_is 600 5960
  ) && slipway rm -f heavy
}
check 'block weights at the start and by update' weights

no_realtime() {
  ! slipway run --rm --cpu-rt-runtime 1000 busybox true 2> realtime.txt && grep -q 'does not support CPU real-time scheduler' realtime.txt &&
    ! slipway update --cpu-rt-period 100000 full 2> realtime.txt && grep -q 'does not support CPU real-time scheduler' realtime.txt
}
check 'real-time limits, which cgroup v2 does not have, are refused' no_realtime

numbers() {
  slipway stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' full > stats.txt
  grep -Eq '^full [0-9]+ [0-9.]+[KM]iB / 80MiB$' stats.txt || { cat stats.txt; return 1; }
}
check 'stats have the numbers of its cgroup' numbers

freeze() {
  slipway pause full && each cgroup.freeze 1 && same "$(slipway inspect --format '{{.State.Status}}' full)" paused &&
    ! slipway exec full true && slipway unpause full && each cgroup.freeze 0 && slipway exec full true
}
check 'pause freezes the cgroup, unpause thaws it' freeze

oom_told() { slipway events --since 10m --until 0s --filter event=oom --format '{{.Actor.Attributes.name}}' | grep -qx hog; }
check 'the memory hog left an event' oom_told
