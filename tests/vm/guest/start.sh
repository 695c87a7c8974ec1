# Runs in the test machine as root, its output on the serial port, one line a result as in TAP.
# The engine is the built package, the service is systemd's, the cgroups are v2.
cd /payload || exit 1
. ./checks.sh

network_up

for script in $(cat scripts.list); do
  echo "part $script"
  . "./$script.sh"
done

echo "1..$count"
echo 'end of the suite'
