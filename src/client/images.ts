/** Images and the registries they come from. */
import { type Api, encodeFilters } from './api.ts';
import type { Filters } from './containers.ts';
import type { ByteQueue } from './streams/byte-queue.ts';
import { jsonValues } from './streams/json-lines.ts';
import type {
  AuthConfig,
  CollectReport,
  ExploredFile,
  ExploredImage,
  ExploredLayer,
  ImageHistoryItem,
  ImageRemoved,
  ImageSearchResult,
  RawManifest,
  ImageSummary,
  LoginResult,
  ProgressMessage,
  PruneReport,
} from './types.ts';

export type Progress = AsyncGenerator<ProgressMessage, void, undefined>;

const encodeAuth = (auth: AuthConfig): string => Buffer.from(JSON.stringify(auth)).toString('base64url');

function registryAuth(auth: AuthConfig | undefined): Record<string, string> {
  return auth === undefined ? {} : { 'X-Registry-Auth': encodeAuth(auth) };
}

const namePath = (name: string, verb: string): string =>
  `/images/${name.split('/').map(encodeURIComponent).join('/')}${verb}`;

const systems = ['linux', 'windows', 'darwin', 'freebsd'];
const architectures: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  i386: '386',
};

/** The platform as the API wants it: JSON of `linux/arm/v7`; `arm64` alone means Linux on it. */
export function platformJson(platform: string | undefined): string | undefined {
  if (platform === undefined || platform === '') return undefined;
  const parts = platform.toLowerCase().split('/');
  const [os = '', name, variant] = systems.includes(parts[0] ?? '') ? parts : ['linux', ...parts];
  const architecture = name === undefined ? undefined : (architectures[name] ?? name);
  return JSON.stringify({
    ...(architecture === undefined ? {} : { architecture }),
    os,
    ...(variant === undefined ? {} : { variant }),
  });
}

/** Sends a request that is answered by lines of progress. */
const progressOf =
  (api: Api) =>
  async (request: Parameters<Api['send']>[0]): Promise<Progress> =>
    jsonValues<ProgressMessage>((await api.send(request)).body);

/** What is here, and what is removed. */
function imageLists(api: Api) {
  return {
    list: (
      input: {
        all?: boolean | undefined;
        sharedSize?: boolean;
        manifests?: boolean;
        filters?: Filters;
      } = {},
    ): Promise<ImageSummary[]> =>
      api.json({
        method: 'GET',
        path: '/images/json',
        query: {
          all: input.all === true ? true : undefined,
          'shared-size': input.sharedSize === true ? true : undefined,
          manifests: input.manifests === true ? true : undefined,
          filters: encodeFilters(input.filters ?? {}),
        },
      }),
    inspectRaw: (name: string, platform?: string): Promise<string> =>
      api.text({ method: 'GET', path: namePath(name, '/json'), query: { platform: platformJson(platform) } }),
    history: (name: string, platform?: string): Promise<ImageHistoryItem[]> =>
      api.json({
        method: 'GET',
        path: namePath(name, '/history'),
        query: { platform: platformJson(platform) },
      }),
    /** First the image, then for each layer, lowest first, its files (when asked for) and its sums. */
    layers: async (
      name: string,
      input: { platform?: string; files?: boolean } = {},
    ): Promise<AsyncGenerator<ExploredImage | ExploredLayer | ExploredFile, void, undefined>> => {
      const path = `/slipway${namePath(name, '/layers')}`;
      const query = {
        platform: platformJson(input.platform),
        files: input.files === true ? true : undefined,
      };
      return jsonValues((await api.send({ method: 'GET', path, query })).body);
    },
    /** Removes what nobody needs once the disk is full, or (`all`) now. */
    collect: (input: { dryRun: boolean; all: boolean }): Promise<CollectReport> =>
      api.json({
        method: 'POST',
        path: '/slipway/images/collect',
        query: { dryRun: input.dryRun ? true : undefined, all: input.all ? true : undefined },
      }),
    tag: (source: string, repo: string, tag: string) =>
      api.done({ method: 'POST', path: namePath(source, '/tag'), query: { repo, tag } }),
    remove: (
      name: string,
      input: { force?: boolean; noPrune?: boolean; platforms?: readonly string[] } = {},
    ): Promise<ImageRemoved[]> =>
      api.json({
        method: 'DELETE',
        path: namePath(name, ''),
        query: {
          force: input.force === true ? true : undefined,
          noprune: input.noPrune === true ? true : undefined,
          platforms: input.platforms?.map((p) => platformJson(p) ?? ''),
        },
      }),
    prune: (filters: Filters = {}): Promise<PruneReport> =>
      api.json({ method: 'POST', path: '/images/prune', query: { filters: encodeFilters(filters) } }),
  };
}

/** From and to registries. */
function imageRegistries(api: Api) {
  const progress = progressOf(api);
  return {
    pull: (input: {
      fromImage: string;
      tag: string;
      platform?: string | undefined;
      auth?: AuthConfig | undefined;
      signal?: AbortSignal;
    }) =>
      progress({
        method: 'POST',
        path: '/images/create',
        query: { fromImage: input.fromImage, tag: input.tag || undefined, platform: input.platform },
        headers: registryAuth(input.auth),
        signal: input.signal,
      }),
    push: (input: {
      name: string;
      tag: string;
      platform?: string | undefined;
      auth?: AuthConfig | undefined;
    }) =>
      progress({
        method: 'POST',
        path: namePath(input.name, '/push'),
        query: { tag: input.tag || undefined, platform: platformJson(input.platform) },
        // Without this header the engine refuses the request, so it is sent empty too.
        headers: registryAuth(input.auth ?? {}),
      }),
    search: (input: {
      term: string;
      limit: number;
      filters?: Filters;
      auth?: AuthConfig | undefined;
    }): Promise<ImageSearchResult[]> =>
      api.json({
        method: 'GET',
        path: '/images/search',
        query: {
          term: input.term,
          limit: input.limit > 0 ? input.limit : undefined,
          filters: encodeFilters(input.filters ?? {}),
        },
        headers: registryAuth(input.auth),
      }),
    /** Slipway's own: from registry to registry. */
    copy: (input: {
      from: string;
      to: string;
      platform?: string | undefined;
      fromAuth?: AuthConfig | undefined;
      toAuth?: AuthConfig | undefined;
    }) =>
      progress({
        method: 'POST',
        path: '/slipway/images/copy',
        query: { from: input.from, to: input.to, platform: input.platform },
        headers: {
          ...registryAuth(input.toAuth),
          ...(input.fromAuth === undefined ? {} : { 'X-Slipway-Source-Auth': encodeAuth(input.fromAuth) }),
        },
      }),
    /** Slipway's own: a manifest or index as a registry has it. */
    manifest: (name: string, auth: AuthConfig | undefined): Promise<RawManifest> =>
      api.json({ method: 'GET', path: '/slipway/manifests', query: { name }, headers: registryAuth(auth) }),
    /** Slipway's own: `sources` are copied into the repository first. */
    pushManifest: (input: {
      name: string;
      mediaType: string;
      content: string;
      sources: readonly string[];
      auth?: AuthConfig | undefined;
    }): Promise<{ readonly Digest: string }> =>
      api.json({
        method: 'PUT',
        path: '/slipway/manifests',
        query: { name: input.name },
        json: {
          mediaType: input.mediaType,
          content: Buffer.from(input.content).toString('base64'),
          sources: input.sources,
        },
        headers: registryAuth(input.auth),
      }),
    login: (auth: AuthConfig): Promise<LoginResult> =>
      api.json({ method: 'POST', path: '/auth', json: auth }),
  };
}

/** From and to archives. */
function imageArchives(api: Api) {
  const progress = progressOf(api);
  return {
    import: (input: {
      source: string;
      repo?: string | undefined;
      tag?: string | undefined;
      message?: string | undefined;
      changes?: readonly string[];
      platform?: string | undefined;
      stream?: AsyncIterable<Uint8Array> | undefined;
    }) =>
      progress({
        method: 'POST',
        path: '/images/create',
        query: {
          fromSrc: input.source,
          repo: input.repo,
          tag: input.tag,
          message: input.message,
          platform: input.platform,
          changes: input.changes,
        },
        stream: input.stream,
      }),
    load: async (input: {
      stream: AsyncIterable<Uint8Array>;
      quiet: boolean;
      platform?: string | undefined;
    }) => {
      const response = await api.send({
        method: 'POST',
        path: '/images/load',
        query: { quiet: input.quiet, platform: platformJson(input.platform) },
        headers: { 'Content-Type': 'application/x-tar' },
        stream: input.stream,
      });
      const json = (response.head.headers.get('content-type') ?? '').startsWith('application/json');
      return { json, body: response.body };
    },
    save: async (names: readonly string[], platform?: string): Promise<ByteQueue> =>
      (
        await api.send({
          method: 'GET',
          path: '/images/get',
          query: { names, platform: platformJson(platform) },
        })
      ).body,
  };
}

export function images(api: Api) {
  return { ...imageLists(api), ...imageRegistries(api), ...imageArchives(api) };
}
