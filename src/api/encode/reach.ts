/** Exposure and traces as the engine's own operations answer them. */

import type { Exposure, Trace } from '../../services/networks/index.ts';

export function encodeExposure({ hostAddresses, rows, notes }: Exposure): object {
  return {
    HostAddresses: hostAddresses,
    Exposed: rows.map((row) => ({
      ContainerID: row.containerId,
      ContainerName: row.containerName,
      Network: row.network,
      Address: row.address,
      ContainerPort: row.containerPort,
      Scope: row.scope,
      From: row.from,
    })),
    Notes: notes,
  };
}

export function encodeTrace({ passes, steps }: Trace): object {
  return { Passes: passes, Steps: steps.map(({ verdict, text }) => ({ Verdict: verdict, Text: text })) };
}
