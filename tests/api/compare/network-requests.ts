/** Networks and a container's network settings, with ordinary, odd and wrong values. What is made is taken away at once. */

import { filters, get, post, remove, type CompareRequest } from './request.ts';

const subnet = '10.19.0.0/24';
const network = (fields: object): CompareRequest => post('/networks/create', { Name: 'odd', ...fields });
const subnetOfConfigurations = '10.18.0.0/24';
const pool = (fields: object, more: object = {}): CompareRequest =>
  network({ IPAM: { Config: [{ Subnet: subnet, ...fields }] }, ...more });
const six = (fields: object): CompareRequest =>
  network({ EnableIPv6: true, IPAM: { Config: [{ Subnet: subnet }, fields] } });
const option = (name: string, value: string): CompareRequest =>
  pool({}, { Options: { [`com.docker.network.${name}`]: value } });

const pools: readonly CompareRequest[] = [
  pool({ Gateway: '10.19.0.9' }),
  pool({ Gateway: '10.19.0.0' }),
  pool({ Gateway: '10.19.0.255' }),
  pool({ Gateway: 'fd00::1' }),
  pool({ Gateway: '10.19.0.1/24' }),
  pool({ IPRange: '10.19.0.128/25' }),
  pool({ IPRange: '10.19.0.129/25' }),
  pool({ IPRange: '10.19.0.5/32' }),
  pool({ IPRange: 'fd00::/64' }),
  pool({ IPRange: '10.19.0.128/25', AuxiliaryAddresses: { a: '10.19.0.128' } }),
  pool({ AuxiliaryAddresses: { a: '10.19.0.5' } }),
  pool({ AuxiliaryAddresses: { a: '10.19.0.1' } }),
  pool({ AuxiliaryAddresses: { a: '10.20.0.5' } }),
  pool({ Subnet: '10.19.0.0/31' }),
  pool({ Subnet: '10.19.0.0/32' }),
  pool({ Subnet: '' }),
  pool({ Subnet: '10.19.0/24' }),
  pool({ Subnet: '010.19.0.0/24' }),
  network({ IPAM: { Config: [{}] } }),
  network({ IPAM: { Config: [null] } }),
  network({ IPAM: { Config: null } }),
  network({ IPAM: { Config: [{ AuxiliaryAddresses: { a: '10.19.0.5' } }] } }),
  network({ IPAM: { Config: [{ Subnet: subnet }, { Subnet: 'fd00:19::/64' }] } }),
  six({ Subnet: 'fd00:19::/64', Gateway: 'fd00:19::9' }),
  six({ Subnet: 'fd00:19::/64', Gateway: 'fd00:19::' }),
  six({ Subnet: 'fd00:19::/127' }),
  six({ Subnet: 'fd00:19::/128' }),
  six({ Subnet: 'fd00:19::/129' }),
];

const options: readonly CompareRequest[] = [
  option('bridge.enable_icc', ''),
  option('bridge.enable_icc', 'T'),
  option('bridge.enable_ip_masquerade', 'yes'),
  option('bridge.default_bridge', 'zz'),
  option('bridge.host_binding_ipv4', 'zz'),
  option('bridge.host_binding_ipv4', ''),
  option('bridge.inhibit_ipv4', 'zz'),
  option('driver.mtu', ''),
  option('driver.mtu', '0'),
  option('driver.mtu', '-1'),
  option('driver.mtu', '1400x'),
  option('host_ipv4', 'zz'),
  option('bridge.name', 'waytoolongforaninterface'),
  option('container_iface_prefix', 'lan'),
  pool({}, { Options: { anything: 'else' } }),
];

const host = (fields: object, config: object = {}): CompareRequest =>
  post('/containers/create', { Image: 'busybox', ...config, HostConfig: fields });

/** Their names keep them from being taken away at once. */
const configurations: readonly CompareRequest[] = [
  network({ ConfigOnly: true, Internal: true }),
  network({ ConfigOnly: true, Attachable: true }),
  network({ ConfigOnly: true, ConfigFrom: { Network: 'conf' } }),
  network({ Name: 'net2conf', ConfigOnly: true }),
  get('/networks/net2conf'),
  remove('/networks/net2conf'),
  network({
    ConfigOnly: true,
    Driver: 'macvlan',
    Labels: { a: 'b' },
    IPAM: { Config: [{ Subnet: subnet }] },
  }),
  network({
    Name: 'net2conf',
    ConfigOnly: true,
    Labels: { a: 'b' },
    IPAM: { Config: [{ Subnet: subnetOfConfigurations, Gateway: '10.18.0.9' }] },
  }),
  network({ Name: 'net2user', ConfigFrom: { Network: 'net2conf' } }),
  get('/networks/net2user'),
  remove('/networks/net2conf'),
  host({ NetworkMode: 'net2conf' }),
  remove('/networks/net2user'),
  remove('/networks/net2conf'),
  network({ ConfigFrom: { Network: 'conf' } }),
  network({ ConfigFrom: { Network: 'conf' }, Labels: { a: 'b' } }),
  network({ ConfigFrom: { Network: 'conf' }, EnableIPv6: true }),
  network({ ConfigFrom: { Network: 'conf' }, Options: { a: 'b' } }),
  network({ ConfigFrom: { Network: 'net1' } }),
  network({ ConfigFrom: { Network: '' } }),
];

const lists: readonly CompareRequest[] = [
  get('/networks/'),
  get(`/networks?${filters({ name: ['^net1$'] })}`),
  get(`/networks?${filters({ name: ['et'], driver: ['bridge'] })}`),
  get(`/networks?${filters({ name: ['(('] })}`),
  get(`/networks?${filters({ name: { net1: false } })}`),
  get(`/networks?${filters({ id: ['zz'] })}`),
  get(`/networks?${filters({ driver: ['brid'] })}`),
  get(`/networks?${filters({ dangling: ['true', 'false'] })}`),
  get(`/networks?${filters({ until: ['1h'] })}`),
  get(`/networks?${filters({ 'label!': ['a'] })}`),
  get(`/networks?${filters({ label: ['a=b', 'zz'] })}`),
  get('/networks/net1?verbose=zz'),
  get('/networks/net1?scope=swarm'),
  get('/networks/host'),
  post(`/networks/prune?${filters({ until: ['1h', '2h'] })}`),
  post(`/networks/prune?${filters({ name: ['zz'] })}`),
];

const connect = (name: string, container: string, settings?: object): CompareRequest =>
  post(`/networks/${name}/connect`, {
    Container: container,
    ...(settings === undefined ? {} : { EndpointConfig: settings }),
  });
const disconnect = (name: string, container: string, force?: boolean): CompareRequest =>
  post(`/networks/${name}/disconnect`, {
    Container: container,
    ...(force === undefined ? {} : { Force: force }),
  });

const joining: readonly CompareRequest[] = [
  connect('none', 'web'),
  connect('net1', 'ready'),
  connect('net1', 'web', { IPAMConfig: { IPv4Address: '10.77.0.1' } }),
  connect('net1', 'web', { IPAMConfig: { IPv4Address: '10.77.0.255' } }),
  connect('net1', 'web', { IPAMConfig: { IPv6Address: 'fd00::5' } }),
  connect('net1', 'web', { IPAMConfig: { IPv4Address: '10.77.0.44' }, Aliases: ['a', 'b', 'a'] }),
  get('/containers/web/json'),
  disconnect('net1', 'web', true),
  disconnect('net1', 'web'),
  disconnect('net1', 'nope', true),
  disconnect('host', 'web'),
  disconnect('none', 'web'),
];

const created: readonly CompareRequest[] = [
  host({ NetworkMode: 'host', PortBindings: { '80/tcp': [{ HostPort: '18080' }] } }),
  host({ NetworkMode: 'container:web' }, { ExposedPorts: { '80/tcp': {} } }),
  host({ NetworkMode: 'container:web', PortBindings: { '80/tcp': [{ HostPort: '1' }] } }),
  host({ NetworkMode: 'container:web', ExtraHosts: ['a:192.0.2.1'] }),
  host({ NetworkMode: 'container:' }),
  host({ Links: ['web:a:b'] }),
  host({ Links: [''] }),
  host({ Links: [':a'] }),
  host({ Links: ['nope:a'] }),
  host({ ExtraHosts: ['a:zz'] }),
  host({ ExtraHosts: ['a:[fd00::1]'] }),
  host({ ExtraHosts: ['a:fd00::1', 'b:host-gateway'] }),
  host({ ExtraHosts: ['a'] }),
  host({ ExtraHosts: [':192.0.2.1'] }),
  host({ Dns: ['zz'] }),
  post('/containers/create?name=linked', {
    Image: 'busybox',
    ExposedPorts: { '80': {}, '81/udp': {} },
    HostConfig: { Links: ['web:db'], PortBindings: { '81/udp': [{ HostPort: '18081' }] } },
  }),
  get('/containers/linked/json'),
  remove('/containers/linked'),
];

/** Each on subnets of its own: dockerd 20.10 keeps those of some networks that it refuses. */
const apart = (request: CompareRequest, at: number): CompareRequest => {
  const body = (request.body ?? '')
    .replaceAll('10.19.0.', `10.19.${at}.`)
    .replaceAll('fd00:19::', `fd00:19:${at}::`);
  return { ...request, body };
};

export const networkRequests: readonly CompareRequest[] = [
  ...[...pools, ...options].map(apart),
  ...configurations,
  ...lists,
  ...joining,
  ...created,
];
