/** The fixed answers of the fake engine. */
import { frame } from './frame.ts';
import {
  CONTAINER_INSPECT,
  CONTAINERS,
  DISK_USAGE,
  IMAGES,
  IMAGE_INSPECT,
  NETWORKS,
  NETWORK_INSPECT,
  VERSION_ANSWER,
  VOLUMES,
} from './fake-data.ts';
import { EVENTS, INFO, STATS } from './fake-engine-facts.ts';

export interface Answer {
  readonly status: number;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

const json = (value: unknown, status = 200): Answer => ({ status, body: `${JSON.stringify(value)}\n` });
const error = (status: number, message: string): Answer => json({ message }, status);
const lines = (values: readonly unknown[]): Answer => ({
  status: 200,
  body: values.map((v) => `${JSON.stringify(v)}\r\n`).join(''),
});

const PULL = [
  { status: 'Pulling from library/busybox', id: 'latest' },
  { status: 'Pulling fs layer', progressDetail: {}, id: '9ad63333ebc9' },
  {
    status: 'Downloading',
    progressDetail: { current: 16_384, total: 2_150_000 },
    progress: '[> ]',
    id: '9ad63333ebc9',
  },
  { status: 'Download complete', progressDetail: {}, id: '9ad63333ebc9' },
  {
    status: 'Extracting',
    progressDetail: { current: 2_150_000, total: 2_150_000 },
    progress: '[==>]',
    id: '9ad63333ebc9',
  },
  { status: 'Pull complete', progressDetail: {}, id: '9ad63333ebc9' },
  { status: 'Digest: sha256:37f7b378a29ceb4c551b1b5582e27747b855bbfaa73fa11914fe0df028dc581f' },
  { status: 'Status: Downloaded newer image for busybox:latest' },
];

const ID = 'c0ffee'.padEnd(64, '0');

/** Start fails by what the container is called. */
const START_ERRORS: Readonly<Record<string, [number, string]>> = {
  nocmd: [
    400,
    'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown',
  ],
  noexec: [
    400,
    'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/etc/passwd": permission denied: unknown',
  ],
  port: [
    500,
    'driver failed programming external connectivity on endpoint port: Bind for 0.0.0.0:80 failed: port is already allocated',
  ],
};

interface State {
  pulled: boolean;
}

type Handler = (match: RegExpExecArray, body: string, state: State) => Answer;

function createContainer(query: string, body: string, state: State): Answer {
  const image = (JSON.parse(body) as { Image: string }).Image;
  const name = new URLSearchParams(query).get('name') ?? '';
  if (name === 'taken')
    return error(
      409,
      'Conflict. The container name "/taken" is already in use by container "abc". You have to remove (or rename) that container to be able to reuse that name.',
    );
  if (image === 'missing' && !state.pulled) return error(404, 'No such image: missing:latest');
  if (image === 'denied') return error(404, 'No such image: denied:latest');
  return json(
    {
      Id: name in START_ERRORS ? name : ID,
      Warnings: name === 'warned' ? ['Your kernel does not support swap limit capabilities'] : [],
    },
    201,
  );
}

const found = (name: string): boolean => !/^(gone|nope)/.test(name);

const routes: readonly (readonly [string, RegExp, Handler])[] = [
  [
    'GET|HEAD',
    /^\/_ping$/,
    // Without the header the docker CLI does not let anybody ask for checkpoints.
    () => ({
      status: 200,
      body: 'OK',
      headers: { 'Content-Type': 'text/plain', 'Docker-Experimental': 'true' },
    }),
  ],
  ['GET', /^\/version$/, () => json(VERSION_ANSWER)],
  ['GET', /^\/info$/, () => json(INFO)],
  [
    'GET',
    /^\/containers\/json(.*)$/,
    ([, query = '']) =>
      json(
        query.includes('size=1')
          ? CONTAINERS
          : CONTAINERS.map(({ SizeRw: _a, SizeRootFs: _b, ...rest }) => rest),
      ),
  ],
  [
    'POST',
    /^\/containers\/create(?:\?(.*))?$/,
    ([, query = ''], body, state) => createContainer(query, body, state),
  ],
  [
    'GET',
    /^\/containers\/(notty|web|tty|c0ffee0*|web2|stopped)\/json/,
    ([, name = '']) =>
      json({
        ...CONTAINER_INSPECT,
        Config: { ...CONTAINER_INSPECT.Config, Tty: name === 'tty' },
        State: { ...CONTAINER_INSPECT.State, Running: name !== 'stopped' },
      }),
  ],
  ['GET', /^\/containers\/([^/]+)\/json/, ([, name = '']) => error(404, `No such container: ${name}`)],
  [
    'GET',
    /^\/containers\/([^/]+)\/checkpoints/,
    ([, name = '']) => (name === 'web' ? json([{ Name: 'c1' }, { Name: 'c10' }]) : json(null)),
  ],
  [
    'POST',
    /^\/containers\/([^/]+)\/checkpoints$/,
    ([, name = '']) => (found(name) ? { status: 201, body: '' } : error(404, `No such container: ${name}`)),
  ],
  [
    'DELETE',
    /^\/containers\/([^/]+)\/checkpoints\/([^?]+)/,
    ([, name = '', checkpoint = '']) =>
      checkpoint === 'nope'
        ? error(500, `checkpoint nope does not exist for container ${name}`)
        : { status: 204, body: '' },
  ],
  [
    'POST',
    /^\/containers\/([^/]+)\/start/,
    ([, name = '']) =>
      START_ERRORS[name] === undefined
        ? found(name)
          ? { status: 204, body: '' }
          : error(404, `No such container: ${name}`)
        : error(...START_ERRORS[name]),
  ],
  ['POST', /^\/containers\/([^/]+)\/wait/, () => json({ StatusCode: 7 })],
  [
    'POST',
    /^\/containers\/([^/]+)\/exec$/,
    ([, name = ''], body) =>
      found(name)
        ? json(
            {
              Id:
                body.includes('"Tty":true') && body.includes('"AttachStdin":true')
                  ? 'tty1'
                  : body.includes('"AttachStdin":true')
                    ? 'stdin1'
                    : 'exec1',
            },
            201,
          )
        : error(404, `No such container: ${name}`),
  ],
  ['POST', /^\/exec\/([^/]+)\/resize/, () => ({ status: 201, body: '' })],
  ['POST', /^\/exec\/([^/]+)\/start$/, () => ({ status: 200, body: '' })],
  ['GET', /^\/exec\/([^/]+)\/json$/, () => json({ ID: 'exec1', Running: false, ExitCode: 3, Pid: 99 })],
  [
    'GET',
    /^\/containers\/([^/]+)\/logs/,
    () => ({
      status: 200,
      body: Buffer.concat([frame(1, 'one\n'), frame(2, 'two\n'), frame(1, 'three\n')]),
      headers: { 'Content-Type': 'application/vnd.docker.multiplexed-stream' },
    }),
  ],
  [
    'GET',
    /^\/containers\/([^/]+)\/top/,
    () =>
      json({
        Titles: ['UID', 'PID', 'CMD'],
        Processes: [
          ['root', '1', 'nginx: master process'],
          ['101', '30', 'nginx: worker'],
        ],
      }),
  ],
  [
    'GET',
    /^\/containers\/([^/]+)\/changes$/,
    () =>
      json([
        { Path: '/etc', Kind: 0 },
        { Path: '/etc/new', Kind: 1 },
        { Path: '/tmp/x', Kind: 2 },
      ]),
  ],
  ['GET', /^\/containers\/([^/]+)\/stats/, () => json(STATS)],
  [
    'GET',
    /^\/containers\/([^/]+)\/export$/,
    () => ({ status: 200, body: 'tarbytes', headers: { 'Content-Type': 'application/x-tar' } }),
  ],
  ['POST', /^\/containers\/([^/]+)\/update$/, () => json({ Warnings: [] })],
  ['POST', /^\/containers\/prune/, () => json({ ContainersDeleted: [ID], SpaceReclaimed: 1_234_567 })],
  [
    'POST',
    /^\/containers\/([^/]+)\/(stop|kill|restart|pause|unpause|rename|resize)/,
    ([, name = '']) => (found(name) ? { status: 204, body: '' } : error(404, `No such container: ${name}`)),
  ],
  [
    'DELETE',
    /^\/containers\/([^/?]+)/,
    ([, name = '']) => (found(name) ? { status: 204, body: '' } : error(404, `No such container: ${name}`)),
  ],
  ['POST', /^\/commit/, () => json({ Id: `sha256:${ID}` }, 201)],
  ['GET', /^\/images\/json/, () => json(IMAGES)],
  [
    'POST',
    /^\/images\/create\?(.*)$/,
    ([, query = ''], _body, state) => {
      if (query.includes('denied'))
        return error(
          404,
          "pull access denied for denied, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
        );
      state.pulled = true;
      return query.includes('broken')
        ? lines([
            ...PULL.slice(0, 2),
            { errorDetail: { message: 'unexpected EOF' }, error: 'unexpected EOF' },
          ])
        : lines(PULL);
    },
  ],
  [
    'POST',
    /^\/images\/(.+)\/push/,
    () =>
      lines([
        { status: 'The push refers to repository [localhost:5000/app]' },
        { status: 'Preparing', progressDetail: {}, id: '9ad63333ebc9' },
        { status: 'Pushed', progressDetail: {}, id: '9ad63333ebc9' },
        { status: 'v1: digest: sha256:37f7 size: 527' },
        { progressDetail: {}, aux: { Tag: 'v1', Digest: 'sha256:37f7', Size: 527 } },
      ]),
  ],
  [
    'GET',
    /^\/images\/(.+)\/history/,
    () =>
      json([
        {
          Id: `sha256:${ID}`,
          Created: Math.floor(Date.now() / 1000) - 86_400 * 3,
          CreatedBy: '/bin/sh -c #(nop)  CMD ["sh"] and something that is rather long',
          Tags: ['busybox:latest'],
          Size: 0,
          Comment: '',
        },
        {
          Id: '<missing>',
          Created: Math.floor(Date.now() / 1000) - 86_400 * 3,
          CreatedBy: '/bin/sh -c #(nop) ADD file',
          Tags: null,
          Size: 4_261_550,
          Comment: 'imported',
        },
      ]),
  ],
  [
    'GET',
    /^\/images\/search/,
    () =>
      json([
        {
          name: 'busybox',
          description: 'Busybox base image.',
          star_count: 3300,
          is_official: true,
          is_automated: false,
        },
        {
          name: 'rancher/busybox',
          description: 'a description that is quite a lot longer than forty-five letters',
          star_count: 0,
          is_official: false,
          is_automated: false,
        },
      ]),
  ],
  [
    'GET',
    /^\/images\/get/,
    () => ({ status: 200, body: 'tarbytes', headers: { 'Content-Type': 'application/x-tar' } }),
  ],
  ['POST', /^\/images\/load/, () => lines([{ stream: 'Loaded image: busybox:latest\n' }])],
  ['GET', /^\/images\/(busybox|web)(:latest)?\/json/, () => json(IMAGE_INSPECT)],
  [
    'GET',
    /^\/images\/(.+)\/json/,
    ([, name = '']) =>
      error(404, `No such image: ${decodeURIComponent(name)}${name.includes(':') ? '' : ':latest'}`),
  ],
  [
    'POST',
    /^\/images\/(.+)\/tag/,
    ([, name = '']) =>
      found(name) ? { status: 201, body: '' } : error(404, `No such image: ${name}:latest`),
  ],
  [
    'DELETE',
    /^\/images\/([^?]+)/,
    ([, name = '']) =>
      found(name)
        ? json([{ Untagged: 'busybox:latest' }, { Deleted: `sha256:${ID}` }])
        : error(404, `No such image: ${name}:latest`),
  ],
  [
    'POST',
    /^\/images\/prune/,
    () =>
      json({
        ImagesDeleted: [{ Untagged: 'old:1' }, { Deleted: `sha256:${ID}` }],
        SpaceReclaimed: 4_200_000,
      }),
  ],
  ['GET', /^\/networks(\?.*)?$/, () => json(NETWORKS)],
  ['POST', /^\/networks\/create$/, () => json({ Id: ID, Warning: '' }, 201)],
  ['POST', /^\/networks\/prune/, () => json({ NetworksDeleted: ['old'] })],
  ['GET', /^\/networks\/(bridge)/, () => json(NETWORK_INSPECT)],
  [
    'POST|DELETE',
    /^\/networks\/([^/?]+)/,
    ([, name = '']) => (found(name) ? { status: 200, body: '' } : error(404, `network ${name} not found`)),
  ],
  ['GET', /^\/networks\/([^/?]+)/, ([, name = '']) => error(404, `network ${name} not found`)],
  ['GET', /^\/volumes(\?.*)?$/, () => json({ Volumes: VOLUMES, Warnings: null })],
  [
    'POST',
    /^\/volumes\/create$/,
    (_, body) => json({ ...VOLUMES[0], Name: (JSON.parse(body) as { Name?: string }).Name ?? 'a1b2' }, 201),
  ],
  ['POST', /^\/volumes\/prune/, () => json({ VolumesDeleted: ['a1b2'], SpaceReclaimed: 0 })],
  ['GET', /^\/volumes\/(data)/, () => json(VOLUMES[0])],
  ['GET', /^\/volumes\/([^/?]+)/, ([, name = '']) => error(404, `get ${name}: no such volume`)],
  [
    'DELETE',
    /^\/volumes\/([^/?]+)/,
    ([, name = '']) => (found(name) ? { status: 204, body: '' } : error(404, `get ${name}: no such volume`)),
  ],
  ['GET', /^\/system\/df/, () => json(DISK_USAGE)],
  ['GET', /^\/events/, () => lines(EVENTS)],
  ['POST', /^\/auth$/, () => json({ IdentityToken: '', Status: 'Login Succeeded' })],
  ['POST', /^\/build\/prune/, () => json({ CachesDeleted: null, SpaceReclaimed: 0 })],
];

export function answerFor(method: string, url: string, body: string, state: State): Answer {
  for (const [methods, pattern, handler] of routes) {
    if (!methods.split('|').includes(method)) continue;
    const match = pattern.exec(url);
    if (match !== null) return handler(match, body, state);
  }
  return error(404, 'page not found');
}
