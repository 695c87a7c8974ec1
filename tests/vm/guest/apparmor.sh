# The default profile of AppArmor, another one, and none.

enabled() { same "$(cat /sys/module/apparmor/parameters/enabled)" Y && grep '^slipway-default (enforce)' /sys/kernel/security/apparmor/profiles; }
check 'the daemon has loaded its profile' enabled
told() { slipway info --format '{{json .SecurityOptions}}' | grep 'name=apparmor'; }
check 'info tells of AppArmor' told

confined='cat /proc/self/attr/current'
by_default() { same "$(slipway run --rm busybox $confined)" 'slipway-default (enforce)' && same "$(slipway exec full $confined)" 'slipway-default (enforce)'; }
check 'containers and what is run in them are confined' by_default
none() { same "$(slipway run --rm --security-opt apparmor=unconfined busybox $confined)" unconfined && same "$(slipway run --rm --privileged busybox $confined)" unconfined; }
check 'unconfined and privileged ones are not' none

mounting='mount -t tmpfs none /tmp'
no_mount() { ! slipway run --rm --cap-add SYS_ADMIN busybox $mounting 2> mount.txt && grep -i 'permission denied' mount.txt; }
check 'the profile forbids mounting whatever the capabilities' no_mount
check 'without it the capability is enough' slipway run --rm --cap-add SYS_ADMIN --security-opt apparmor=unconfined busybox $mounting

own_profile() {
  cat > own.profile <<'PROFILE'
profile vm-own flags=(attach_disconnected,mediate_deleted) {
  file,
  network,
  capability,
  signal,
  deny /tmp/** w,
}
PROFILE
  apparmor_parser -r own.profile &&
    slipway run --rm --security-opt apparmor=vm-own busybox sh -c 'cat /proc/self/attr/current; ! touch /tmp/x && touch /root/x' 2> /dev/null | grep -qx 'vm-own (enforce)'
}
check "a profile of one's own holds" own_profile
missing() {
  slipway run --rm --security-opt apparmor=nowhere busybox true > profile.txt 2>&1
  same $? 127
  cat profile.txt
  grep -q 'unable to apply apparmor profile' profile.txt
}
check 'a profile that is not loaded is refused' missing
