import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expand, rawWords } from './change-words.ts';
import { applyChanges } from './changes.ts';

test('every instruction', () => {
  const config = applyChanges({ Env: ['A=1'], Cmd: ['old'], Labels: { l: '0', k: '1' } }, [
    'ENV A=2 B=3',
    'ENV C a b',
    'cmd echo hi',
    'VOLUME ["/a"]\nVOLUME /b /c',
    'EXPOSE 80 53/udp 90-91',
    'ONBUILD RUN x',
    'USER me',
    'STOPSIGNAL SIGINT',
    'HEALTHCHECK --interval=3s --timeout=1m --start-period=5ms --start-interval=2s --retries=4 CMD ["true"]',
    'LABEL l="a b" m=c',
    '# a comment',
    'WORKDIR /x',
    'WORKDIR \\\n  y',
  ]);
  assert.deepEqual(config, {
    Env: ['A=2', 'B=3', 'C=a b'],
    Cmd: ['/bin/sh', '-c', 'echo hi'],
    Labels: { l: 'a b', k: '1', m: 'c' },
    Volumes: { '/a': {}, '/b': {}, '/c': {} },
    ExposedPorts: { '80/tcp': {}, '53/udp': {}, '90/tcp': {}, '91/tcp': {} },
    OnBuild: ['RUN x'],
    User: 'me',
    StopSignal: 'SIGINT',
    Healthcheck: {
      Test: ['CMD', 'true'],
      Interval: 3e9,
      Timeout: 60e9,
      StartPeriod: 5e6,
      StartInterval: 2e9,
      Retries: 4,
    },
    WorkingDir: '/x/y',
  });
});

test('an entrypoint takes the old command away, but not one that came with it', () => {
  const before = { Entrypoint: ['a'], Cmd: ['b'] };
  assert.deepEqual(applyChanges(before, ['ENTRYPOINT ["x"]']), { Entrypoint: ['x'], Cmd: null });
  assert.deepEqual(applyChanges(before, ['CMD ["y"]', 'ENTRYPOINT ["x"]']), {
    Entrypoint: ['x'],
    Cmd: ['y'],
  });
  assert.deepEqual(applyChanges(before, ['ENTRYPOINT []', 'CMD']), { Entrypoint: [], Cmd: [] });
});

test('variables are those of the environment so far', () => {
  const config = applyChanges({ Env: ['P=/bin', 'E='] }, [
    'ENV P=$P:/x Q=${P}y',
    'ENV R=$Q S="${NO:-d e}" T=${E-x}${E:-z}${P:+set}',
    "ENV L='$P' M=\\$P",
    'WORKDIR $P',
    'EXPOSE $PORTS 1',
  ]);
  assert.deepEqual(config.Env, ['P=/bin:/x', 'E=', 'Q=/biny', 'R=/biny', 'S=d e', 'T=zset', 'L=$P', 'M=$P']);
  assert.equal(config.WorkingDir, '/bin:/x');
  assert.deepEqual(config.ExposedPorts, { '1/tcp': {} });
});

test('what is no such instruction, in Docker’s words', () => {
  const cases: readonly (readonly [change: string, words: string])[] = [
    ['COPY a b', 'COPY is not a valid change command'],
    ['RUN x', 'RUN is not a valid change command'],
    ['__proto__ x', '__proto__ is not a valid change command'],
    ['ENV', 'ENV requires at least one argument'],
    ['ENV a', 'ENV must have two arguments'],
    ['LABEL x', 'LABEL must have two arguments'],
    ['ENV =x', 'ENV names can not be blank'],
    ['ENV a=b c', 'Syntax error - can\'t find = in "c". Must be of the form: name=value'],
    ['ENV a=${b', 'failed to process "${b": syntax error: missing \'}\''],
    ['EXPOSE abc', 'invalid containerPort: abc'],
    ['EXPOSE 9-8', 'invalid containerPort: 9-8'],
    ['EXPOSE 1-99999', 'invalid containerPort: 1-99999'],
    ['HEALTHCHECK foo', 'Unknown type "FOO" in HEALTHCHECK (try CMD)'],
    ['HEALTHCHECK --x=3 CMD a', 'Unknown flag: x'],
    ['HEALTHCHECK --interval CMD a', 'Missing a value on flag: interval'],
    ['HEALTHCHECK NONE x', 'HEALTHCHECK NONE takes no arguments'],
    ['HEALTHCHECK --interval=1us CMD x', 'Interval "interval" cannot be less than 1ms'],
    ['HEALTHCHECK CMD', 'Missing command after HEALTHCHECK CMD'],
    ['ONBUILD FROM x', "FROM isn't allowed as an ONBUILD trigger"],
    ['ONBUILD ONBUILD x', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
    ['WORKDIR', 'WORKDIR requires exactly one argument'],
    ['VOLUME []', 'VOLUME requires at least one argument'],
    ['', 'file with no instructions'],
  ];
  for (const [change, words] of cases)
    assert.throws(() => applyChanges({}, [change]), { kind: 'invalid', message: words }, change);
});

test('words keep their quotes until they are expanded', () => {
  assert.deepEqual(rawWords(`a 'b c'  "d\\"e" f\\ g ''`), ['a', "'b c'", '"d\\"e"', 'f\\ g', "''"]);
  assert.equal(
    expand('"d\\"e"\'f\'\\ g', () => undefined),
    'd"ef g',
  );
  // Nested as deep as an attacker likes: refused, not a crash.
  assert.throws(() => expand(`${'${a:-'.repeat(5000)}${'}'.repeat(5000)}`, () => undefined), {
    kind: 'invalid',
  });
});
