/** Requests that dockerd and our engine must answer alike: good ones, and every way to get one wrong. */

export interface CompareRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
}

const post = (path: string, body?: string, contentType = 'application/json'): CompareRequest => ({
  method: 'POST',
  path,
  ...(body === undefined ? {} : { body, contentType }),
});
const get = (path: string): CompareRequest => ({ method: 'GET', path });
const remove = (path: string): CompareRequest => ({ method: 'DELETE', path });
const filter = (value: unknown): string => `filters=${encodeURIComponent(JSON.stringify(value))}`;

const createBodies = [
  '',
  '{',
  '{}',
  'null',
  '[]',
  '{"Image":"nope"}',
  '{"Tty":"x"}',
  '{"tTY":1,"Image":"busybox"}',
  '{"HostConfig":{"Memory":"x"}}',
  '{"HostConfig":{"Memory":1.5}}',
  '{"HostConfig":[]}',
  '{"Cmd":5}',
  '{"Env":[1]}',
  '{"Labels":[]}',
  '{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":8080}]}}}',
  '{"a":x}',
  '{"Image":"busybox","HostConfig":{"Memory":1}}',
  '{"Image":"busybox","HostConfig":{"NetworkMode":"nope"}}',
  '{"Image":"busybox","HostConfig":{"RestartPolicy":{"Name":"sometimes"}}}',
  '{"Image":"busybox","HostConfig":{"Binds":["relative:/x"]}}',
  '{"Image":"busybox","HostConfig":{"Binds":["/a"]}}',
  '{"Image":"busybox","HostConfig":{"PortBindings":{"x/tcp":[{}]}}}',
  '{"Image":"busybox","HostConfig":{"CapAdd":["NOPE"]}}',
  '{"Image":"busybox","HostConfig":{"LogConfig":{"Type":"nope"}}}',
  '{"Image":"busybox","HostConfig":{"Runtime":"nope"}}',
  '{"Image":"busybox","WorkingDir":"relative"}',
  '{"Image":"busybox","StopSignal":"NOPE"}',
  '{"Image":"UPPER"}',
];

const missing = '/containers/nope';

/** Requests about things that do not exist, and requests that make no sense. Nothing is left behind. */
export const badRequests: readonly CompareRequest[] = [
  get('/nope'),
  get('/v1.99/info'),
  post('/info'),
  get('/containers/create'),
  ...createBodies.map((body) => post('/containers/create', body)),
  post('/containers/create', '{}', 'text/plain'),
  post('/containers/create?name=a/b', '{"Image":"busybox"}'),
  get('/containers/json?limit=x'),
  get('/containers/json?filters=x'),
  get(`/containers/json?${filter({ a: ['b'] })}`),
  get(`/containers/json?${filter({ status: ['zz'] })}`),
  get(`${missing}/json`),
  post(`${missing}/start`),
  post(`${missing}/wait`),
  get(`${missing}/logs`),
  get(`${missing}/logs?stdout=1`),
  post(`${missing}/stop?t=x`),
  post(`${missing}/stop`),
  post(`${missing}/restart`),
  post(`${missing}/pause`),
  post(`${missing}/unpause`),
  post(`${missing}/kill`),
  post(`${missing}/kill?signal=ZZ`),
  post(`${missing}/resize`),
  post(`${missing}/resize?h=1&w=1`),
  post(`${missing}/rename`),
  post(`${missing}/rename?name=b`),
  post(`${missing}/update`, '{"Memory":"x"}'),
  post(`${missing}/update`, '{}'),
  post(`${missing}/exec`, '{}'),
  post(`${missing}/exec`, '{"Cmd":["ls"]}'),
  get(`${missing}/stats?stream=0`),
  get(`${missing}/top`),
  get(`${missing}/changes`),
  get(`${missing}/export`),
  get(`${missing}/archive?path=/`),
  remove(missing),
  post('/exec/nope/start', '{}'),
  post('/exec/nope/resize?h=1&w=1'),
  get('/exec/nope/json'),
  get('/images/nope/json'),
  get('/images/nope/history'),
  remove('/images/nope'),
  post('/images/nope/tag?repo=x'),
  post('/images/busybox/tag?repo=UP'),
  post('/images/busybox/tag'),
  post('/images/create?fromImage=UP'),
  get('/images/get?names=nope'),
  get('/images/nope/get'),
  get(`/images/json?${filter({ zz: ['zz'] })}`),
  get('/networks/nope'),
  remove('/networks/nope'),
  remove('/networks/none'),
  post('/networks/create', '{}'),
  post('/networks/create', '{"Name":1}'),
  post('/networks/create', '{"Name":"bridge"}'),
  post('/networks/create', '{"Name":"x","IPAM":{"Config":[{"Subnet":"nonsense"}]}}'),
  post('/networks/nope/connect', '{"Container":"nope"}'),
  post('/networks/none/connect', '{"Container":"nope"}'),
  get(`/networks?${filter({ zz: ['zz'] })}`),
  get('/volumes/nope'),
  remove('/volumes/nope'),
  post('/volumes/create', ''),
  post('/volumes/create', '{"Name":"../x"}'),
  post('/volumes/create', '{"Name":1}'),
  post('/volumes/create', '{"Name":"v","DriverOpts":{"nope":"1"}}'),
  get(`/volumes?${filter({ zz: ['zz'] })}`),
  get('/events?since=2&until=1'),
  get('/events?since=x'),
  get(`/events?since=1&until=2&${filter({ zz: ['zz'] })}`),
  post(`/containers/prune?${filter({ zz: ['zz'] })}`),
  post(`/images/prune?${filter({ zz: ['zz'] })}`),
  post(`/networks/prune?${filter({ zz: ['zz'] })}`),
  post(`/volumes/prune?${filter({ zz: ['zz'] })}`),
];

/** Requests whose answers have a shape to compare; `web` is a running container of the image `busybox`. */
export const goodRequests: readonly CompareRequest[] = [
  get('/_ping'),
  get('/version'),
  get('/info'),
  get('/containers/web/json?size=1'),
  get('/containers/json?all=1&size=1'),
  get('/containers/web/stats?stream=0'),
  get('/containers/web/top'),
  get('/containers/web/changes'),
  post('/containers/web/exec', '{"Cmd":["true"]}'),
  get('/images/json'),
  get('/images/busybox/json'),
  get('/images/busybox/history'),
  get('/networks'),
  get('/networks/none'),
  get('/networks/bridge'),
  get('/volumes'),
  get('/volumes/vol1'),
  get('/system/df'),
];

/** A container for `goodRequests`. */
export const fixture: readonly CompareRequest[] = [
  post(
    '/containers/create?name=web',
    '{"Image":"busybox","Cmd":["sleep","1000"],"Env":["A=b"],"Labels":{"x":"y"},"HostConfig":{"NetworkMode":"none","Binds":["vol1:/v"]}}',
  ),
  post('/containers/web/start'),
];
export const fixtureEnd: readonly CompareRequest[] = [
  remove('/containers/web?force=1&v=1'),
  remove('/volumes/vol1'),
];
