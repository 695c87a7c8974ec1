# The contract suites of the real drivers, from the sources, on this kernel: with the Node and koffi of the package.
(
  cd /payload/tree || exit 1
  ln -s /usr/lib/slipway/lib/node_modules node_modules
  mkdir -p dist/bin /payload/stubs
  cp /usr/lib/slipway/bin/slipway-shim dist/bin/
  # Tests make the shim before they use it; here it is made, and there is no compiler.
  printf '#!/bin/sh\nexit 0\n' > /payload/stubs/make
  chmod +x /payload/stubs/make
  export PATH="/payload/stubs:$PATH"
  while IFS=: read -r file names; do
    echo "# $file $names"
    OFFLINE=1 SLIPWAY_TEST_NAMES=$names /usr/lib/slipway/lib/node --disable-warning=ExperimentalWarning --test --test-concurrency=1 \
      --test-reporter=/payload/tap-reporter.ts "$file" < /dev/null
  done < /payload/contracts.list
)
