# User namespaces for all containers (--userns-remap) on cgroup v2, in scopes of systemd.

check 'the daemon makes dockremap and maps users' options --userns-remap=default --exec-opt native.cgroupdriver=systemd
told() { grep -q '^dockremap:100000:65536$' /etc/subuid && slipway info --format '{{json .SecurityOptions}}' | grep -q name=userns; }
check 'as it tells' told

remapped() { slipway run -d --name remapped --cap-add NET_ADMIN --memory 64m -v mapped:/v busybox sh -c 'echo x > /f; chown 5:6 /f; touch /v/y; exec sleep 1000000'; }
check 'a container starts' remapped
ids() {
  same "$(tr -s ' ' < "/proc/$(pid_of remapped)/uid_map")" ' 0 100000 65536' && same "$(stat -c %u "/proc/$(pid_of remapped)")" 100000 &&
    same "$(slipway exec remapped stat -c '%u %g' /f /v/y /bin/busybox /etc/hosts | tr '\n' ' ')" '5 6 0 0 0 0 0 0 ' &&
    same "$(stat -c '%u %g' /var/lib/slipway/volumes/mapped/_data/y)" '100000 100000'
}
check 'root inside is somebody else outside' eventually 20 ids
own_network() { slipway exec remapped sh -c 'ip addr add 10.9.9.9/32 dev lo && ip addr show lo' | grep -q 10.9.9.9 && slipway exec remapped ping -c 1 -W 10 127.0.0.1; }
check 'its network is its own' own_network
limited() { group_of remapped | grep -q '/system.slice/slipway-.*scope$' && same "$(cat "$(group_of remapped)/memory.max")" 67108864 && same "$(slipway exec remapped cat /proc/self/cgroup)" '0::/'; }
check 'its cgroup is limited and its own' limited
writable() {
  slipway run --rm --security-opt writable-cgroups=true busybox sh -c 'mkdir /sys/fs/cgroup/below && ls -d /sys/fs/cgroup/below && stat -c %u /sys/fs/cgroup' > below.txt &&
    same "$(tr '\n' ' ' < below.txt)" '/sys/fs/cgroup/below 0 '
}
check 'with writable-cgroups its root may make cgroups' writable
harmless() {
  same "$(slipway run --rm -v /etc:/host --cap-add ALL busybox sh -c 'cat /host/shadow; echo x > /host/x; echo x > /proc/sys/kernel/core_pattern; mknod /dev/sda b 254 0' 2> harm.txt)" '' &&
    same "$(grep -ci 'denied\|not permitted\|read-only' harm.txt)" 4 && same "$(stat -c '%u %a' /dev/null)" '0 666'
}
check 'its root harms nobody' harmless
hosts_users() {
  ! slipway run --rm --privileged busybox true 2> privileged.txt && grep -q 'incompatible with user namespaces' privileged.txt &&
    same "$(slipway run --rm --privileged --userns host busybox sh -c 'tr -s " " < /proc/self/uid_map')" ' 0 0 4294967295'
}
check 'a privileged one needs the users of the host' hosts_users
committed() { slipway commit remapped kept && same "$(slipway run --rm --userns host kept stat -c '%u %g' /f)" '5 6'; }
check 'what it wrote is in its image with the ids inside' committed
check 'the daemon goes on without either' options
goes_on() { slipway exec remapped stat -c %u /f | grep -qx 5 && slipway restart -t 0 remapped && same "$(tr -s ' ' < "/proc/$(pid_of remapped)/uid_map")" ' 0 0 4294967295'; }
check 'what ran keeps its users until it is started anew' goes_on
slipway rm -f -v remapped > /dev/null
