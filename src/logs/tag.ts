/** `--log-opt tag`: a Go template over what is known of the container, as Docker's. */
import { invalid } from '../core/errors.ts';
import { hostname } from 'node:os';
import type { LoggedContainer } from '../core/ports/log-driver.ts';
import { compile, Struct, TemplateError, type Template } from '../template/index.ts';

const bare = (id: string): string => id.replace(/^sha256:/, '');
const short = (id: string): string => bare(id).slice(0, 12);

/** Docker's name in front of the container's. */
const slashed = (name: string): string => `/${name}`;

/** Fields and methods of Docker's `logger.Info`. */
function info(container: LoggedContainer, options: Readonly<Record<string, string>>): Struct {
  const { id, name, imageId, imageName, path, args, env, labels } = container;
  return new Struct('*logger.Info', {
    ID: () => id.slice(0, 12),
    FullID: () => id,
    Name: () => name,
    ImageID: () => short(imageId),
    ImageFullID: () => imageId,
    ImageName: () => imageName,
    DaemonName: () => 'docker',
    Hostname: () => hostname(),
    Command: () => [path, ...args].join(' '),
    Config: () => options,
    ContainerID: () => id,
    ContainerName: () => slashed(name),
    ContainerEntrypoint: () => path,
    ContainerArgs: () => args,
    ContainerImageID: () => imageId,
    ContainerImageName: () => imageName,
    ContainerCreated: () => container.createdAt,
    ContainerEnv: () => env,
    ContainerLabels: () => labels,
    LogPath: () => container.logPath,
  });
}

const unknown: LoggedContainer = {
  id: '0'.repeat(64),
  name: 'x',
  imageId: `sha256:${'0'.repeat(64)}`,
  imageName: 'x',
  createdAt: '2000-01-01T00:00:00Z',
  path: 'x',
  args: [],
  labels: {},
  env: [],
  logPath: '',
};

function renamed(error: unknown): unknown {
  if (!(error instanceof TemplateError)) return error;
  const message = error.message
    .replace(/^template: :/, 'template: log-tag:')
    .replace('executing "" at', 'executing "log-tag" at');
  return invalid(message, error);
}

function render(text: string, container: LoggedContainer, options: Readonly<Record<string, string>>): string {
  try {
    const template: Template = compile(text);
    return template.render(info(container, options));
  } catch (error) {
    throw renamed(error);
  }
}

/** `invalid` in Go's words for a tag that is no template, or names what there is not. */
export function checkTag(options: Readonly<Record<string, string>>): void {
  const { tag } = options;
  if (tag !== undefined && tag !== '') render(tag, unknown, options);
}

/** The tag of a container's lines, by its options; `fallback` is the driver's own template. */
export function tagOf(
  container: LoggedContainer,
  options: Readonly<Record<string, string>>,
  fallback = '{{.ID}}',
): string {
  return render(options['tag'] || fallback, container, options);
}
