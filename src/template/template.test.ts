import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compile, fromApi, Struct, TemplateError } from './index.ts';

const data = {
  Id: 'abc',
  Name: '/web',
  State: { Status: 'running', Pid: 42, Running: true, Health: null },
  Config: { Labels: { b: '2', a: '1' }, Env: ['A=1', 'B=2'], Cmd: [] as string[] },
  Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }], '443/tcp': null },
  Sizes: [1, 2.5, 3],
};

const cases: readonly (readonly [string, string])[] = [
  ['{{.Id}}', 'abc'],
  ['{{.ID}}', 'abc'],
  ['x {{ .State.Status }} y', 'x running y'],
  ['{{.State.Pid}}', '42'],
  ['{{json .Config.Labels}}', '{"a":"1","b":"2"}'],
  ['{{ json .Config.Env }}', '["A=1","B=2"]'],
  ['{{.Config.Labels}}', 'map[a:1 b:2]'],
  ['{{.Config.Env}}', '[A=1 B=2]'],
  ['{{index .Config.Labels "a"}}', '1'],
  ['{{index .Config.Labels "zz"}}', ''],
  ['{{index .Config.Env 1}}', 'B=2'],
  ['{{(index (index .Ports "80/tcp") 0).HostPort}}', '8080'],
  [
    '{{range $k, $v := .Ports}}{{$k}}={{if $v}}{{(index $v 0).HostPort}}{{else}}none{{end}};{{end}}',
    '443/tcp=none;80/tcp=8080;',
  ],
  ['{{range .Config.Env}}{{println .}}{{end}}', 'A=1\nB=2\n'],
  ['{{range .Config.Cmd}}x{{else}}none{{end}}', 'none'],
  ['{{range $i, $e := .Config.Env}}{{if $i}}, {{end}}{{$e}}{{end}}', 'A=1, B=2'],
  ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
  ['{{if not .State.Running}}a{{else if eq .State.Pid 42}}b{{else}}c{{end}}', 'b'],
  ['{{with .State}}{{.Pid}}{{end}}', '42'],
  ['{{with .State.Health}}h{{else}}no health{{end}}', 'no health'],
  ['{{$x := .State.Pid}}{{$x}}', '42'],
  ['{{$x := 1}}{{range .Config.Env}}{{$x = 5}}{{end}}{{$x}}', '5'],
  ['a {{- .Id -}} b', 'aabcb'],
  ['{{/* note */}}{{.Id}}', 'abc'],
  ['{{upper .Id}} {{.Id | upper | printf "%s!"}}', 'ABC ABC!'],
  ['{{title "hello world"}}', 'Hello World'],
  ['{{join .Config.Env ","}}', 'A=1,B=2'],
  ['{{join (split "a:b" ":") "-"}}', 'a-b'],
  ['{{truncate .Id 2}}|{{truncate .Id 9}}', 'ab|abc'],
  ['{{pad .Id 1 2}}|', ' abc  |'],
  ['{{slice .Name 1}}', 'web'],
  ['{{slice .Id 0 2}}', 'ab'],
  ['{{len .Config.Env}} {{len .Id}}', '2 3'],
  ['{{printf "%-6s|%4d|%q|%.2f|%v" .Id .State.Pid .Id 1.5 .State.Running}}', 'abc   |  42|"abc"|1.50|true'],
  ['{{and .Id .Name}} {{or "" .Id}}', '/web abc'],
  ['{{and true (eq .Id "x") (index .Nope.Deep 1)}}', 'false'],
  ['{{if and (gt .State.Pid 1) (le .State.Pid 42) (ne .Id "x")}}ok{{end}}', 'ok'],
  ['{{eq .Id "x" "abc"}}', 'true'],
  ['{{.Nope}}', '<no value>'],
  ['{{.Sizes}}', '[1 2.5 3]'],
  ['{{print 1 2 "a" "b" 3}}', '1 2a b3'.replace('a b', 'ab')],
  ['{{range 3}}{{.}}{{end}}', '012'],
  ['{{range .Sizes}}{{if eq . 3}}{{break}}{{end}}{{.}} {{end}}', '1 2.5 '],
  ['{{define "t"}}<{{.}}>{{end}}{{template "t" .Id}}', '<abc>'],
  ['{{"a\\tb"}}{{`\\t`}}', 'a\tb\\t'],
  ["{{'a'}}", '97'],
  ['{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}{{$.Id}}', 'a=1 b=2 abc'],
];

for (const [source, wanted] of cases) {
  test(`template ${source}`, () => {
    assert.equal(compile(source).render(data), wanted);
  });
}

const failures: readonly (readonly [string, string])[] = [
  ['{{.Id', 'template: :1: unclosed action'],
  ['{{foo}}', 'template: :1: function "foo" not defined'],
  ['{{if .Id}}x', 'template: :1: unexpected EOF'],
  ['{{}}', 'template: :1: missing value for command'],
  ['{{end}}', 'template: :1: unexpected {{end}}'],
  ['{{.Id | }}', 'template: :1: missing value for command'],
  ['{{$x}}', 'template: :1: undefined variable "$x"'],
  ['{{"abc}}', 'template: :1: unterminated quoted string'],
  ['{{.Id.Foo}}', `template: :1:5: executing "" at <.Id.Foo>: can't evaluate field Foo in type string`],
  [
    '\n {{.State.Nope.Deep}}',
    'template: :2:9: executing "" at <.State.Nope.Deep>: nil data; no entry for key "Deep"',
  ],
  [
    '{{index .Config.Env 7}}',
    'template: :1:2: executing "" at <index .Config.Env 7>: error calling index: index out of range: 7',
  ],
  [
    '{{lt .Id 3}}',
    'template: :1:2: executing "" at <lt .Id 3>: error calling lt: incompatible types for comparison',
  ],
];

for (const [source, message] of failures) {
  test(`template error ${JSON.stringify(source)}`, () => {
    assert.throws(
      () => compile(source).render(data),
      (error) => error instanceof TemplateError && error.message === message,
    );
  });
}

test('a missing key is an error when asked for, and a struct has only its fields', () => {
  assert.throws(() => compile('{{.Nope}}', { missingKeyIsError: true }).render(fromApi(data)), {
    message: 'template: :1:2: executing "" at <.Nope>: map has no entry for key "Nope"',
  });
  const context = new Struct('*formatter.ContainerContext', { ID: () => 'x', Names: () => 'n' });
  assert.equal(compile('{{json .}}').render(context), '{"ID":"x","Names":"n"}');
  assert.throws(() => compile('{{.Foo}}').render(context), {
    message: `template: :1:2: executing "" at <.Foo>: can't evaluate field Foo in type *formatter.ContainerContext`,
  });
});

test('what the engine answers prints as Go prints its structs and maps', () => {
  const value = fromApi(data);
  assert.equal(compile('{{.Ports}}').render(value), 'map[443/tcp:[] 80/tcp:[{0.0.0.0 8080}]]');
  assert.equal(
    compile('{{json .Ports}}').render(value),
    '{"443/tcp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}',
  );
  assert.equal(compile('{{.Config.Labels.zz}}', { missingKeyIsError: true }).render(value), '<no value>');
  assert.equal(
    compile('{{json .State}}').render(value),
    '{"Status":"running","Pid":42,"Running":true,"Health":null}',
  );
});

test('the header keeps titles whatever functions do to values', () => {
  assert.equal(
    compile('{{upper .ID}}\t{{.Names | truncate 3 | json}}')
      .renderHeader({ ID: 'CONTAINER ID', Names: 'NAMES' })
      .split('\t')[0],
    'CONTAINER ID',
  );
});
