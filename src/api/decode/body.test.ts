import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBody } from './body.ts';

/** What dockerd 26.1 answered to the same bodies of `POST /containers/create`, behind `invalid JSON: `. */
const recorded: readonly (readonly [string, string])[] = [
  ['{', 'unexpected EOF'],
  ['', 'got EOF while reading request body'],
  ['[]', 'json: cannot unmarshal array into Go value of type runconfig.ContainerConfigWrapper'],
  ['"x"', 'json: cannot unmarshal string into Go value of type runconfig.ContainerConfigWrapper'],
  [
    '{"Tty":"x"}',
    'json: cannot unmarshal string into Go struct field ContainerConfigWrapper.Config.Tty of type bool',
  ],
  [
    '{"tTY":1,"Image":"b"}',
    'json: cannot unmarshal number into Go struct field ContainerConfigWrapper.Config.Tty of type bool',
  ],
  [
    '{"HostConfig":{"Memory":"x"}}',
    'json: cannot unmarshal string into Go struct field HostConfig.HostConfig.Resources.Memory of type int64',
  ],
  [
    '{"HostConfig":{"Memory":1.5}}',
    'json: cannot unmarshal number 1.5 into Go struct field HostConfig.HostConfig.Resources.Memory of type int64',
  ],
  [
    '{"HostConfig":{"Memory":99999999999999999999}}',
    'json: cannot unmarshal number 99999999999999999999 into Go struct field HostConfig.HostConfig.Resources.Memory of type int64',
  ],
  [
    '{"HostConfig":[]}',
    'json: cannot unmarshal array into Go struct field ContainerConfigWrapper.HostConfig of type container.HostConfig',
  ],
  [
    '{"Cmd":5}',
    'json: cannot unmarshal number into Go struct field ContainerConfigWrapper.Config.Cmd of type string',
  ],
  [
    '{"Cmd":{"a":1}}',
    'json: cannot unmarshal object into Go struct field ContainerConfigWrapper.Config.Cmd of type string',
  ],
  [
    '{"Cmd":[1]}',
    'json: cannot unmarshal array into Go struct field ContainerConfigWrapper.Config.Cmd of type string',
  ],
  [
    '{"Env":[1]}',
    'json: cannot unmarshal number into Go struct field ContainerConfigWrapper.Config.Env of type string',
  ],
  [
    '{"Env":"A=1"}',
    'json: cannot unmarshal string into Go struct field ContainerConfigWrapper.Config.Env of type []string',
  ],
  [
    '{"Labels":[]}',
    'json: cannot unmarshal array into Go struct field ContainerConfigWrapper.Config.Labels of type map[string]string',
  ],
  [
    '{"Labels":{"a":1}}',
    'json: cannot unmarshal number into Go struct field ContainerConfigWrapper.Config.Labels of type string',
  ],
  [
    '{"ExposedPorts":{"80":1}}',
    'json: cannot unmarshal number into Go struct field ContainerConfigWrapper.Config.ExposedPorts of type struct {}',
  ],
  [
    '{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":8080}]}}}',
    'json: cannot unmarshal number into Go struct field PortBinding.HostConfig.PortBindings.HostPort of type string',
  ],
  [
    '{"HostConfig":{"RestartPolicy":{"MaximumRetryCount":"1"}}}',
    'json: cannot unmarshal string into Go struct field RestartPolicy.HostConfig.RestartPolicy.MaximumRetryCount of type int',
  ],
  [
    '{"HostConfig":{"Mounts":[{"Type":1}]}}',
    'json: cannot unmarshal number into Go struct field Mount.HostConfig.Mounts.Type of type mount.Type',
  ],
  [
    '{"NetworkingConfig":{"EndpointsConfig":{"x":{"Aliases":1}}}}',
    'json: cannot unmarshal number into Go struct field EndpointSettings.NetworkingConfig.EndpointsConfig.Aliases of type []string',
  ],
  ['{"a":x}', "invalid character 'x' looking for beginning of value"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":"\u0001"}', "invalid character '\\x01' in string literal"],
  ['{"a":"\\q"}', "invalid character 'q' in string escape code"],
  ['{"a":01}', "invalid character '1' after object key:value pair"],
  ['{"a":tru}', "invalid character '}' in literal true (expecting 'e')"],
  ['{"a":1', 'unexpected EOF'],
  [
    '{"HostConfig":{"Memory":true}}',
    'json: cannot unmarshal bool into Go struct field HostConfig.HostConfig.Resources.Memory of type int64',
  ],
  [
    '{"Healthcheck":{"Interval":"1s"}}',
    'json: cannot unmarshal string into Go struct field HealthcheckConfig.Config.Healthcheck.Interval of type time.Duration',
  ],
  [
    '{"HostConfig":{"ConsoleSize":"x"}}',
    'json: cannot unmarshal string into Go struct field HostConfig.HostConfig.ConsoleSize of type [2]uint',
  ],
  [
    '{"HostConfig":{"Ulimits":{"a":1}}}',
    'json: cannot unmarshal object into Go struct field HostConfig.HostConfig.Resources.Ulimits of type []*units.Ulimit',
  ],
];

test('malformed bodies fail with the words of dockerd', () => {
  for (const [body, message] of recorded) {
    assert.throws(
      () => decodeBody('ContainerCreate', body),
      { kind: 'invalid', message: `invalid JSON: ${message}` },
      body,
    );
  }
});

test('keys match without regard to case, unknown ones and nulls are dropped', () => {
  const decoded = decodeBody(
    'ContainerCreate',
    '{"image":"a","IMAGE":"b","Nope":1,"Tty":null,"Cmd":"ls","hostconfig":{"memory":5},"Volumes":{"/v":null}}',
  );
  assert.deepEqual(decoded, { Image: 'b', Cmd: ['ls'], HostConfig: { Memory: 5 }, Volumes: { '/v': {} } });
});

test('a null endpoint or port list stays null', () => {
  const decoded = decodeBody(
    'ContainerCreate',
    '{"NetworkingConfig":{"EndpointsConfig":{"n":null}},"HostConfig":{"PortBindings":{"80/tcp":null}}}',
  );
  assert.deepEqual(decoded, {
    NetworkingConfig: { EndpointsConfig: { n: null } },
    HostConfig: { PortBindings: { '80/tcp': null } },
  });
});

test('__proto__ never becomes a prototype, and is a label like any other', () => {
  const decoded = decodeBody(
    'ContainerCreate',
    '{"__proto__":{"Tty":true},"Labels":{"__proto__":"x"},"NetworkingConfig":{"EndpointsConfig":{"__proto__":{"Aliases":["a"]}}}}',
  ) as { Tty?: boolean; Labels: object; NetworkingConfig: { EndpointsConfig: object } };
  assert.equal(decoded.Tty, undefined);
  assert.deepEqual(Object.entries(decoded.Labels), [['__proto__', 'x']]);
  assert.equal(Object.getPrototypeOf(decoded.NetworkingConfig.EndpointsConfig), Object.prototype);
});

test('integers beyond 2^53 become the nearest safe one', () => {
  const decoded = decodeBody('ContainerCreate', '{"HostConfig":{"MemorySwap":9223372036854775807}}');
  assert.deepEqual(decoded, { HostConfig: { MemorySwap: Number.MAX_SAFE_INTEGER } });
});

test('deep nesting of malformed text is refused in words', () => {
  const text = '['.repeat(200_000);
  assert.throws(() => decodeBody('ContainerCreate', text), { kind: 'invalid' });
});
