import { invalid, notFound } from '../../core/errors.ts';
import type { EndpointSpec, PortMap } from '../../core/model/container-spec.ts';
import type { NetworkCreateRequest } from '../../services/networks/index.ts';
import { encodeNetwork } from '../encode/networks.ts';
import { encodeExposure, encodeTrace } from '../encode/reach.ts';
import { decodeAs } from '../decode/body.ts';
import { hasNetworkStatus, listsNetworkMembers } from '../versions.ts';
import type { BodyOf } from '../exchange.ts';
import type { Routes } from './route.ts';

type IpamBody = NonNullable<BodyOf<'NetworkCreate'>['IPAM']>;

/** Drops what is absent: the services tell absent from undefined. */
function defined<T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}

function decodeIpam(ipam: IpamBody): NonNullable<NetworkCreateRequest['ipam']> {
  const config = ipam.Config?.map((pool) =>
    defined<NonNullable<NonNullable<NetworkCreateRequest['ipam']>['config']>[number]>({
      subnet: pool.Subnet,
      ipRange: pool.IPRange,
      gateway: pool.Gateway,
      auxAddresses: pool.AuxiliaryAddresses,
    }),
  );
  return defined<NonNullable<NetworkCreateRequest['ipam']>>({
    driver: ipam.Driver,
    options: ipam.Options,
    config,
  });
}

function decodeCreate(body: BodyOf<'NetworkCreate'>): NetworkCreateRequest {
  return defined<NetworkCreateRequest>({
    name: body.Name ?? '',
    driver: body.Driver,
    scope: body.Scope,
    internal: body.Internal,
    attachable: body.Attachable,
    ingress: body.Ingress,
    configOnly: body.ConfigOnly,
    configFrom: body.ConfigFrom?.Network,
    enableIPv4: body.EnableIPv4,
    enableIPv6: body.EnableIPv6,
    ipam: body.IPAM === undefined ? undefined : decodeIpam(body.IPAM),
    options: body.Options,
    labels: body.Labels,
  });
}

/** In the form of `HostConfig.PortBindings`. */
const portMap = (value: unknown): PortMap =>
  (decodeAs('map[string][]nat.PortBinding', value ?? {}) ?? {}) as PortMap;

export const networkRoutes: Routes<
  | 'NetworkList'
  | 'NetworkInspect'
  | 'NetworkCreate'
  | 'NetworkDelete'
  | 'NetworkConnect'
  | 'NetworkDisconnect'
  | 'NetworkPrune'
  | 'SlipwayContainerPorts'
  | 'SlipwayNetworkExposure'
  | 'SlipwayNetworkTrace'
> = {
  NetworkList: (services, exchange) => {
    const views = services.networks.list(exchange.query.filters());
    exchange.json(
      200,
      views.map((view) => encodeNetwork(view, listsNetworkMembers(exchange.version), exchange.version)),
    );
  },
  NetworkInspect: async (services, exchange) => {
    const view = services.networks.inspect(exchange.name);
    const scope = exchange.query.optional('scope');
    if (scope !== undefined && scope !== view.network.scope)
      throw notFound(`network ${exchange.name} not found`);
    // `Status` is of later versions; who asks for details gets it in earlier ones too.
    const isVerbose = exchange.query.strictBool('verbose');
    const isTold = hasNetworkStatus(exchange.version) || isVerbose;
    const lookups = isTold ? await services.networks.lookups(exchange.ctx, view.network.id) : undefined;
    exchange.json(200, encodeNetwork(view, true, exchange.version, lookups));
  },
  NetworkCreate: async (services, exchange) => {
    const body = await exchange.body();
    const { id, warnings } = await services.networks.create(exchange.ctx, decodeCreate(body));
    exchange.json(201, { Id: id, Warning: warnings.join('\n') });
  },
  NetworkDelete: async (services, exchange) => {
    await services.networks.remove(exchange.ctx, exchange.name);
    exchange.empty(204);
  },
  NetworkConnect: async (services, exchange) => {
    const body = await exchange.body();
    if (body.Container === undefined || body.Container === '')
      throw invalid('invalid name or ID supplied: ""');
    const endpoint = (body.EndpointConfig ?? {}) as EndpointSpec;
    await services.containers.connectNetwork(exchange.ctx, exchange.name, body.Container, endpoint);
    exchange.empty(200);
  },
  NetworkDisconnect: async (services, exchange) => {
    const body = await exchange.body();
    if (body.Container === undefined || body.Container === '')
      throw invalid('invalid name or ID supplied: ""');
    await services.containers.disconnectNetwork(
      exchange.ctx,
      exchange.name,
      body.Container,
      body.Force ?? false,
    );
    exchange.empty(200);
  },
  SlipwayContainerPorts: async (services, exchange) => {
    const body = (await exchange.requiredBody()) as unknown;
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      throw invalid('the body must be an object with Add and Remove');
    const { Add, Remove } = body as { readonly Add?: unknown; readonly Remove?: unknown };
    await services.networks.changePorts(exchange.ctx, exchange.name, {
      add: portMap(Add),
      remove: portMap(Remove),
    });
    exchange.empty(204);
  },
  SlipwayNetworkExposure: async (services, exchange) => {
    exchange.json(200, encodeExposure(await services.networks.exposure(exchange.ctx)));
  },
  SlipwayNetworkTrace: async (services, exchange) => {
    const { query } = exchange;
    const [source, destination] = [query.string('source'), query.string('destination')];
    if (source === '' || destination === '') throw invalid('a trace needs a source and a destination');
    exchange.json(200, encodeTrace(await services.networks.trace(exchange.ctx, source, destination)));
  },
  NetworkPrune: async (services, exchange) => {
    const removed = await services.networks.prune(exchange.ctx, exchange.query.filters());
    exchange.json(200, { NetworksDeleted: removed.length === 0 ? null : removed });
  },
};
