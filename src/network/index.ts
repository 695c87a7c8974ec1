/**
 * Networks in the kernel: drivers that make them, the firewall that publishes and separates them, and the client of
 * slipway-net. Built by the daemon and called by the networks service; knows nothing of containers or records in store.
 */

export { createBridgeDriver, type BridgeOptions } from './drivers/bridge/index.ts';
export { createHostDriver } from './drivers/host/index.ts';
export { createIpvlanDriver, type IpvlanHost } from './drivers/ipvlan/index.ts';
export { createMacvlanDriver, type MacvlanHost } from './drivers/macvlan/index.ts';
export { createNoneDriver } from './drivers/none/index.ts';
export { createOverlayDriver, type OverlayOptions } from './drivers/overlay/index.ts';
export { createFirewall, type FirewallOptions } from './firewall/index.ts';
export { createDriverPlugins } from './plugins/index.ts';
export { createNetHelper, type NetHelperOptions, type NetProgram } from './net-helper/index.ts';
